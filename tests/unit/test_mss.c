/* SPDX-License-Identifier: Apache-2.0 */
/* frame/mss: the size that a SYN announces becomes what the path carries, and nothing else changes. */

#include "frame/mss.h"

#include "packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROOM    1428
#define TCP     20
#define SYN     0x02
#define SYN_ACK 0x12
#define ACK     0x10

static uint8_t frame[PACKET_MAX], before[PACKET_MAX];

/* MSS 1460 at a place of the options, as Linux sends it or moved by one byte. */
static const uint8_t linux_options[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
static const uint8_t odd_options[] = {1, 2, 4, 0x05, 0xb4, 1, 1, 1};
static const uint8_t signed_options[] = {2, 4, 0x05, 0xb4, 29, 4, 1, 1};

struct syn {
    const uint8_t *options;
    unsigned len;
    struct packet packet;
};

static size_t csum_at(const struct packet *p)
{
    return p->l4 + 16;
}

/* The packet's checksum is made again, since the options are set after packet_build. */
static size_t build(struct syn *s, uint8_t *out)
{
    struct packet *p = &s->packet;
    p->tcp_options = s->len;
    size_t len = packet_build(p, out), l4_len = len - p->l4;
    memcpy(out + p->l4 + TCP, s->options, s->len);
    if (!p->partial) {
        memset(out + csum_at(p), 0, 2);
        uint32_t sum = packet_pseudo(p, out + p->l3, l4_len);
        sum = (sum & 0xffff) + (sum >> 16);
        packet_put(out + csum_at(p), ~packet_sum(out + p->l4, l4_len, sum) & 0xffff, 2);
    }
    return len;
}

static void assert_limited(struct syn s, size_t mss_at, unsigned expected)
{
    size_t len = build(&s, frame);
    uint8_t options[40];
    assert_true(mss_limit(frame, len, ROOM, s.packet.partial));
    memcpy(options, s.options, s.len);
    packet_put(options + mss_at, expected, 2);
    s.options = options;
    assert_int_equal(build(&s, before), len); /* as if it had been sent so */
    assert_memory_equal(frame, before, len);
    assert_false(mss_limit(frame, len, ROOM, s.packet.partial));
}

static void assert_untouched(struct syn s, size_t room)
{
    size_t len = build(&s, frame);
    memcpy(before, frame, len);
    assert_false(mss_limit(frame, len, room, s.packet.partial));
    assert_memory_equal(frame, before, len);
}

static struct syn syn_of(uint8_t flags)
{
    return (struct syn){linux_options, sizeof(linux_options), {.tcp_flags = flags}};
}

static void announced_size_becomes_what_the_path_carries(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 16; kind++) {
        struct syn s = syn_of(kind & 1 ? SYN_ACK : SYN);
        s.packet.v6 = kind & 2;
        s.packet.partial = kind & 4;
        s.packet.vlans = kind & 8 ? 1 : 0;
        unsigned head = 14 + (s.packet.v6 ? 40 : 20) + TCP + 4 * s.packet.vlans;
        assert_limited(s, 2, ROOM - head);
    }
}

static void checksum_is_right_also_behind_an_odd_byte(void **state)
{
    (void)state;
    struct syn s = {odd_options, sizeof(odd_options), {.tcp_flags = SYN}};
    assert_limited(s, 3, ROOM - 54);
}

static void what_fits_stays(void **state)
{
    (void)state;
    assert_untouched(syn_of(SYN), 54 + 1460);
    assert_untouched(syn_of(SYN), 9000);
}

static void only_the_beginning_of_a_connection_is_looked_at(void **state)
{
    (void)state;
    assert_untouched(syn_of(ACK), ROOM);
    struct syn udp = syn_of(SYN);
    udp.packet.udp = true;
    assert_untouched(udp, ROOM);
}

static void nobody_is_asked_for_less_than_every_host_takes(void **state)
{
    (void)state;
    struct syn s = syn_of(SYN);
    size_t len = build(&s, frame);
    assert_true(mss_limit(frame, len, 300, false));
    assert_memory_equal(frame + s.packet.l4 + TCP + 2, ((uint8_t[]){MSS_LEAST_V4 >> 8, MSS_LEAST_V4 & 0xff}),
                        2);
    s.packet.v6 = true;
    len = build(&s, frame);
    assert_true(mss_limit(frame, len, 300, false));
    assert_memory_equal(frame + s.packet.l4 + TCP + 2, ((uint8_t[]){MSS_LEAST_V6 >> 8, MSS_LEAST_V6 & 0xff}),
                        2);
}

static void signed_options_stay(void **state)
{
    (void)state;
    assert_untouched((struct syn){signed_options, sizeof(signed_options), {.tcp_flags = SYN}}, ROOM);
}

static void options_that_contradict_themselves_stay(void **state)
{
    static const uint8_t none[] = {3, 0, 2, 4, 5, 0xb4, 0, 0}, long_one[] = {1, 1, 1, 1, 2, 9, 5, 0xb4},
                         cut[] = {1, 1, 1, 1, 1, 1, 1, 2}, ended[] = {0, 0, 0, 0, 2, 4, 5, 0xb4};
    const uint8_t *all[] = {none, long_one, cut, ended};
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_untouched((struct syn){all[i], 8, {.tcp_flags = SYN}}, ROOM);
}

/* Where the TCP header would lie in the IP header, its checksum would be an address. */
static void headers_that_overlap_stay(void **state)
{
    struct syn s = syn_of(SYN);
    size_t len = build(&s, frame);
    (void)state;
    frame[14] = 0x40;
    frame[14 + 12] = 0xa0; /* at the TCP header's length … */
    frame[14 + 13] = SYN;  /* … and flags, had the IP header none */
    memcpy(frame + 14 + TCP, linux_options, sizeof(linux_options));
    memcpy(before, frame, len);
    assert_false(mss_limit(frame, len, ROOM, false));
    assert_memory_equal(frame, before, len);
}

/* Each length in memory of its own, so that a sanitizer sees what lies outside. */
static void truncated_frames_are_not_overrun(void **state)
{
    struct syn s = syn_of(SYN);
    size_t len = build(&s, before);
    (void)state;
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n + 1);
        memcpy(copy + 1, before, n);
        assert_false(mss_limit(copy + 1, n, ROOM, false));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announced_size_becomes_what_the_path_carries),
        cmocka_unit_test(checksum_is_right_also_behind_an_odd_byte),
        cmocka_unit_test(what_fits_stays),
        cmocka_unit_test(only_the_beginning_of_a_connection_is_looked_at),
        cmocka_unit_test(nobody_is_asked_for_less_than_every_host_takes),
        cmocka_unit_test(signed_options_stay),
        cmocka_unit_test(options_that_contradict_themselves_stay),
        cmocka_unit_test(headers_that_overlap_stay),
        cmocka_unit_test(truncated_frames_are_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
