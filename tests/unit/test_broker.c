/* SPDX-License-Identifier: Apache-2.0 */
/* net/broker: what it makes in namespaces of its own, what it answers, when it ends, and what is said of refusals. */

#include "net/broker.h"

#include "net/rtnl.h"
#include "net/sandbox.h"
#include "net_lab.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define ADDRESS "10.10.10.3"

static struct broker broker;
static struct broker_trouble trouble;
static int also = -1; /* another asker's end */

static int start(const char *tap, unsigned queues)
{
    const struct broker_config config = {tap, queues, SANDBOX_DEFAULT, "test: broker", also};
    return broker_start(&config, &broker, &trouble);
}

static void started(unsigned queues)
{
    lab_enter();
    assert_int_equal(start(NULL, queues), 0);
}

static int stop(void **state)
{
    (void)state;
    broker_close(&broker);
    return 0;
}

static uint64_t namespace_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), 0);
    return cookie;
}

static uint64_t our_namespace(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t cookie = namespace_of(fd);
    close(fd);
    return cookie;
}

static void assert_ended(int code)
{
    int status;
    assert_int_equal(waitpid(broker.pid, &status, 0), broker.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

/* The device is there and not here; who has no right here may set it up there, by the socket. */
static void device_is_inside_and_is_set_from_outside(void **state)
{
    struct addr_prefix address = {.bits = 24};
    const struct rtnl_link_change up = {.up = true};
    struct rtnl_address list[8];
    struct rtnl *inside;
    struct rtnl_link link;
    (void)state;
    started(2);
    assert_string_equal(broker.tap.name, "tap0");
    assert_int_equal(broker.tap.queue_count, 2);
    assert_int_equal(if_nametoindex("tap0"), 0);
    assert_int_equal(rtnl_open_on(broker.rtnl, &inside), 0);
    broker.rtnl = -1;
    assert_int_equal(rtnl_link_find(inside, "lo", &link), 0);
    assert_true(link.up);
    assert_int_equal(rtnl_link_find(inside, "tap0", &link), 0);
    assert_int_equal(link.index, broker.tap.ifindex);
    assert_int_equal(link.held_queues, 2);
    assert_int_equal(addr_parse(ADDRESS, 0, &address.addr), 0);
    assert_int_equal(rtnl_address_add(inside, link.index, &address), 0);
    assert_int_equal(rtnl_link_set(inside, link.index, &up), 0);
    assert_true(lab_readable(broker.monitor) &&
                rtnl_monitor_drain(broker.monitor, broker.tap.ifindex).machine);
    int count = rtnl_addresses(inside, list, 8);
    assert_true(count > 0 && rtnl_addresses_have(list, (size_t)count, &address.addr));
    rtnl_close(inside);
}

static void sockets_are_made_inside(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    uint64_t here;
    (void)state;
    started(1);
    here = our_namespace();
    for (unsigned i = 0; i < 4; i++) {
        int fd = -1, type = -1, domain = -1;
        socklen_t len = sizeof(int);
        assert_int_equal(broker_socket(broker.channel, i < 2 ? 4 : 6, types[i % 2], &fd), 0);
        assert_true(namespace_of(fd) != here);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
        assert_int_equal(type, types[i % 2]);
        assert_int_equal(domain, i < 2 ? AF_INET : AF_INET6);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
    }
    assert_false(broker_gone(broker.channel));
}

static void another_process_may_ask_too_and_only_itself_ends_by_nonsense(void **state)
{
    int ends[2], fd = -1;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    also = ends[1];
    started(1);
    close(ends[1]);
    also = -1;
    assert_int_equal(broker_socket(ends[0], 4, SOCK_STREAM, &fd), 0);
    assert_true(namespace_of(fd) != our_namespace());
    close(fd);
    assert_int_equal(send(ends[0], "nonsense", 8, 0), 8);
    assert_int_equal(broker_socket(broker.channel, 4, SOCK_STREAM, &fd), 0);
    close(fd);
    assert_int_not_equal(broker_socket(ends[0], 4, SOCK_STREAM, &fd), 0);
    assert_false(broker_gone(broker.channel));
    close(ends[0]);
}

/* Else each later one would get the answer to the question before. */
static void answer_to_who_did_not_wait_is_nobodys(void **state)
{
    static const uint8_t question[] = {4, SOCK_DGRAM};
    int fd = -1, type = -1;
    socklen_t len = sizeof(type);
    (void)state;
    started(1);
    assert_int_equal(send(broker.channel, question, sizeof(question), 0), sizeof(question));
    assert_true(lab_readable(broker.channel));
    assert_int_equal(broker_socket(broker.channel, 4, SOCK_STREAM, &fd), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
    assert_int_equal(type, SOCK_STREAM);
    close(fd);
}

static void other_questions_are_not_asked(void **state)
{
    int fd = -1;
    (void)state;
    started(1);
    assert_int_equal(broker_socket(broker.channel, 5, SOCK_DGRAM, &fd), ERR_ARGUMENT);
    assert_int_equal(broker_socket(broker.channel, 4, SOCK_RAW, &fd), ERR_ARGUMENT);
    assert_int_equal(fd, -1);
    assert_int_equal(broker_socket(broker.channel, 4, SOCK_DGRAM, &fd), 0);
    close(fd);
}

/* A program that was taken over has it make nothing else. */
static void other_questions_end_it(void **state)
{
    static const uint8_t bad[][3] = {{5, SOCK_DGRAM}, {4, SOCK_RAW}, {4, SOCK_DGRAM, 0}, {4}};
    static const size_t sizes[] = {2, 2, 3, 1};
    int fd;
    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        started(1);
        assert_int_equal(send(broker.channel, bad[i], sizes[i], 0), sizes[i]);
        assert_true(lab_readable(broker.channel));
        assert_true(broker_gone(broker.channel));
        assert_int_equal(broker_socket(broker.channel, 4, SOCK_DGRAM, &fd), ERR_CLOSED);
        broker_close(&broker);
        assert_ended(0);
    }
}

static void it_ends_with_its_channel(void **state)
{
    (void)state;
    started(1);
    broker_close(&broker);
    assert_int_equal(broker.channel, -1);
    assert_ended(0);
}

/* Although somebody else has the program's end of the channel. */
static void it_ends_with_the_program(void **state)
{
    pid_t *pid = mmap(NULL, sizeof(*pid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    char c;
    (void)state;
    lab_enter();
    assert_true(pid != MAP_FAILED && pipe2(ends, O_CLOEXEC) == 0);
    pid_t program = fork();
    if (program == 0) {
        if (start(NULL, 1) == 0 && fork() == 0) {
            close(ends[1]);
            (void)!read(ends[0], &c, 1);
            _exit(0);
        }
        *pid = broker.pid;
        _exit(0);
    }
    assert_int_equal(waitpid(program, NULL, 0), program);
    char gone[64];
    snprintf(gone, sizeof(gone), "! grep -qs broker /proc/%d/comm", (int)*pid);
    lab_wait(gone);
    close(ends[1]);
    close(ends[0]);
    munmap(pid, sizeof(*pid));
}

static bool put(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && ok;
}

/* In a user namespace whose own limit is ours to set. */
static void refused_where(const char *limit, enum broker_step step)
{
    int status;
    lab_enter();
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) != 0 || !put("/proc/self/setgroups", "deny") ||
            !put("/proc/self/uid_map", "0 0 1") || !put("/proc/self/gid_map", "0 0 1") || !put(limit, "0"))
            _exit(2);
        bool right = start(NULL, 1) == trouble.err && trouble.step == step && trouble.number == ENOSPC;
        _exit(right && broker.channel == -1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void who_may_make_no_namespace_is_told_which(void **state)
{
    (void)state;
    refused_where("/proc/sys/user/max_user_namespaces", BROKER_USER_NAMESPACE);
    refused_where("/proc/sys/user/max_net_namespaces", BROKER_NETWORK_NAMESPACE);
}

static void a_name_that_is_none_is_told(void **state)
{
    (void)state;
    lab_enter();
    assert_int_equal(start("a/b", 1), ERR_ARGUMENT);
    assert_int_equal(trouble.step, BROKER_TAP);
    assert_int_equal(broker.channel, -1);
}

#define TEST(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(device_is_inside_and_is_set_from_outside),
        TEST(sockets_are_made_inside),
        TEST(another_process_may_ask_too_and_only_itself_ends_by_nonsense),
        TEST(answer_to_who_did_not_wait_is_nobodys),
        TEST(other_questions_are_not_asked),
        TEST(other_questions_end_it),
        TEST(it_ends_with_its_channel),
        TEST(it_ends_with_the_program),
        TEST(who_may_make_no_namespace_is_told_which),
        TEST(a_name_that_is_none_is_told),
    };
    broker = BROKER_NONE;
#ifdef __SANITIZE_THREAD__
    return 0; /* its own thread keeps a process from a user namespace */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
