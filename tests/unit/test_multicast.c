/* SPDX-License-Identifier: Apache-2.0 */
/* net/multicast: two machines on one wire, of which each is a network namespace.
 *
 *    here: left 192.0.2.1 ──── right 192.0.2.2: there
 */

#include "net/multicast.h"
#include "net_lab.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define PORT 9444

static const struct addr group4 = {.family = 4, .port = PORT, .ip = {239, 255, 83, 77}};
static const struct addr group6 = {.family = 6, .port = PORT, .ip = {0xff, 2, [15] = 0x4e}};
static const uint8_t word[] = "word";

static int here = -1, there = -1;
static uint32_t left, right; /* the interfaces */

static void enter(int netns)
{
    assert_int_equal(setns(netns, CLONE_NEWNET), 0);
}

static int own_namespace(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void make_wire(void)
{
    if (here >= 0)
        return;
    lab_enter();
    here = own_namespace();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    there = own_namespace();
    lab_run("ip link add right type veth peer name left netns /proc/%d/fd/%d", (int)getpid(), here);
    lab_run("ip addr add 192.0.2.2/24 dev right && ip link set right up");
    right = if_nametoindex("right");
    enter(here);
    lab_run("ip addr add 192.0.2.1/24 dev left && ip link set left up");
    lab_wait("ip -6 addr show dev left scope link -tentative | grep -q fe80");
    left = if_nametoindex("left");
}

static int open_in(int netns, const struct addr *group, uint32_t interface)
{
    int fd;
    enter(netns);
    assert_int_equal(multicast_open(group, &fd), 0);
    if (interface)
        assert_int_equal(multicast_join(fd, group, interface), 0);
    enter(here);
    return fd;
}

static void assert_word(int fd, struct addr *from)
{
    uint8_t data[sizeof(word) + 1];
    size_t len;
    assert_true(lab_readable(fd));
    assert_int_equal(multicast_receive(fd, data, sizeof(data), &len, from), 0);
    assert_int_equal(len, sizeof(word));
    assert_memory_equal(data, word, len);
}

static void assert_silent(int fd)
{
    uint8_t data[1];
    size_t len;
    struct addr from;
    assert_int_equal(multicast_receive(fd, data, sizeof(data), &len, &from), ERR_AGAIN);
}

static void word_reaches_the_other_machine_and_not_our_own(void **state)
{
    (void)state;
    make_wire();
    const struct addr *const groups[] = {&group4, &group6};
    for (unsigned i = 0; i < 2; i++) {
        int ours = open_in(here, groups[i], left), theirs = open_in(there, groups[i], right);
        struct addr from;
        assert_int_equal(multicast_send(ours, groups[i], left, word, sizeof(word)), 0);
        assert_word(theirs, &from);
        assert_int_equal(from.family, groups[i]->family);
        assert_int_equal(from.scope, from.family == 6 ? right : 0);
        assert_silent(ours);
        close(ours);
        close(theirs);
    }
}

static void two_programs_of_a_machine_hear_the_same(void **state)
{
    (void)state;
    make_wire();
    int ours = open_in(here, &group4, 0), first = open_in(there, &group4, right),
        second = open_in(there, &group4, right);
    struct addr from;
    assert_int_equal(multicast_send(ours, &group4, left, word, sizeof(word)), 0);
    assert_word(first, &from);
    assert_word(second, &from);
    close(ours);
    close(first);
    close(second);
}

static void group_is_heard_where_it_is_joined_and_until_it_is_left(void **state)
{
    (void)state;
    make_wire();
    int ours = open_in(here, &group4, 0), never = open_in(there, &group4, 0),
        quitted = open_in(there, &group4, right), theirs = open_in(there, &group4, right);
    struct addr from;
    enter(there);
    multicast_leave(quitted, &group4, right);
    multicast_leave(never, &group4, right);
    assert_int_equal(multicast_join(theirs, &group4, right), 0); /* once more */
    enter(here);
    assert_int_equal(multicast_send(ours, &group4, left, word, sizeof(word)), 0);
    assert_word(theirs, &from);
    assert_silent(quitted);
    assert_silent(never);
    close(ours);
    close(never);
    close(quitted);
    close(theirs);
}

static void what_is_sent_to_the_machine_alone_does_not_arrive(void **state)
{
    (void)state;
    make_wire();
    int ours = open_in(here, &group4, 0), theirs = open_in(there, &group4, right);
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(0xc0000202)};
    struct addr from;
    assert_int_equal(sendto(ours, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), 1);
    assert_int_equal(multicast_send(ours, &group4, left, word, sizeof(word)), 0);
    assert_word(theirs, &from);
    close(ours);
    close(theirs);
}

static void interface_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    make_wire();
    int ours = open_in(here, &group4, 0);
    assert_int_equal(multicast_join(ours, &group4, 12345), ERR_IO);
    assert_int_equal(multicast_send(ours, &group4, 12345, word, sizeof(word)), ERR_IO);
    close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_reaches_the_other_machine_and_not_our_own),
        cmocka_unit_test(two_programs_of_a_machine_hear_the_same),
        cmocka_unit_test(group_is_heard_where_it_is_joined_and_until_it_is_left),
        cmocka_unit_test(what_is_sent_to_the_machine_alone_does_not_arrive),
        cmocka_unit_test(interface_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
