/* SPDX-License-Identifier: Apache-2.0 */
/* node/underlay/portmap: whom the node has asked, and what it believes of the helper, which is this test. The machine's way out and
 * the clock are the test's, too. */

#include "node/underlay/portmap.h"

#include "base/clock.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/helper/helper_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "log_lab.h"

bool __wrap_device_way_out(struct device *d, uint8_t family, struct rtnl_way *out);
uint64_t __wrap_clock_monotonic_us(void);

static struct rtnl_way ways[2]; /* IPv4, IPv6; without source: none */
static uint64_t clock_us;
static struct config config;
static unsigned changes;
static uv_loop_t loop;
static struct portmap *portmap;
static int helper;

bool __wrap_device_way_out(struct device *d, uint8_t family, struct rtnl_way *out)
{
    (void)d;
    *out = ways[family == 6];
    return out->source.family;
}

uint64_t __wrap_clock_monotonic_us(void)
{
    return clock_us;
}

static void on_changed(void *context)
{
    (void)context;
    changes++;
}

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static void set_way(const char *source, const char *gateway)
{
    struct rtnl_way way = {2, parse(source), parse(gateway)};
    if (way.gateway.family == 6 && addr_is_link_local(&way.gateway))
        way.gateway.scope = 2;
    ways[way.source.family == 6] = way;
}

static int set_up(void **state)
{
    int node;
    memset(ways, 0, sizeof(ways));
    config = (struct config){.port = 9443, .control_port = 8443};
    clock_us = 1000 * USEC_PER_SEC;
    changes = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(helper_channel_open(&node, &helper), 0);
    set_way("192.168.1.2", "192.168.1.1");
    const struct portmap_config c = {.loop = &loop, .config = &config, .changed = on_changed};
    assert_int_equal(portmap_new(&c, node, &portmap), 0);
    return capture(state);
}

static int tear_down(void **state)
{
    portmap_close(portmap);
    while (uv_run(&loop, UV_RUN_DEFAULT))
        continue;
    assert_int_equal(uv_loop_close(&loop), 0);
    close(helper);
    return release(state);
}

static void say(const struct helper_message *m)
{
    assert_int_equal(helper_channel_send(helper, m), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static const struct helper_message *heard(void)
{
    static struct helper_packet packet;
    assert_int_equal(helper_channel_receive(helper, &packet), 0);
    return &packet.message;
}

static bool nothing_heard(void)
{
    uint8_t byte;
    return recv(helper, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void begin(void)
{
    say(&(struct helper_message){.kind = HELPER_READY});
    assert_int_equal(heard()->kind, HELPER_PORTMAP_ASK);
}

static void say_mapped(const char *udp, const char *tcp)
{
    struct helper_message m = {.kind = HELPER_PORTMAP, .address_count = 2, .number = 1200, .text = "PCP"};
    m.addresses[0] = ways[0].gateway;
    m.addresses[1] = parse(udp);
    if (tcp)
        m.addresses[m.address_count++] = parse(tcp);
    say(&m);
}

static void say_nothing_had(const char *why)
{
    struct helper_message m = {.kind = HELPER_PORTMAP, .address_count = 1, .addresses = {ways[0].gateway}};
    helper_message_set_text(&m, why);
    say(&m);
}

static unsigned lines_with(const char *word)
{
    unsigned count = 0;
    for (const char *at = captured(); (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* ---- whom ---- */

static void helper_is_told_of_our_address_and_the_router_once_it_serves(void **state)
{
    (void)state;
    assert_true(nothing_heard());
    say(&(struct helper_message){.kind = HELPER_READY});
    const struct helper_message *m = heard();
    assert_int_equal(m->kind, HELPER_PORTMAP_ASK);
    assert_int_equal(m->address_count, 2);
    assert_true(addr_equal(&m->addresses[0], &ways[0].source) &&
                addr_equal(&m->addresses[1], &ways[0].gateway));
}

static void router_is_asked_only_where_an_address_is_won(void **state)
{
    (void)state;
    static const struct {
        const char *source, *gateway, *external;
        unsigned asked;
    } cases[] = {
        {"192.168.1.2", "192.168.1.254", NULL, 1}, /* a home */
        {"100.64.3.2", "100.64.3.1", NULL, 1},     /* a provider's */
        {"198.51.100.2", "198.51.100.1", NULL, 0}, /* a data centre */
        {"192.168.1.2", "198.51.100.1", NULL, 0},
        {"192.168.1.2", "192.168.1.1", "198.51.100.9", 0}, /* -ip */
        {"192.168.1.2", "192.168.1.1", "2001:db8::9", 1},  /* of the other family */
        {"2001:db8::2", "fe80::1", NULL, 1},
        {"2001:db8::2", "fd00::1", NULL, 1},
        {"2001:db8::2", "2001:db8::1", NULL, 0},
        {"fd00::2", "fe80::1", NULL, 0}, /* no address that others could reach */
        {"2001:db8::2", "fe80::1", "2001:db8::9", 0},
    };
    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(ways, 0, sizeof(ways));
        config.external = cases[i].external ? parse(cases[i].external) : (struct addr){0};
        set_way(cases[i].source, cases[i].gateway);
        portmap_on_change(portmap);
        assert_int_equal(heard()->address_count, 2 * cases[i].asked);
    }
}

static void another_router_is_noticed_though_no_address_changed(void **state)
{
    (void)state;
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    set_way("192.168.1.2", "192.168.1.254");
    clock_us += USEC_PER_SEC;
    portmap_tick(portmap, clock_us);
    assert_true(nothing_heard());
    clock_us += 5 * USEC_PER_SEC;
    portmap_tick(portmap, clock_us);
    assert_true(addr_equal(&heard()->addresses[1], &ways[0].gateway));
    struct candidate list[PORTMAP_FAMILIES];
    assert_int_equal(portmap_candidates(portmap, list), 0); /* of the old one nothing is left */
    assert_int_equal(changes, 2);
}

static void helper_that_comes_anew_is_told_again_and_nothing_is_lost_meanwhile(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    say(&(struct helper_message){.kind = HELPER_ENDED, .text = "signal 9"});
    assert_int_equal(portmap_candidates(portmap, list), 1);
    begin();
    assert_int_equal(changes, 1);
    assert_int_equal(lines_with("another one is started"), 1);
}

static void mapping_that_no_helper_renews_runs_out(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    say(&(struct helper_message){.kind = HELPER_ENDED, .text = "signal 9"});
    clock_us += 600 * USEC_PER_SEC;
    say(&(struct helper_message){.kind = HELPER_ENDED, .text = "signal 9"});
    portmap_tick(portmap, clock_us);
    assert_int_equal(portmap_candidates(portmap, list), 1);
    clock_us += 600 * USEC_PER_SEC;
    portmap_tick(portmap, clock_us);
    assert_int_equal(portmap_candidates(portmap, list), 0);
    assert_int_equal(portmap_view(portmap, 0).external.family, 0);
    assert_int_equal(changes, 2);
    assert_int_equal(lines_with("port mapping lost: the router 192.168.1.1 has not been asked in time"), 1);
}

static void helper_that_does_not_start_is_told_once_a_minute(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        say(&(struct helper_message){.kind = HELPER_UNABLE, .text = "cannot enter its sandbox"});
        clock_us += USEC_PER_SEC;
    }
    assert_int_equal(lines_with("does not start: cannot enter its sandbox"), 2);
}

static void mapping_that_is_renewed_after_a_helpers_end_goes_on(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    say(&(struct helper_message){.kind = HELPER_ENDED, .text = "signal 9"});
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    clock_us += 3600 * USEC_PER_SEC;
    portmap_tick(portmap, clock_us);
    assert_int_equal(portmap_candidates(portmap, list), 1);
    assert_int_equal(changes, 1);
}

/* ---- what is believed ---- */

static void mapping_is_a_candidate_with_its_control_port(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    struct addr udp = parse("198.51.100.7:50000");
    begin();
    assert_int_equal(portmap_candidates(portmap, list), 0);
    assert_int_equal(portmap_candidates(NULL, list), 0);
    say_mapped("198.51.100.7:50000", "198.51.100.7:50001");
    assert_int_equal(portmap_candidates(portmap, list), 1);
    assert_true(list[0].kind == CANDIDATE_MAPPED && addr_equal(&list[0].addr, &udp));
    assert_int_equal(list[0].control_port, 50001);
    assert_int_equal(changes, 1);
    assert_int_equal(lines_with("port mapping: the router 192.168.1.1 leads 198.51.100.7:50000"), 1);
}

static void control_port_at_another_address_is_none(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    say_mapped("198.51.100.7:50000", "198.51.100.8:50001");
    assert_int_equal(portmap_candidates(portmap, list), 1);
    assert_int_equal(list[0].control_port, 0);
}

static void address_that_is_nobodys_or_behind_another_nat_is_shown_and_not_announced(void **state)
{
    (void)state;
    static const char *const external[] = {"10.0.0.9:9443", "100.64.0.9:9443", "127.0.0.1:9443",
                                           "239.1.2.3:9443"};
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    for (size_t i = 0; i < sizeof(external) / sizeof(external[0]); i++) {
        say_mapped(external[i], NULL);
        assert_int_equal(portmap_candidates(portmap, list), 0);
        struct portmap_view v = portmap_view(portmap, 0);
        assert_true(v.external.family && !v.announced);
    }
    assert_int_equal(lines_with("another NAT"), 4);
}

static void word_about_another_router_or_of_another_family_counts_for_nothing(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    struct helper_message m = {.kind = HELPER_PORTMAP, .address_count = 2, .number = 1200};
    begin();
    m.addresses[0] = parse("192.168.1.99");
    m.addresses[1] = parse("198.51.100.7:9443");
    say(&m);
    m.addresses[0] = ways[0].gateway;
    m.addresses[1] = parse("[2001:db8::7]:9443");
    say(&m);
    m.address_count = 0;
    say(&m);
    assert_int_equal(portmap_candidates(portmap, list), 0);
    assert_int_equal(changes, 0);
}

static void had_and_lost_are_a_line_each_and_the_same_again_is_none(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 2; i++)
        say_mapped("198.51.100.7:9443", "198.51.100.7:8443");
    for (unsigned i = 0; i < 2; i++)
        say_nothing_had("does not answer");
    const char *text = captured();
    assert_non_null(strstr(text, "port mapping lost: the router 192.168.1.1 does not answer"));
    unsigned lines = 0;
    for (const char *at = text; (at = strstr(at, "port mapping")); at++)
        lines++;
    assert_int_equal(lines, 2);
    assert_int_equal(changes, 2);
}

static void router_that_never_had_any_is_told_once_and_not_as_a_loss(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 3; i++)
        say_nothing_had("has neither PCP nor NAT-PMP, and offers no UPnP");
    const char *text = captured();
    assert_non_null(strstr(text, "info  no port mapping: the router 192.168.1.1 has neither"));
    assert_null(strstr(text, "lost"));
    assert_string_equal(portmap_view(portmap, 0).text, "has neither PCP nor NAT-PMP, and offers no UPnP");
}

static void address_that_changes_all_the_time_counts_now_and_then(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    char text[ADDR_TEXT_MAX];
    begin();
    for (unsigned i = 1; i <= 200; i++) {
        snprintf(text, sizeof(text), "198.51.100.%u:9443", i);
        say_mapped(text, NULL);
        clock_us += 10 * USEC_PER_MSEC;
    }
    assert_int_equal(changes, 4);
    clock_us += 30 * USEC_PER_SEC;
    portmap_tick(portmap, clock_us); /* what came last */
    assert_int_equal(changes, 5);
    assert_int_equal(portmap_candidates(portmap, list), 1);
    assert_int_equal(list[0].addr.ip[3], 200);
}

static void helper_that_sends_what_is_not_its_is_cut_off(void **state)
{
    (void)state;
    uint8_t byte;
    begin();
    say(&(struct helper_message){.kind = HELPER_NAME});
    assert_int_equal(recv(helper, &byte, 1, 0), 0);
    assert_int_equal(lines_with("sends what is not its to send: restart the node"), 1);
    portmap_on_change(portmap);
    portmap_tick(portmap, clock_us + 60 * USEC_PER_SEC);
}

static void helper_that_is_gone_for_good_is_told(void **state)
{
    (void)state;
    struct candidate list[PORTMAP_FAMILIES];
    begin();
    say_mapped("198.51.100.7:9443", NULL);
    close(helper);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(lines_with("restart the node"), 1);
    assert_int_equal(portmap_candidates(portmap, list), 0); /* nobody would say when it ends */
    assert_int_equal(changes, 2);
    helper = dup(STDIN_FILENO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(helper_is_told_of_our_address_and_the_router_once_it_serves),
        TEST(router_is_asked_only_where_an_address_is_won),
        TEST(another_router_is_noticed_though_no_address_changed),
        TEST(helper_that_comes_anew_is_told_again_and_nothing_is_lost_meanwhile),
        TEST(mapping_that_no_helper_renews_runs_out),
        TEST(helper_that_does_not_start_is_told_once_a_minute),
        TEST(mapping_that_is_renewed_after_a_helpers_end_goes_on),
        TEST(mapping_is_a_candidate_with_its_control_port),
        TEST(control_port_at_another_address_is_none),
        TEST(address_that_is_nobodys_or_behind_another_nat_is_shown_and_not_announced),
        TEST(word_about_another_router_or_of_another_family_counts_for_nothing),
        TEST(had_and_lost_are_a_line_each_and_the_same_again_is_none),
        TEST(router_that_never_had_any_is_told_once_and_not_as_a_loss),
        TEST(address_that_changes_all_the_time_counts_now_and_then),
        TEST(helper_that_sends_what_is_not_its_is_cut_off),
        TEST(helper_that_is_gone_for_good_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
