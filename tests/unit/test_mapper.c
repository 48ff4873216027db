/* SPDX-License-Identifier: Apache-2.0 */
/* proto/portmap/mapper: a router of each kind, those that break, restart or lie, and the end. Time is this test's. */

#include "base/clock.h"
#include "proto/portmap/mapper.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define START    (1000 * USEC_PER_SEC)
#define UDP_PORT 9443
#define TCP_PORT 8443

/* What the router is made of, and has been asked. */
struct router {
    bool pcp, natpmp, refuses_tcp, other_nonce;
    uint8_t result; /* of PCP, and NAT-PMP */
    uint32_t lifetime_s, epoch_s;
    uint8_t outer[4];
    uint16_t first_port;   /* 0: as asked for */
    unsigned asked, ended; /* datagrams; mappings that were ended */
    uint16_t wished;       /* in the last request */
};

struct lab {
    struct mapper m;
    struct router r;
    uint64_t now_us;
};

static struct lab begin_lab(struct router r)
{
    struct lab lab = {.r = r, .now_us = START};
    const struct mapper_config config = {.client = {.family = 4, .ip = {192, 168, 1, 2}},
                                         .ports = {UDP_PORT, TCP_PORT},
                                         .nonce = {9, 8, 7, 6, 5, 4, 3, 2, 1}};
    if (!lab.r.lifetime_s)
        lab.r.lifetime_s = MAPPER_LIFETIME_S;
    if (!lab.r.outer[0])
        memcpy(lab.r.outer, (uint8_t[]){198, 51, 100, 7}, 4);
    lab.r.epoch_s = 500;
    mapper_init(&lab.m, &config, lab.now_us);
    return lab;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static size_t answer_pcp(struct router *r, const uint8_t *ask, uint8_t *out)
{
    uint16_t port = (uint16_t)(ask[42] << 8 | ask[43]);
    r->wished = port;
    memcpy(out, ask, PCP_MAP_LEN);
    out[1] |= 0x80;
    out[3] = ask[36] == PCP_TCP && r->refuses_tcp ? PCP_NOT_AUTHORIZED : r->result;
    r->ended += get32(ask + 4) == 0;
    put32(out + 4, get32(ask + 4) ? r->lifetime_s : 0);
    put32(out + 8, r->epoch_s);
    out[24] ^= r->other_nonce;
    port = r->first_port ? r->first_port : port;
    out[42] = (uint8_t)(port >> 8);
    out[43] = (uint8_t)port;
    memcpy(out + 56, r->outer, 4);
    return PCP_MAP_LEN;
}

static size_t answer_natpmp(struct router *r, const uint8_t *ask, size_t len, uint8_t *out)
{
    memset(out, 0, 16);
    out[1] = ask[1] | 0x80;
    out[3] = ask[0] != NATPMP_VERSION ? NATPMP_UNSUPP_VERSION : r->result;
    put32(out + 4, r->epoch_s);
    if (out[3])
        return 8;
    if (ask[1] == NATPMP_ADDRESS) {
        memcpy(out + 8, r->outer, 4);
        return 12;
    }
    assert_int_equal(len, NATPMP_ASK_MAX);
    r->ended += get32(ask + 8) == 0;
    memcpy(out + 8, ask + 4, 4);
    put32(out + 12, get32(ask + 8) ? r->lifetime_s : 0);
    return 16;
}

/* Whatever the mapper asks now is answered at once. */
static void talk(struct lab *lab)
{
    uint8_t ask[PCP_MAP_LEN], answer[PCP_MAP_LEN];
    size_t len;
    while ((len = mapper_poll(&lab->m, lab->now_us, ask)) > 0) {
        size_t answered = 0;
        lab->r.asked++;
        if (ask[0] == PCP_VERSION && lab->r.pcp)
            answered = answer_pcp(&lab->r, ask, answer);
        else if (lab->r.natpmp)
            answered = answer_natpmp(&lab->r, ask, len, answer);
        if (answered)
            (void)!mapper_input(&lab->m, answer, answered, lab->now_us);
    }
}

/* From deadline to deadline. */
static void run(struct lab *lab, uint64_t for_us)
{
    uint64_t until_us = lab->now_us + for_us;
    talk(lab);
    while (mapper_next_us(&lab->m) <= until_us) {
        uint64_t next_us = mapper_next_us(&lab->m);
        assert_true(next_us >= lab->now_us);
        lab->r.epoch_s += (uint32_t)(next_us / USEC_PER_SEC - lab->now_us / USEC_PER_SEC);
        lab->now_us = next_us;
        talk(lab);
        assert_true(mapper_next_us(&lab->m) > lab->now_us);
    }
    lab->r.epoch_s += (uint32_t)(until_us / USEC_PER_SEC - lab->now_us / USEC_PER_SEC);
    lab->now_us = until_us;
}

static void assert_held(const struct lab *lab, unsigned port, uint16_t outer)
{
    struct addr expected = {.family = 4, .port = outer};
    memcpy(expected.ip, lab->r.outer, 4);
    assert_true(addr_equal(&lab->m.held[port].external, &expected));
}

/* ---- routers that map ---- */

static void both_ports_are_mapped_by_pcp_in_two_questions(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    assert_held(&lab, MAPPER_UDP, UDP_PORT);
    assert_held(&lab, MAPPER_TCP, TCP_PORT);
    assert_true(lab.r.asked == 2 && lab.m.protocol == MAPPER_PCP && !lab.m.why);
}

static void router_without_pcp_says_so_and_is_asked_by_natpmp_at_once(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.natpmp = true});
    talk(&lab);
    assert_held(&lab, MAPPER_UDP, UDP_PORT);
    assert_held(&lab, MAPPER_TCP, TCP_PORT);
    assert_true(lab.m.protocol == MAPPER_NATPMP && lab.r.asked == 4);
}

static void silent_router_is_asked_three_times_by_each_protocol_and_again_after_ten_minutes(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    run(&lab, 4 * USEC_PER_SEC);
    assert_int_equal(lab.r.asked, 2 * MAPPER_TRIES);
    assert_int_equal(lab.m.failures, 1);
    assert_string_equal(lab.m.why, "does not answer");
    run(&lab, MAPPER_AGAIN_US + 4 * USEC_PER_SEC);
    assert_int_equal(lab.r.asked, 4 * MAPPER_TRIES);
}

static void router_that_never_says_a_word_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    unsigned a_day = 5 + 24 * 3600 / (MAPPER_AGAIN_US / USEC_PER_SEC << MAPPER_DOUBLINGS);
    run(&lab, 24 * 3600 * USEC_PER_SEC);
    assert_in_range(lab.m.failures, a_day - 1, a_day);
    static const uint8_t garbage[4] = {0xff};
    (void)!mapper_input(&lab.m, garbage, sizeof(garbage), lab.now_us);
    mapper_restart(&lab.m, lab.now_us);
    unsigned failures = lab.m.failures;
    run(&lab, 2 * MAPPER_AGAIN_US - 20 * USEC_PER_SEC);
    assert_int_equal(lab.m.failures, failures + 2);
}

static void ipv6_router_is_asked_by_pcp_alone(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    lab.m.config.client = (struct addr){.family = 6, .ip = {0x20, 1, [15] = 1}};
    run(&lab, 4 * USEC_PER_SEC);
    assert_int_equal(lab.r.asked, MAPPER_TRIES);
    assert_int_equal(lab.m.failures, 1);
}

static void tcp_that_is_refused_leaves_udp_mapped(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true, .refuses_tcp = true});
    talk(&lab);
    assert_held(&lab, MAPPER_UDP, UDP_PORT);
    assert_int_equal(lab.m.held[MAPPER_TCP].external.family, 0);
    assert_int_equal(lab.m.failures, 0);
}

static void refused_datagram_ends_the_round_at_once(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    talk(&lab);
    mapper_refused(&lab.m, lab.now_us);
    assert_true(lab.m.failures == 1 && !mapper_holds(&lab.m));
    assert_string_equal(lab.m.why, "has neither PCP nor NAT-PMP");
    mapper_refused(&lab.m, lab.now_us);
    assert_int_equal(lab.m.failures, 1);
}

static void pcp_that_refuses_is_followed_by_natpmp(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true, .natpmp = true, .result = PCP_NOT_AUTHORIZED});
    talk(&lab);
    assert_true(lab.m.failures == 1 && lab.r.asked == 2);
    assert_string_equal(lab.m.why, "does not allow it (NAT-PMP: not authorized)");
}

/* ---- as time passes ---- */

static void mapping_is_renewed_at_half_of_its_life_with_the_port_that_it_has(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true, .lifetime_s = 200, .first_port = 50000});
    talk(&lab);
    assert_held(&lab, MAPPER_UDP, 50000);
    run(&lab, 99 * USEC_PER_SEC);
    assert_int_equal(lab.r.asked, 2);
    run(&lab, 2 * USEC_PER_SEC);
    assert_int_equal(lab.r.asked, 4);
    assert_int_equal(lab.r.wished, 50000);
    run(&lab, 3600 * USEC_PER_SEC);
    assert_held(&lab, MAPPER_UDP, 50000);
    assert_int_equal(lab.m.failures, 0);
}

static void long_life_is_renewed_every_ten_minutes(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true, .lifetime_s = UINT32_MAX});
    talk(&lab);
    run(&lab, MAPPER_AGAIN_US);
    assert_int_equal(lab.r.asked, 4);
}

static void router_that_falls_silent_keeps_the_mapping_until_it_has_run_out(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    lab.r.pcp = false;
    run(&lab, (MAPPER_LIFETIME_S - 1) * USEC_PER_SEC);
    assert_true(mapper_holds(&lab.m));
    assert_in_range(lab.r.asked, 6, 40);
    run(&lab, 10 * USEC_PER_SEC);
    assert_true(!mapper_holds(&lab.m) && lab.m.failures == 1);
}

static void mapping_that_is_denied_is_held_no_more(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    lab.r.result = PCP_NETWORK_FAILURE;
    run(&lab, MAPPER_AGAIN_US);
    assert_true(!mapper_holds(&lab.m) && !lab.m.held[MAPPER_TCP].external.family);
}

/* ---- routers that restart ---- */

static size_t announce(uint32_t epoch_s, uint8_t out[24])
{
    memset(out, 0, 24);
    out[0] = PCP_VERSION;
    out[1] = 0x80;
    put32(out + 8, epoch_s);
    return 24;
}

static void router_that_announces_its_restart_is_asked_again_at_once(void **state)
{
    (void)state;
    uint8_t said[24];
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    run(&lab, 100 * USEC_PER_SEC);
    assert_int_equal(mapper_input(&lab.m, said, announce(lab.r.epoch_s, said), lab.now_us), 0);
    talk(&lab);
    assert_int_equal(lab.r.asked, 2); /* nothing was forgotten */
    lab.r.epoch_s = 0;
    assert_int_equal(mapper_heard(&lab.m, said, announce(0, said), lab.now_us), 0);
    talk(&lab);
    assert_int_equal(lab.r.asked, 4);
    assert_held(&lab, MAPPER_UDP, UDP_PORT);
}

static void older_router_announces_its_restart_and_another_address(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.natpmp = true});
    uint8_t said[16];
    static const uint8_t about[2] = {NATPMP_VERSION, NATPMP_ADDRESS};
    talk(&lab);
    run(&lab, 100 * USEC_PER_SEC);
    unsigned asked = lab.r.asked;
    lab.r.outer[3] = 99;
    assert_int_equal(mapper_heard(&lab.m, said, answer_natpmp(&lab.r, about, 2, said), lab.now_us), 0);
    talk(&lab);
    assert_int_equal(lab.r.asked, asked + 3);
    assert_held(&lab, MAPPER_UDP, UDP_PORT);
}

/* RFC 6887 §8.5: while this machine slept, its router's seconds went on, or it restarted and caught up. */
static void seconds_of_the_router_that_are_not_ours_mean_that_it_forgot(void **state)
{
    (void)state;
    uint8_t said[24];
    static const int64_t off_s[] = {-1000, -20, 20, 3600};
    for (size_t i = 0; i < sizeof(off_s) / sizeof(off_s[0]); i++) {
        struct lab lab = begin_lab((struct router){.pcp = true});
        talk(&lab);
        run(&lab, 100 * USEC_PER_SEC);
        (void)!mapper_input(&lab.m, said, announce((uint32_t)(lab.r.epoch_s + off_s[i]), said), lab.now_us);
        talk(&lab);
        assert_int_equal(lab.r.asked, 4);
    }
}

static void router_whose_epoch_jumps_each_time_is_asked_once_a_second_at_most(void **state)
{
    (void)state;
    uint8_t said[24];
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    for (unsigned i = 0; i < 1000; i++) {
        (void)!mapper_input(&lab.m, said, announce(i % 2 * 1000000, said), lab.now_us);
        run(&lab, 10 * USEC_PER_MSEC);
    }
    assert_in_range(lab.r.asked, 4, 2 * 12);
}

/* ---- routers that lie ---- */

static void answer_under_another_nonce_counts_for_nothing(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true, .other_nonce = true});
    run(&lab, 4 * USEC_PER_SEC);
    assert_true(!mapper_holds(&lab.m) && lab.m.failures == 1);
}

static void answer_that_nobody_asked_for_counts_for_nothing(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true});
    uint8_t ask[PCP_MAP_LEN], answer[PCP_MAP_LEN];
    size_t asked = mapper_poll(&lab.m, lab.now_us, ask);
    assert_int_equal(asked, PCP_MAP_LEN);
    (void)answer_pcp(&lab.r, ask, answer);
    assert_int_equal(mapper_input(&lab.m, answer, sizeof(answer), lab.now_us), 0);
    assert_int_equal(mapper_input(&lab.m, answer, sizeof(answer), lab.now_us), ERR_UNSUPPORTED);
}

/* Whoever forges the router's address can say it without having seen the question. */
static void answer_said_to_everybody_counts_for_nothing(void **state)
{
    (void)state;
    static const struct router kinds[] = {{.pcp = true}, {.natpmp = true}};
    uint8_t ask[PCP_MAP_LEN], answer[PCP_MAP_LEN];
    size_t len;
    for (unsigned i = 0; i < 2; i++) {
        struct lab lab = begin_lab(kinds[i]);
        while ((len = mapper_poll(&lab.m, lab.now_us, ask)) > 0) {
            len = ask[0] == PCP_VERSION && lab.r.pcp ? answer_pcp(&lab.r, ask, answer)
                                                     : answer_natpmp(&lab.r, ask, len, answer);
            assert_int_equal(mapper_heard(&lab.m, answer, len, lab.now_us), ERR_UNSUPPORTED);
        }
        assert_true(!mapper_holds(&lab.m) && lab.m.protocol == MAPPER_PCP && lab.m.tries == 1);
    }
    struct lab lab = begin_lab(kinds[1]);
    lab.m.protocol = MAPPER_NATPMP;
    lab.m.step = MAPPER_ASKS_ADDRESS;
    len = mapper_poll(&lab.m, lab.now_us, ask);
    len = answer_natpmp(&lab.r, ask, len, answer);
    assert_int_equal(mapper_heard(&lab.m, answer, len, lab.now_us), ERR_UNSUPPORTED);
    assert_true(lab.m.step == MAPPER_ASKS_ADDRESS && !lab.m.outer.family);
    assert_int_equal(mapper_heard(&lab.m, answer, 3, lab.now_us), ERR_FORMAT);
    assert_int_equal(lab.m.malformed, 1);
}

static void router_whose_pcp_has_mapped_is_not_believed_to_know_none(void **state)
{
    (void)state;
    static const uint8_t no_pcp[8] = {NATPMP_VERSION, 0x80, 0, NATPMP_UNSUPP_VERSION};
    struct lab lab = begin_lab((struct router){.pcp = true});
    uint8_t ask[PCP_MAP_LEN];
    talk(&lab);
    run(&lab, 100 * USEC_PER_SEC);
    mapper_restart(&lab.m, lab.now_us);
    assert_int_equal(mapper_poll(&lab.m, lab.now_us, ask), PCP_MAP_LEN);
    assert_int_equal(mapper_input(&lab.m, no_pcp, sizeof(no_pcp), lab.now_us), ERR_UNSUPPORTED);
    assert_true(mapper_holds(&lab.m) && lab.m.protocol == MAPPER_PCP);
}

static void mapping_to_nowhere_or_for_no_time_is_none(void **state)
{
    (void)state;
    struct router nowhere = {.pcp = true}, instant = {.pcp = true, .lifetime_s = MAPPER_LIFETIME_MIN_S - 1};
    struct lab lab = begin_lab(nowhere);
    memset(lab.r.outer, 0, 4);
    run(&lab, 4 * USEC_PER_SEC);
    assert_true(!mapper_holds(&lab.m) && lab.m.failures == 1);
    lab = begin_lab(instant);
    run(&lab, 4 * USEC_PER_SEC);
    assert_true(!mapper_holds(&lab.m) && lab.m.failures == 1);
}

static void garbage_is_counted_and_named(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    static const uint8_t garbage[40] = {0xff, 1, 2, 3};
    talk(&lab);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(mapper_input(&lab.m, garbage, sizeof(garbage), lab.now_us), ERR_FORMAT);
    assert_int_equal(mapper_input(&lab.m, garbage, 0, lab.now_us), ERR_FORMAT);
    run(&lab, 4 * USEC_PER_SEC);
    assert_int_equal(lab.m.malformed, 6);
    assert_string_equal(lab.m.why, "answers what is neither PCP nor NAT-PMP");
}

/* ---- the end ---- */

static void what_is_held_is_ended(void **state)
{
    (void)state;
    static const struct router routers[] = {{.pcp = true}, {.natpmp = true}};
    for (unsigned i = 0; i < 2; i++) {
        struct lab lab = begin_lab(routers[i]);
        talk(&lab);
        mapper_release(&lab.m, lab.now_us);
        talk(&lab);
        assert_int_equal(lab.r.ended, 2);
        assert_true(mapper_released(&lab.m) && !mapper_holds(&lab.m));
        assert_true(mapper_next_us(&lab.m) == TIME_NEVER);
    }
}

static void what_was_asked_for_and_not_answered_is_ended_too(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    talk(&lab);
    lab.r.pcp = true;
    mapper_release(&lab.m, lab.now_us);
    talk(&lab);
    assert_int_equal(lab.r.ended, 1);
    assert_true(mapper_released(&lab.m));
}

static void silent_router_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){.pcp = true});
    talk(&lab);
    lab.r.pcp = false;
    mapper_release(&lab.m, lab.now_us);
    run(&lab, 2 * MAPPER_TRIES * MAPPER_RELEASE_US);
    assert_true(mapper_released(&lab.m));
}

static void nothing_held_is_nothing_to_end(void **state)
{
    (void)state;
    struct lab lab = begin_lab((struct router){0});
    mapper_refused(&lab.m, lab.now_us);
    mapper_release(&lab.m, lab.now_us);
    assert_true(mapper_released(&lab.m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ports_are_mapped_by_pcp_in_two_questions),
        cmocka_unit_test(router_without_pcp_says_so_and_is_asked_by_natpmp_at_once),
        cmocka_unit_test(silent_router_is_asked_three_times_by_each_protocol_and_again_after_ten_minutes),
        cmocka_unit_test(router_that_never_says_a_word_is_asked_ever_more_rarely),
        cmocka_unit_test(ipv6_router_is_asked_by_pcp_alone),
        cmocka_unit_test(tcp_that_is_refused_leaves_udp_mapped),
        cmocka_unit_test(refused_datagram_ends_the_round_at_once),
        cmocka_unit_test(pcp_that_refuses_is_followed_by_natpmp),
        cmocka_unit_test(mapping_is_renewed_at_half_of_its_life_with_the_port_that_it_has),
        cmocka_unit_test(long_life_is_renewed_every_ten_minutes),
        cmocka_unit_test(router_that_falls_silent_keeps_the_mapping_until_it_has_run_out),
        cmocka_unit_test(mapping_that_is_denied_is_held_no_more),
        cmocka_unit_test(router_that_announces_its_restart_is_asked_again_at_once),
        cmocka_unit_test(older_router_announces_its_restart_and_another_address),
        cmocka_unit_test(seconds_of_the_router_that_are_not_ours_mean_that_it_forgot),
        cmocka_unit_test(router_whose_epoch_jumps_each_time_is_asked_once_a_second_at_most),
        cmocka_unit_test(answer_under_another_nonce_counts_for_nothing),
        cmocka_unit_test(answer_that_nobody_asked_for_counts_for_nothing),
        cmocka_unit_test(answer_said_to_everybody_counts_for_nothing),
        cmocka_unit_test(router_whose_pcp_has_mapped_is_not_believed_to_know_none),
        cmocka_unit_test(mapping_to_nowhere_or_for_no_time_is_none),
        cmocka_unit_test(garbage_is_counted_and_named),
        cmocka_unit_test(what_is_held_is_ended),
        cmocka_unit_test(what_was_asked_for_and_not_answered_is_ended_too),
        cmocka_unit_test(silent_router_does_not_hold_up_the_end),
        cmocka_unit_test(nothing_held_is_nothing_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
