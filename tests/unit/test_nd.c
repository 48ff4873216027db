/* SPDX-License-Identifier: Apache-2.0 */
/* frame/nd: neighbour discovery in frames, with checksums that are computed plainly here. */

#include "frame/nd.h"

#include "packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ICMP 54

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2};
static const struct addr us = {.family = 6, .ip = {0xfe, 0x80, [15] = 1}};
static const struct addr them = {.family = 6, .ip = {0xfe, 0x80, [15] = 2}};

/* As RFC 4443 §2.3 has it, over the frame's message of so many bytes. */
static uint32_t sum(const uint8_t *frame, size_t body)
{
    uint32_t s = packet_sum(frame + 22, 32, 0);
    return packet_sum(frame + ICMP, body, (s + 58 + (uint32_t)body) % 0xffff);
}

static size_t solicit(uint8_t frame[ND_FRAME_MAX], bool has_link)
{
    struct nd nd = {
        .type = ND_SOLICITATION, .source = us, .destination = them, .target = them, .has_link = has_link};
    memcpy(nd.link, mac, sizeof(nd.link));
    return nd_encode(&nd, mac, other, frame);
}

/* A router's solicitation from an address, as a kernel writes it that knows no link layer. */
static size_t router_solicitation(uint8_t frame[128], uint8_t first)
{
    memset(frame, 0, 128);
    memcpy(frame, (uint8_t[]){0x33, 0x33, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60}, 15);
    frame[19] = 8;
    frame[20] = 58;
    frame[21] = 255;
    frame[22] = first;
    frame[37] = first;
    frame[ICMP] = ND_ROUTER_SOLICITATION;
    packet_put(frame + ICMP + 2, ~sum(frame, 8) & 0xffff, 2);
    return ICMP + 8;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct nd nd;
    uint8_t frame[ND_FRAME_MAX];
    for (unsigned link = 0; link < 2; link++) {
        size_t len = solicit(frame, link);
        assert_int_equal(len, ICMP + 24 + 8 * link);
        assert_int_equal(sum(frame, len - ICMP) % 0xffff, 0);
        assert_true(nd_decode(frame, len, &nd));
        assert_int_equal(nd.type, ND_SOLICITATION);
        assert_true(addr_equal(&nd.source, &us) && addr_equal(&nd.destination, &them) &&
                    addr_equal(&nd.target, &them));
        assert_int_equal(nd.has_link, link);
        for (size_t shorter = 0; shorter < len; shorter++)
            assert_false(nd_decode(frame, shorter, &nd));
    }
}

static void one_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct nd nd;
    uint8_t frame[ND_FRAME_MAX];
    size_t len = solicit(frame, true);
    for (size_t at = 18; at < len; at++) {
        frame[at] ^= 0x11;
        assert_false(nd_decode(frame, len, &nd));
        frame[at] ^= 0x11;
    }
    assert_true(nd_decode(frame, len, &nd));
}

static void an_option_for_another_mac_is_not_believed(void **state)
{
    (void)state;
    struct nd nd;
    uint8_t frame[ND_FRAME_MAX];
    size_t len = solicit(frame, true);
    frame[11] = 9; /* the frame's source */
    assert_false(nd_decode(frame, len, &nd));
}

static void a_router_solicitation_gets_its_senders_mac(void **state)
{
    (void)state;
    uint8_t frame[128];
    size_t len = router_solicitation(frame, 0xfe), longer = nd_add_link(frame, len, sizeof(frame), mac);
    assert_int_equal(longer, len + ND_OPTION_LEN);
    assert_int_equal(frame[19], 16);
    assert_memory_equal(frame + len, ((uint8_t[]){1, 1, 2, 0, 0, 0, 0, 1}), 8);
    assert_int_equal(sum(frame, 16) % 0xffff, 0);
    assert_int_equal(nd_add_link(frame, longer, sizeof(frame), other), longer);
}

static void none_is_added_without_an_address_or_room(void **state)
{
    (void)state;
    uint8_t frame[128];
    size_t len = router_solicitation(frame, 0);
    assert_int_equal(nd_add_link(frame, len, sizeof(frame), mac), len);
    len = router_solicitation(frame, 0xfe);
    assert_int_equal(nd_add_link(frame, len, len + 7, mac), len);
    len = solicit(frame, false);
    assert_int_equal(nd_add_link(frame, len, sizeof(frame), mac), len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(one_changed_byte_is_noticed),
        cmocka_unit_test(an_option_for_another_mac_is_not_believed),
        cmocka_unit_test(a_router_solicitation_gets_its_senders_mac),
        cmocka_unit_test(none_is_added_without_an_address_or_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
