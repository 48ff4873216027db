/* SPDX-License-Identifier: Apache-2.0 */
/* node/backbones/visits: where peers that are linked at other instances are met, and how little whoever says so decides. The
 * helper and the backbones are this test. */
#include "node/backbones/visits.h"
#include "proto/path/ways.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/carrier/streams.h"
#include "node/config/proxy.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_client.h"
#include "node/helper/name_client.h"
#include "node/helper/uplink_channel.h"
#include "proto/relay/relay.h"
#include "proto/uplink/uplink_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOUND_MS 20000
#define TICK_MS  10
#define PLACES   (UPLINKS_MAX - 1)

struct fixture {
    uv_loop_t loop;
    uv_timer_t tick;
    struct identity *me;
    struct streams *streams;
    struct helper_client *name_helper;
    struct name_client *names;
    int name_end; /* of its helper, which nobody is */
    struct visits *visits;
    int helper[PLACES]; /* the helper's ends */
    uint8_t packet[UPLINK_MESSAGE_MAX];
    unsigned ups, downs, pairs;
    unsigned number; /* of what was told last */
    struct addr relay;
};

static const struct node_id other = {{7, 7, 7}};
static const struct proxy none;
static const struct ways no_ways;

/* ---- what the node is told ---- */

static void on_uplink(void *context, unsigned number, bool up, uint32_t interface)
{
    struct fixture *f = context;
    assert_int_equal(interface, 0);
    f->number = number;
    f->ups += up;
    f->downs += !up;
}

static void on_paired(void *context, unsigned number, const struct node_id *id, bool on)
{
    struct fixture *f = context;
    assert_int_equal(id_compare(id, &other), 0);
    f->number = number;
    f->pairs += on;
}

static void on_relayed(void *context, unsigned number, const struct node_id *id, const struct addr *relay,
                       uint32_t channel, const uint8_t *token)
{
    struct fixture *f = context;
    (void)number, (void)id, (void)channel, (void)token;
    f->relay = *relay;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

#define wait_for(f, condition)                                                                               \
    do {                                                                                                     \
        uint64_t until_us = clock_monotonic_us() + BOUND_MS * USEC_PER_MSEC;                                 \
        while (!(condition) && clock_monotonic_us() < until_us)                                              \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                                 \
        if (!(condition))                                                                                    \
            fail_msg("never: %s", #condition);                                                               \
    } while (0)

/* ---- the helper and a backbone ---- */

static bool has_packet(const struct fixture *f, unsigned place)
{
    struct pollfd p = {.fd = f->helper[place], .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static size_t receive(struct fixture *f, unsigned place)
{
    wait_for(f, has_packet(f, place));
    ssize_t len = uplink_channel_receive(f->helper[place], f->packet);
    assert_true(len > 0);
    return (size_t)len;
}

static struct helper_message hear(struct fixture *f, unsigned place)
{
    struct helper_message m;
    size_t len = receive(f, place);
    assert_true(uplink_channel_is_told(f->packet));
    assert_int_equal(uplink_channel_read(f->packet, len, &m), 0);
    return m;
}

static void tell(struct fixture *f, unsigned place, enum helper_kind kind, unsigned code)
{
    const struct helper_message m = {.kind = kind, .number = code};
    assert_int_equal(uplink_channel_tell(f->helper[place], &m), 0);
}

static void say(struct fixture *f, unsigned place, const struct uplink_message *m)
{
    static uint8_t bytes[UPLINK_MESSAGE_MAX];
    size_t len;
    assert_int_equal(uplink_message_encode(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(uplink_channel_send(f->helper[place], &(struct iovec){bytes, len}, 1), 0);
}

static void expect_connect(struct fixture *f, unsigned place, const char *url)
{
    struct helper_message m = hear(f, place);
    assert_int_equal(m.kind, HELPER_UPLINK_CONNECT);
    assert_string_equal(m.text, url);
}

static void go_up(struct fixture *f, unsigned place)
{
    static const uint8_t challenge[UPLINK_CHALLENGE_LEN] = "as good as random";
    unsigned ups = f->ups;
    tell(f, place, HELPER_UPLINK_OPEN, 0);
    say(f, place,
        &(struct uplink_message){.kind = UPLINK_CHALLENGE, .challenge = {challenge, sizeof(challenge)}});
    (void)receive(f, place); /* the proof */
    say(f, place,
        &(struct uplink_message){.kind = UPLINK_WELCOME,
                                 .observed = {.family = 4, .ip = {203, 0, 113, 7}, .port = 9},
                                 .streams = 2,
                                 .pairs = 8,
                                 .credit = UPLINK_WINDOW});
    wait_for(f, f->ups == ups + 1);
}

/* ---- a node ---- */

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct streams_events streams = {0};
    log_set_level(LOG_LEVEL_ERROR);
    *state = f;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    assert_int_equal(identity_generate(&f->me), 0);
    assert_int_equal(streams_new(&f->loop, 0, &streams, &f->streams), 0);
    const struct helper_client_config client = {&f->loop, "names"};
    int end;
    assert_int_equal(helper_channel_open(&end, &f->name_end), 0);
    assert_int_equal(helper_client_new(&client, end, &f->name_helper), 0);
    assert_int_equal(name_client_new(f->name_helper, &f->names), 0);
    struct backbones_config config = {
        .loop = &f->loop,
        .count = 1,
        .place_count = UPLINKS_MAX,
        .names = f->names,
        .me = f->me,
        .streams = f->streams,
        .ways = &no_ways,
        .workers = 1,
        .events = {.uplink = on_uplink, .paired = on_paired, .relayed = on_relayed, .context = f}};
    for (unsigned i = 0; i < PLACES; i++) {
        config.places[1 + i].proxy = &none;
        assert_int_equal(uplink_channel_open(&config.places[1 + i].uplink, &f->helper[i]), 0);
        tell(f, i, HELPER_UPLINK_READY, 0);
    }
    assert_int_equal(visits_new(&config, &f->visits), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    visits_close(f->visits);
    streams_close_all(f->streams);
    name_client_free(f->names);
    helper_client_close(f->name_helper);
    close(f->name_end);
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    identity_free(f->me);
    for (unsigned i = 0; i < PLACES; i++)
        close(f->helper[i]);
    free(f);
    return 0;
}

/* Several turns of the loop, in which what may not happen would. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 10; i++)
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* ---- what holds ---- */

static void nobody_is_visited_unasked_and_each_place_once(void **state)
{
    struct fixture *f = *state;
    settle(f);
    assert_false(has_packet(f, 0) || has_packet(f, 1) || has_packet(f, 2));
    visits_want(f->visits, &other, "http://192.0.2.1:8080");
    visits_want(f->visits, &other, "HTTP://192.0.2.1:8080");
    expect_connect(f, 0, "http://192.0.2.1:8080");
    assert_string_equal(visits_url(f->visits, 1), "http://192.0.2.1:8080");
    settle(f);
    assert_false(has_packet(f, 1));
}

static void there_are_as_many_visits_as_places_are_left(void **state)
{
    struct fixture *f = *state;
    char url[64];
    for (unsigned i = 0; i < 10; i++) {
        snprintf(url, sizeof(url), "http://192.0.2.%u", i);
        visits_want(f->visits, &other, url);
    }
    for (unsigned i = 0; i < PLACES; i++) {
        snprintf(url, sizeof(url), "http://192.0.2.%u", i);
        expect_connect(f, i, url);
    }
}

static void visit_tells_of_its_uplink_pairs_and_relay_by_its_number(void **state)
{
    struct fixture *f = *state;
    static const uint8_t token[ENVELOPE_TOKEN_LEN];
    visits_want(f->visits, &other, "http://192.0.2.1:8080");
    expect_connect(f, 0, "http://192.0.2.1:8080");
    go_up(f, 0);
    assert_int_equal(f->number, 1);
    say(f, 0, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = true});
    wait_for(f, f->pairs == 1);
    say(f, 0,
        &(struct uplink_message){
            .kind = UPLINK_RELAYED, .id = other, .port = 9, .channel = 5, .token = {token, sizeof(token)}});
    wait_for(f, f->relay.family == 4);
    assert_true(f->relay.port == 9 && f->relay.ip[0] == 192 && f->relay.ip[3] == 1);
}

static void visit_that_serves_nobody_ends(void **state)
{
    struct fixture *f = *state;
    visits_want(f->visits, &other, "http://192.0.2.1:8080");
    expect_connect(f, 0, "http://192.0.2.1:8080");
    go_up(f, 0);
    say(f, 0, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = true});
    wait_for(f, f->pairs == 1);
    assert_true(visits_look(f->visits, clock_monotonic_us() + VISITS_IDLE_US));
    say(f, 0, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other});
    while (visits_look(f->visits, clock_monotonic_us() + VISITS_IDLE_US))
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(hear(f, 0).kind, HELPER_UPLINK_LEAVE);
    assert_int_equal(f->downs, 1);
    tell(f, 0, HELPER_UPLINK_CLOSED, 0);
    settle(f);
    assert_false(has_packet(f, 0)); /* it stays away */
}

static void visit_where_we_are_at_home_ends(void **state)
{
    struct fixture *f = *state;
    visits_want(f->visits, &other, "http://192.0.2.1:8080");
    expect_connect(f, 0, "http://192.0.2.1:8080");
    go_up(f, 0);
    tell(f, 0, HELPER_UPLINK_CLOSED, UPLINK_CLOSE_REPLACED);
    wait_for(f, visits_url(f->visits, 1)[0] == '\0');
    visits_want(f->visits, &other, "http://192.0.2.2:8080");
    expect_connect(f, 0, "http://192.0.2.2:8080");
    visits_leave(f->visits, "http://192.0.2.2:8080");
    assert_int_equal(hear(f, 0).kind, HELPER_UPLINK_LEAVE);
}

/* Each look-up names another place of a victim's, and none is a backbone. */
static void liar_makes_us_knock_a_bounded_number_of_times(void **state)
{
    struct fixture *f = *state;
    unsigned knocks = 0;
    for (unsigned i = 0; i < 100; i++) {
        char url[64];
        snprintf(url, sizeof(url), "http://192.0.2.1:%u", 1000 + i);
        visits_want(f->visits, &other, url);
        if (!visits_url(f->visits, 1)[0])
            continue;
        expect_connect(f, 0, url);
        tell(f, 0, HELPER_UPLINK_CLOSED, 0);
        wait_for(f, visits_url(f->visits, 1)[0] == '\0');
        knocks++;
    }
    assert_true(knocks >= VISITS_KNOCKS && knocks <= VISITS_KNOCKS + 3);
}

int main(void)
{
#define VISITS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        VISITS(nobody_is_visited_unasked_and_each_place_once),
        VISITS(there_are_as_many_visits_as_places_are_left),
        VISITS(visit_tells_of_its_uplink_pairs_and_relay_by_its_number),
        VISITS(visit_that_serves_nobody_ends),
        VISITS(visit_where_we_are_at_home_ends),
        VISITS(liar_makes_us_knock_a_bounded_number_of_times),
    };
    return cmocka_run_group_tests_name("visits", tests, NULL, NULL);
}
