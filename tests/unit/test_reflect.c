/* SPDX-License-Identifier: Apache-2.0 */
/* From where the reflection answers: from the address that was asked, by whatever way the routes say. What the kernel gives
 * and takes is this test's. */

#include "backbone/reflect.h"

#include "proto/message/stun.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define INTERFACE   7
#define CONTROL_MAX 64
#define DEADLINE_MS 20000

static int asked[2], answered[2]; /* a byte each: a request waits, an answer was sent */
static uint8_t control[CONTROL_MAX];
static size_t control_len;

int __wrap_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags, struct timespec *timeout);
int __wrap_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags);

int __wrap_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags, struct timespec *timeout)
{
    static const uint8_t transaction[STUN_TRANSACTION_LEN] = "transaction";
    const struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_port = htons(9443), .sin_addr.s_addr = htonl(0xc6336401)};
    uint8_t byte, request[STUN_MESSAGE_MAX];
    struct msghdr *h = &list[0].msg_hdr;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    (void)count, (void)flags, (void)timeout;
    if (poll(&p, 1, 0) != 1 || read(fd, &byte, 1) != 1) {
        errno = EAGAIN;
        return -1;
    }
    list[0].msg_len = (unsigned)stun_request_encode(transaction, request);
    memcpy(h->msg_iov->iov_base, request, list[0].msg_len);
    memcpy(h->msg_name, &from, sizeof(from));
    memcpy(h->msg_control, control, control_len);
    h->msg_controllen = control_len;
    h->msg_flags = 0;
    return 1;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags)
{
    (void)fd, (void)flags;
    assert_int_equal(count, 1);
    assert_int_equal(list[0].msg_hdr.msg_controllen, control_len);
    memcpy(control, list[0].msg_hdr.msg_control, control_len);
    assert_int_equal(write(answered[1], "", 1), 1);
    return 1;
}

static void put_control(int level, int type, const void *value, size_t len)
{
    struct msghdr h = {.msg_control = control, .msg_controllen = CMSG_SPACE(len)};
    memset(control, 0, sizeof(control));
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), value, len);
    control_len = CMSG_SPACE(len);
}

/* What is said of the way of the answer to a request that came with this. */
static const void *ask(int level, int type, const void *value, size_t len)
{
    struct reflect *r;
    static struct metrics metrics;
    uint8_t byte;
    struct pollfd p;
    put_control(level, type, value, len);
    assert_int_equal(pipe(asked), 0);
    assert_int_equal(pipe(answered), 0);
    assert_int_equal(write(asked[1], "", 1), 1);
    assert_int_equal(reflect_start(asked[0], &metrics, &r), 0);
    p = (struct pollfd){.fd = answered[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    assert_int_equal(read(answered[0], &byte, 1), 1);
    reflect_stop(r);
    for (unsigned i = 0; i < 2; i++) {
        close(asked[i]);
        close(answered[i]);
    }
    return CMSG_DATA((struct cmsghdr *)control);
}

static void answer_leaves_from_the_ipv6_address_that_was_asked_by_any_interface(void **state)
{
    struct in6_pktinfo info = {.ipi6_ifindex = INTERFACE, .ipi6_addr.s6_addr = {0x20, 1, 0xd, 0xb8}};
    (void)state;
    const struct in6_pktinfo *out = ask(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    assert_int_equal(out->ipi6_ifindex, 0);
    assert_memory_equal(&out->ipi6_addr, &info.ipi6_addr, sizeof(info.ipi6_addr));
}

static void link_local_address_keeps_its_interface(void **state)
{
    struct in6_pktinfo info = {.ipi6_ifindex = INTERFACE, .ipi6_addr.s6_addr = {0xfe, 0x80, [15] = 1}};
    (void)state;
    const struct in6_pktinfo *out = ask(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    assert_memory_equal(out, &info, sizeof(info));
}

static void answer_leaves_from_the_ipv4_address_that_was_asked_by_any_interface(void **state)
{
    struct in_pktinfo info = {.ipi_ifindex = INTERFACE, .ipi_spec_dst.s_addr = htonl(0xcb007105)};
    (void)state;
    const struct in_pktinfo *out = ask(IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    assert_int_equal(out->ipi_ifindex, 0);
    assert_int_equal(out->ipi_spec_dst.s_addr, info.ipi_spec_dst.s_addr);
}

/* Numbers mean something only together with their level. */
static void what_says_something_else_is_left_alone(void **state)
{
    static const int others[][2] = {{IPPROTO_IPV6, IPV6_TCLASS}, {SOL_SOCKET, IPV6_PKTINFO},
                                    {IPPROTO_IP, IPV6_PKTINFO},  {IPPROTO_IP, IP_TOS},
                                    {SOL_SOCKET, IP_PKTINFO},    {IPPROTO_IPV6, IP_PKTINFO}};
    uint8_t value[sizeof(struct in6_pktinfo)];
    (void)state;
    memset(value, 0x20, sizeof(value));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_memory_equal(ask(others[i][0], others[i][1], value, sizeof(value)), value, sizeof(value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_leaves_from_the_ipv6_address_that_was_asked_by_any_interface),
        cmocka_unit_test(link_local_address_keeps_its_interface),
        cmocka_unit_test(answer_leaves_from_the_ipv4_address_that_was_asked_by_any_interface),
        cmocka_unit_test(what_says_something_else_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
