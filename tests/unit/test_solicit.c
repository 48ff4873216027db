/* SPDX-License-Identifier: Apache-2.0 */
/* frame/solicit: which frames ask everybody for an address, and for which. */

#include "frame/solicit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define ARP_LEN (14 + 28)
#define ND_LEN  (14 + 40 + 24)

/* 10.0.0.1 asks for 10.0.0.2. */
static const uint8_t arp_request[ARP_LEN] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  1, 8, 6,
                                             0,   1,   8,   0,   6,   4,   0, 1, 2, 0, 0,  0, 0, 1,
                                             10,  0,   0,   1,   0,   0,   0, 0, 0, 0, 10, 0, 0, 2};

/* fd00::1 asks for fd00::a:bcde. */
static const uint8_t solicitation[ND_LEN] = {
    0x33, 0x33, 0xff, 0x0a, 0xbc, 0xde, 2,  0,   0, 0, 0, 1, 0x86, 0xdd,             /* Ethernet */
    0x60, 0,    0,    0,    0,    24,   58, 255,                                     /* IPv6 */
    0xfd, 0,    0,    0,    0,    0,    0,  0,   0, 0, 0, 0, 0,    0,    0,    1,    /* … from */
    0xff, 2,    0,    0,    0,    0,    0,  0,   0, 0, 0, 1, 0xff, 0x0a, 0xbc, 0xde, /* … to */
    135,  0,    0,    0,    0,    0,    0,  0,                                       /* ICMPv6 */
    0xfd, 0,    0,    0,    0,    0,    0,  0,   0, 0, 0, 0, 0,    0x0a, 0xbc, 0xde};

static struct addr target;

static bool changed(const uint8_t *frame, size_t len, size_t at, uint8_t to)
{
    uint8_t copy[ND_LEN];
    memcpy(copy, frame, len);
    assert_int_not_equal(copy[at], to);
    copy[at] = to;
    return solicit_target(copy, len, &target);
}

static void an_arp_request_asks_for_its_target(void **state)
{
    (void)state;
    assert_true(solicit_target(arp_request, ARP_LEN, &target));
    assert_int_equal(target.family, 4);
    assert_memory_equal(target.ip, ((uint8_t[16]){10, 0, 0, 2}), 16);
    for (size_t len = 0; len < ARP_LEN; len++)
        assert_false(solicit_target(arp_request, len, &target));
}

static void a_solicitation_asks_for_its_target(void **state)
{
    (void)state;
    assert_true(solicit_target(solicitation, ND_LEN, &target));
    assert_int_equal(target.family, 6);
    assert_memory_equal(target.ip, solicitation + ND_LEN - 16, 16);
    for (size_t len = 0; len < ND_LEN; len++)
        assert_false(solicit_target(solicitation, len, &target));
}

static void other_arp_asks_for_nobody(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t to;
    } changes[] = {
        {5, 0xfe},           /* to one */
        {12, 0x81},          /* a tag, by its type */
        {15, 6},             /* of other hardware … */
        {16, 0x86},          /* … for another protocol … */
        {18, 8},             /* … with other lengths */
        {19, 16},   {21, 2}, /* an answer */
        {20, 1},    {31, 2}, /* for the asker's own address */
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
        assert_false(changed(arp_request, ARP_LEN, changes[i].at, changes[i].to));
    uint8_t probe[ARP_LEN];
    memcpy(probe, arp_request, ARP_LEN);
    memset(probe + 28, 0, 4);
    assert_false(solicit_target(probe, ARP_LEN, &target));
}

static void other_ipv6_asks_for_nobody(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t to;
    } changes[] = {
        {2, 0},     {5, 0xdf},          /* to another group */
        {20, 17},                       /* no ICMPv6, or behind an extension header */
        {21, 254},                      /* from beyond a router */
        {54, 136},  {54, 134}, {55, 1}, /* another message */
        {77, 0xdd},                     /* the target is not of the group */
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
        assert_false(changed(solicitation, ND_LEN, changes[i].at, changes[i].to));
    uint8_t twin[ND_LEN];
    memcpy(twin, solicitation, ND_LEN);
    memset(twin + 22, 0, 16);
    assert_false(solicit_target(twin, ND_LEN, &target));
    memcpy(twin + 22, twin + ND_LEN - 16, 16);
    assert_false(solicit_target(twin, ND_LEN, &target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arp_request_asks_for_its_target),
        cmocka_unit_test(a_solicitation_asks_for_its_target),
        cmocka_unit_test(other_arp_asks_for_nobody),
        cmocka_unit_test(other_ipv6_asks_for_nobody),
    };
    return cmocka_run_group_tests_name("solicit", tests, NULL, NULL);
}
