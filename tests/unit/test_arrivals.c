/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/arrivals: connections of proxies and of others over loopback, with PROXY headers whole, in pieces and hostile. */

#include "backbone/arrivals.h"

#include "backbone/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000
#define HEADER                                                                                               \
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"                                                                   \
    "\xc0\x00\x02\x07\xcb\x00\x71\x02\x9c\x40\x00\x50" /* of 192.0.2.7:40000 */
#define REQUEST "GET /health HTTP/1.1\r\n\r\n"

struct arrived {
    int fd;
    struct addr source;
};

static struct arrivals *arrivals;
static struct forwarded_proxies proxies;
static struct sockaddr_in at;
static int listener, told[2];
static atomic_bool room;
static atomic_uint refused;

static bool has_room(void *context)
{
    (void)context;
    return room;
}

static void on_arrived(void *context, int fd, const struct addr *source)
{
    const struct arrived one = {fd, *source};
    (void)context;
    assert_int_equal(write(told[1], &one, sizeof(one)), sizeof(one));
}

static void on_refused(void *context)
{
    (void)context;
    refused++;
}

static int set_up_with(const char *trusted)
{
    const struct arrivals_config config = {0, &proxies, has_room, on_arrived, on_refused, NULL};
    struct arrivals_config with = config;
    socklen_t len = sizeof(at);
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    proxies = (struct forwarded_proxies){.count = 0};
    assert_true(!trusted || !forwarded_add(&proxies, trusted));
    room = true;
    refused = 0;
    with.listener = listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1024), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    return arrivals_start(&with, &arrivals);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(NULL);
}

static int set_up_trusting(void **state)
{
    (void)state;
    return set_up_with("127.0.0.1");
}

static int tear_down(void **state)
{
    (void)state;
    arrivals_stop(arrivals);
    close(listener);
    close(told[0]);
    close(told[1]);
    return 0;
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}
#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

static bool is_told(int ms)
{
    struct pollfd p = {.fd = told[0], .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/* Who arrived next, and that it begins with these bytes. */
static void assert_arrived(const char *source, const char *bytes, size_t len)
{
    struct arrived one;
    char text[ADDR_TEXT_MAX], got[256];
    assert_true(is_told(WAIT_MS));
    assert_int_equal(read(told[0], &one, sizeof(one)), sizeof(one));
    one.source.port = one.source.ip[0] == 127 ? 0 : one.source.port;
    assert_string_equal(addr_format(&one.source, text), source);
    struct pollfd p = {.fd = one.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(recv(one.fd, got, sizeof(got), 0), len);
    assert_memory_equal(got, bytes, len);
    close(one.fd);
}

static void assert_closed(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

static void header_of_somebody_who_is_not_trusted_is_not_looked_at(void **state)
{
    (void)state;
    int fd = dial();
    SAY(fd, HEADER);
    assert_arrived("127.0.0.1", HEADER, sizeof(HEADER) - 1);
    close(fd);
}

static void header_of_a_proxy_is_taken_off_and_names_the_source(void **state)
{
    (void)state;
    int fd = dial();
    SAY(fd, HEADER REQUEST);
    assert_arrived("192.0.2.7:40000", REQUEST, sizeof(REQUEST) - 1);
    close(fd);
}

static void header_may_come_byte_by_byte(void **state)
{
    (void)state;
    int fd = dial();
    for (size_t i = 0; i < sizeof(HEADER) - 1; i++)
        say(fd, HEADER + i, 1);
    SAY(fd, REQUEST);
    assert_arrived("192.0.2.7:40000", REQUEST, sizeof(REQUEST) - 1);
    close(fd);
}

static void request_of_a_proxy_without_a_header_passes_as_it_is(void **state)
{
    (void)state;
    int fd = dial();
    SAY(fd, REQUEST);
    assert_arrived("127.0.0.1", REQUEST, sizeof(REQUEST) - 1);
    close(fd);
}

static void proxys_own_check_passes_as_the_proxys(void **state)
{
    (void)state;
    int fd = dial();
    SAY(fd, "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00" REQUEST);
    assert_arrived("127.0.0.1", REQUEST, sizeof(REQUEST) - 1);
    close(fd);
}

static void malformed_and_broken_off_headers_are_refused_and_counted(void **state)
{
    (void)state;
    int fd = dial();
    SAY(fd, "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" REQUEST);
    assert_closed(fd);
    assert_int_equal(refused, 1);
    fd = dial();
    say(fd, HEADER, 20);
    shutdown(fd, SHUT_WR);
    assert_closed(fd);
    fd = dial();
    say(fd, HEADER, 5);
    shutdown(fd, SHUT_WR);
    assert_closed(fd);
    assert_int_equal(refused, 3);
    fd = dial();
    shutdown(fd, SHUT_WR); /* a check of whether the port answers */
    assert_closed(fd);
    assert_int_equal(refused, 3);
    assert_false(is_told(0));
}

static void silent_ones_make_room_and_hold_nobody_up(void **state)
{
    static int silent[ARRIVALS_WAITING_MAX + 1];
    (void)state;
    for (unsigned i = 0; i < ARRIVALS_WAITING_MAX + 1; i++)
        silent[i] = dial();
    assert_closed(silent[0]);
    assert_int_equal(refused, 1);
    SAY(silent[ARRIVALS_WAITING_MAX], HEADER REQUEST);
    assert_arrived("192.0.2.7:40000", REQUEST, sizeof(REQUEST) - 1);
    for (unsigned i = 1; i < ARRIVALS_WAITING_MAX + 1; i++)
        close(silent[i]);
}

static void nobody_is_accepted_while_there_is_no_room(void **state)
{
    (void)state;
    room = false;
    int fd = dial();
    SAY(fd, REQUEST);
    int other = dial();
    SAY(other, REQUEST);
    room = true;
    assert_arrived("127.0.0.1", REQUEST, sizeof(REQUEST) - 1);
    assert_arrived("127.0.0.1", REQUEST, sizeof(REQUEST) - 1);
    close(fd);
    close(other);
}

int main(void)
{
#define PLAIN(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TRUSTING(name) cmocka_unit_test_setup_teardown(name, set_up_trusting, tear_down)
    const struct CMUnitTest tests[] = {
        PLAIN(header_of_somebody_who_is_not_trusted_is_not_looked_at),
        TRUSTING(header_of_a_proxy_is_taken_off_and_names_the_source),
        TRUSTING(header_may_come_byte_by_byte),
        TRUSTING(request_of_a_proxy_without_a_header_passes_as_it_is),
        TRUSTING(proxys_own_check_passes_as_the_proxys),
        TRUSTING(malformed_and_broken_off_headers_are_refused_and_counted),
        TRUSTING(silent_ones_make_room_and_hold_nobody_up),
        PLAIN(nobody_is_accepted_while_there_is_no_room),
    };
    return cmocka_run_group_tests_name("arrivals", tests, NULL, NULL);
}
