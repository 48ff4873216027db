/* SPDX-License-Identifier: Apache-2.0 */
/* node/uplink: a node's uplink whose helper and backbone are this test: the proof, streams and their credit, pairs, and what
 * becomes of it all when it is lost or the backbone lies. */

#include "node/carrier/streams.h"
#include "node/helper/uplink_channel.h"
#include "node/uplink/uplink.h"
#include "node/uplink/uplink_retry.h"
#include "node/uplink/uplink_streams.h"
#include "node/uplink/uplink_ways.h"

#include "base/clock.h"
#include "base/log.h"

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
#define WORKERS  2

struct fixture {
    uv_loop_t loop;
    uv_timer_t bound;
    unsigned ticks;
    bool timed_out;
    struct identity *me;
    struct streams *streams;
    struct uplink *uplink;
    int helper; /* the helper's end */
    uint8_t packet[UPLINK_MESSAGE_MAX];
    size_t len;
    /* what was told */
    unsigned ups, downs, pairs, accepted, connected, closed;
    bool paired, refuses;
    uint64_t dropped;
    struct target from;
    uint64_t closed_conn;
    char reason[128];
    size_t bytes;
    uint8_t first;
    bool knows;     /* where the backbone is */
    uint32_t up_by; /* the interface that it came up by last */
    struct ways ways;
    unsigned failed, failed_code;
    bool was_up; /* what failed last */
};

static const struct node_id other = {{7, 7, 7}};

/* ---- what the node is told ---- */

static unsigned on_addresses(void *context, const struct addr **out)
{
    static const struct addr at = {.family = 4, .ip = {192, 0, 2, 1}};
    *out = &at;
    return ((struct fixture *)context)->knows;
}

static bool on_reachable(void *context)
{
    (void)context;
    return true;
}

static void on_failed(void *context, bool was_up, unsigned code)
{
    struct fixture *f = context;
    f->failed++;
    f->was_up = was_up;
    f->failed_code = code;
}

static void on_state(void *context, bool up, uint32_t interface)
{
    struct fixture *f = context;
    f->up_by = interface;
    f->ups += up;
    f->downs += !up;
}

static void on_paired(void *context, const struct node_id *id, bool on)
{
    struct fixture *f = context;
    assert_int_equal(id_compare(id, &other), 0);
    f->pairs++;
    f->paired = on;
}

static void on_dropped(void *context, uint64_t batches)
{
    ((struct fixture *)context)->dropped += batches;
}

static uint64_t on_accepted(void *context, const struct target *from)
{
    struct fixture *f = context;
    f->from = *from;
    f->accepted++;
    return f->refuses ? 0 : 1000 + f->accepted;
}

static void on_connected(void *context, uint64_t conn)
{
    (void)conn;
    ((struct fixture *)context)->connected++;
}

static void on_bytes(void *context, uint64_t conn, const uint8_t *data, size_t len)
{
    struct fixture *f = context;
    (void)conn;
    f->first = data[0];
    f->bytes += len;
}

static void on_closed(void *context, uint64_t conn, const char *reason)
{
    struct fixture *f = context;
    f->closed++;
    f->closed_conn = conn;
    snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static void on_dial(void *context, uint64_t conn, const struct target *to)
{
    uplink_dial(((struct fixture *)context)->uplink, conn, to);
}

/* ---- the helper and the backbone ---- */

/* The loop waits no longer than a tick: what a timer told in the same turn is seen then. */
static void on_bound(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    f->timed_out = ++f->ticks > BOUND_MS / TICK_MS;
}

static void start_bound(struct fixture *f)
{
    f->ticks = 0;
    f->timed_out = false;
    uv_timer_start(&f->bound, on_bound, TICK_MS, TICK_MS);
}

/* Runs the loop until *counter is at least wanted. */
static void run_until(struct fixture *f, const unsigned *counter, unsigned wanted)
{
    start_bound(f);
    while (*counter < wanted && !f->timed_out)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->bound);
    assert_int_equal(*counter, wanted);
}

static bool has_packet(const struct fixture *f)
{
    struct pollfd p = {.fd = f->helper, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void receive(struct fixture *f)
{
    start_bound(f);
    while (!has_packet(f) && !f->timed_out)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->bound);
    ssize_t len = uplink_channel_receive(f->helper, f->packet);
    assert_true(len > 0);
    f->len = (size_t)len;
}

static struct helper_message hear(struct fixture *f)
{
    struct helper_message m;
    receive(f);
    assert_true(uplink_channel_is_told(f->packet));
    assert_int_equal(uplink_channel_read(f->packet, f->len, &m), 0);
    return m;
}

/* The next message for the backbone. */
static struct uplink_message read_message(struct fixture *f)
{
    struct uplink_message m;
    receive(f);
    assert_false(uplink_channel_is_told(f->packet));
    assert_int_equal(uplink_message_decode(f->packet, f->len, UPLINK_NODE, &m), 0);
    return m;
}

static void tell(struct fixture *f, enum helper_kind kind, unsigned code, const char *why)
{
    struct helper_message m = {.kind = kind, .number = code};
    helper_message_set_text(&m, why);
    assert_int_equal(uplink_channel_tell(f->helper, &m), 0);
}

static void say(struct fixture *f, const struct uplink_message *m)
{
    static uint8_t bytes[UPLINK_MESSAGE_MAX];
    size_t len;
    assert_int_equal(uplink_message_encode(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(uplink_channel_send(f->helper, &(struct iovec){bytes, len}, 1), 0);
}

static void say_data(struct fixture *f, uint32_t stream, size_t len)
{
    static const uint8_t data[UPLINK_DATA_MAX] = {'h'};
    say(f, &(struct uplink_message){.kind = UPLINK_DATA, .stream = stream, .data = {data, len}});
}

static const uint8_t challenge[UPLINK_CHALLENGE_LEN] = "as good as random";

static void challenge_it(struct fixture *f)
{
    tell(f, HELPER_UPLINK_OPEN, 0, "");
    say(f, &(struct uplink_message){.kind = UPLINK_CHALLENGE, .challenge = {challenge, sizeof(challenge)}});
}

static void welcome(struct fixture *f)
{
    say(f, &(struct uplink_message){.kind = UPLINK_WELCOME,
                                    .observed = {.family = 4, .ip = {203, 0, 113, 7}, .port = 9},
                                    .streams = 2,
                                    .pairs = 8,
                                    .credit = UPLINK_WINDOW});
    run_until(f, &f->ups, f->downs + 1);
}

static void go_up(struct fixture *f)
{
    challenge_it(f);
    assert_int_equal(read_message(f).kind, UPLINK_PROVE);
    welcome(f);
}

/* ---- a node ---- */

static int setup_knowing(void **state, bool knows)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct streams_events events = {on_accepted, on_connected, on_bytes, on_closed, f};
    struct uplink_config config = {.loop = &f->loop,
                                   .url = "http://Backbone.example:8080/prefix",
                                   .workers = WORKERS,
                                   .addresses = on_addresses,
                                   .reachable = on_reachable,
                                   .state = on_state,
                                   .failed = on_failed,
                                   .paired = on_paired,
                                   .dropped = on_dropped,
                                   .ways = &f->ways,
                                   .context = f};
    *state = f;
    log_set_level(LOG_LEVEL_ERROR);
    f->knows = knows;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->bound);
    f->bound.data = f;
    assert_int_equal(identity_generate(&f->me), 0);
    assert_int_equal(streams_new(&f->loop, 0, &events, &f->streams), 0);
    assert_int_equal(uplink_channel_open(&config.fd, &f->helper), 0);
    config.me = f->me;
    config.streams = f->streams;
    assert_int_equal(uplink_new(&config, &f->uplink), 0);
    streams_add_uplink(f->streams, 0, &(struct streams_uplink){on_dial, f});
    tell(f, HELPER_UPLINK_READY, 0, "");
    return 0;
}

static int setup_unknowing(void **state)
{
    return setup_knowing(state, false);
}

static int setup(void **state)
{
    (void)setup_knowing(state, true);
    struct helper_message m = hear(*state);
    assert_true(m.kind == HELPER_UPLINK_CONNECT && m.number == WORKERS);
    assert_true(m.address_count == 1 && m.addresses[0].ip[3] == 1);
    return 0;
}

static int setup_up(void **state)
{
    (void)setup(state);
    go_up(*state);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uplink_close(f->uplink);
    streams_close_all(f->streams);
    uv_close((uv_handle_t *)&f->bound, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    identity_free(f->me);
    close(f->helper);
    free(f);
    return 0;
}

static const char *state_of(const struct fixture *f)
{
    return uplink_status(f->uplink).state;
}

static void dial(struct fixture *f, uint64_t conn)
{
    const struct target to = target_uplink(0, &other);
    streams_dial(f->streams, conn, &to);
}

/* ---- the proof ---- */

static void node_proves_its_id_to_the_host_that_it_was_given(void **state)
{
    struct fixture *f = *state;
    uint8_t text[UPLINK_PROOF_MAX];
    challenge_it(f);
    struct uplink_message m = read_message(f);
    assert_int_equal(m.kind, UPLINK_PROVE);
    assert_int_equal(m.host.len, 21);
    assert_memory_equal(m.host.data, "backbone.example:8080", 21);
    size_t len = uplink_proof(challenge, m.host, text);
    assert_int_equal(identity_verify(m.spki.data, m.spki.len, UPLINK_PROOF_CONTEXT, text, len,
                                     m.signature.data, m.signature.len),
                     0);
    assert_memory_equal(m.spki.data, identity_spki(f->me), m.spki.len);
    assert_string_equal(state_of(f), "proving");
    assert_int_equal(f->ups, 0);
    welcome(f);
    assert_string_equal(state_of(f), "up");
}

static void welcome_without_a_challenge_is_against_the_rules(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_OPEN, 0, "");
    say(f, &(struct uplink_message){
               .kind = UPLINK_WELCOME, .observed = {.family = 4}, .streams = 1, .pairs = 1, .credit = 1});
    struct helper_message m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_LEAVE && m.number == UPLINK_CLOSE_MALFORMED);
    assert_int_equal(f->ups, 0);
    tell(f, HELPER_UPLINK_CLOSED, 0, "the node left it");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    assert_string_equal(uplink_status(f->uplink).error, "the backbone broke the rules of an uplink");
}

static void name_that_is_not_looked_up_yet_is_waited_for(void **state)
{
    struct fixture *f = *state;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_false(has_packet(f));
    f->knows = true;
    uplink_hurry(f->uplink);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
}

static void failure_is_told_and_tried_again(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_CLOSED, 0, "Connection refused");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    assert_string_equal(uplink_status(f->uplink).error, "Connection refused");
    assert_true(f->ups == 0 && f->downs == 0);
    go_up(f);
    assert_string_equal(uplink_status(f->uplink).error, "");
}

static void signature_that_comes_after_the_connection_is_for_nobody(void **state)
{
    struct fixture *f = *state;
    challenge_it(f);
    tell(f, HELPER_UPLINK_CLOSED, 0, "the connection broke off");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    go_up(f);
}

static void uplink_that_is_lost_is_made_anew(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_CLOSED, 0, "the connection broke off");
    run_until(f, &f->downs, 1);
    assert_string_equal(state_of(f), "down");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    go_up(f);
    assert_int_equal(f->ups, 2);
}

static void helper_that_was_started_anew_connects_at_once(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_READY, 0, "");
    run_until(f, &f->downs, 1);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    go_up(f);
}

#define ANOTHER "http://b2.example:8080"

static void loss_and_its_code_are_told_but_no_leave_of_ours(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_CLOSED, UPLINK_CLOSE_RESTARTING, "it restarts");
    run_until(f, &f->failed, 1);
    assert_true(f->was_up && f->failed_code == UPLINK_CLOSE_RESTARTING);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    tell(f, HELPER_UPLINK_CLOSED, 0, "Connection refused");
    run_until(f, &f->failed, 2);
    assert_false(f->was_up);
    uplink_move(f->uplink, ANOTHER);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    uplink_move(f->uplink, "");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_LEAVE);
    tell(f, HELPER_UPLINK_CLOSED, 0, "the node left it");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    assert_int_equal(f->failed, 2);
}

static void uplink_goes_to_another_instance_without_a_wait(void **state)
{
    struct fixture *f = *state;
    uplink_move(f->uplink, ANOTHER);
    struct helper_message m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_LEAVE && m.number == UPLINK_CLOSE_NORMAL);
    assert_int_equal(f->downs, 1);
    uint64_t before = uv_now(&f->loop);
    tell(f, HELPER_UPLINK_CLOSED, 0, "the node left it");
    m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_CONNECT && uv_now(&f->loop) - before < 500);
    assert_string_equal(m.text, ANOTHER);
    challenge_it(f);
    struct uplink_message proof = read_message(f);
    assert_memory_equal(proof.host.data, "b2.example:8080", proof.host.len);
    welcome(f);
    assert_int_equal(f->ups, 2);
}

static void change_of_the_network_is_a_reason_to_check_and_no_wait_follows(void **state)
{
    struct fixture *f = *state;
    uplink_network_changed(f->uplink);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CHECK);
    tell(f, HELPER_UPLINK_CLOSED, 0, "the backbone does not answer any more");
    run_until(f, &f->downs, 1);
    uint64_t before = uv_now(&f->loop);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    assert_true(uv_now(&f->loop) - before < 500);
}

static void lost_batches_are_counted(void **state)
{
    struct fixture *f = *state;
    tell(f, HELPER_UPLINK_DROPPED, 17, "");
    while (!f->dropped)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->dropped, 17);
}

static void waits_grow_and_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(uplink_retry_us(0, 0), 750000);
    assert_int_equal(uplink_retry_us(0, UINT32_MAX), 1250000);
    assert_int_equal(uplink_retry_us(3, 0), 6 * USEC_PER_SEC);
    assert_int_equal(uplink_retry_us(5, UINT32_MAX), 37500000);
    assert_int_equal(uplink_retry_us(UINT32_MAX, 0), 22500000);
    assert_int_equal(uplink_retry_asked_us(5000, 0), 5 * USEC_PER_SEC);
    assert_int_equal(uplink_retry_asked_us(UINT32_MAX, UINT32_MAX), 120 * USEC_PER_SEC);
    assert_true(uplink_retry_replaced_us(0) == 30 * USEC_PER_SEC &&
                uplink_retry_replaced_us(UINT32_MAX) == 60 * USEC_PER_SEC);
}

/* ---- streams ---- */

static void stream_carries_bytes_both_ways_and_ends(void **state)
{
    struct fixture *f = *state;
    dial(f, 42);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_OPEN && m.stream == 1 && id_compare(&m.id, &other) == 0);
    assert_int_equal(f->connected, 0);
    run_until(f, &f->connected, 1);
    streams_send(f->streams, 42, (const uint8_t *)"hello", 5);
    m = read_message(f);
    assert_true(m.kind == UPLINK_DATA && m.stream == 1 && m.data.len == 5 &&
                memcmp(m.data.data, "hello", 5) == 0);
    say_data(f, 1, 100);
    while (f->bytes < 100)
        uv_run(&f->loop, UV_RUN_ONCE);
    say(f, &(struct uplink_message){.kind = UPLINK_CLOSE, .stream = 1, .code = UPLINK_END_ABSENT});
    run_until(f, &f->closed, 1);
    assert_string_equal(f->reason, "it has no uplink there");
    assert_int_equal(f->closed_conn, 42);
    assert_int_equal(read_message(f).kind, UPLINK_CLOSE);
}

static void only_what_was_granted_is_sent(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[40000];
    size_t sent = 0;
    dial(f, 42);
    assert_int_equal(read_message(f).kind, UPLINK_OPEN);
    streams_send(f->streams, 42, data, sizeof(data));
    while (has_packet(f))
        sent += read_message(f).data.len;
    assert_int_equal(sent, UPLINK_WINDOW);
    say(f, &(struct uplink_message){.kind = UPLINK_CREDIT, .stream = 1, .credit = 1000});
    assert_int_equal(read_message(f).data.len, 1000);
    streams_close(f->streams, 42); /* the rest has a second */
    assert_false(has_packet(f));
    say(f, &(struct uplink_message){.kind = UPLINK_CREDIT, .stream = 1, .credit = 100000});
    for (sent += 1000; sent < sizeof(data);)
        sent += read_message(f).data.len;
    assert_int_equal(read_message(f).kind, UPLINK_CLOSE);
    assert_int_equal(f->closed, 0);
}

static void peer_that_does_not_read_loses_the_stream(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[UPLINK_WINDOW];
    dial(f, 42);
    for (unsigned i = 0; i <= 1 + UPLINK_STREAM_QUEUE / sizeof(data); i++)
        streams_send(f->streams, 42, data, sizeof(data));
    assert_int_equal(f->closed, 0);
    run_until(f, &f->closed, 1);
    assert_string_equal(f->reason, "the peer does not read");
}

static void what_was_read_is_granted_anew(void **state)
{
    struct fixture *f = *state;
    dial(f, 42);
    assert_int_equal(read_message(f).kind, UPLINK_OPEN);
    say_data(f, 1, UPLINK_WINDOW / 2 - 1);
    say_data(f, 1, 1);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_CREDIT && m.credit == UPLINK_WINDOW / 2);
}

static void more_than_was_granted_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    f->refuses = false;
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2, .id = other});
    run_until(f, &f->accepted, 1);
    assert_true(f->from.kind == TARGET_UPLINK && id_compare(&f->from.id, &other) == 0);
    say(f, &(struct uplink_message){.kind = UPLINK_CREDIT, .stream = 2, .credit = 2 << 20});
    run_until(f, &f->closed, 1);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_CLOSE && m.code == UPLINK_END_RULES);
}

static void stranger_is_refused_without_a_byte(void **state)
{
    struct fixture *f = *state;
    f->refuses = true;
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2, .id = other});
    say_data(f, 2, 500);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_CLOSE && m.stream == 2 && m.code == UPLINK_END_REFUSED);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(f->bytes == 0 && f->closed == 0);
}

static void streams_beyond_the_bound_are_refused(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 1; i <= 3; i++)
        say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2 * i, .id = other});
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_CLOSE && m.stream == 6 && m.code == UPLINK_END_TOO_MANY);
    assert_int_equal(f->accepted, 2);
    for (uint64_t conn = 1; conn <= 3; conn++)
        dial(f, conn);
    run_until(f, &f->closed, 1);
    assert_true(f->closed_conn == 3 && strcmp(f->reason, "too many streams at once") == 0);
}

static void backbone_that_opens_our_numbers_or_its_own_twice_is_left(void **state)
{
    struct fixture *f = *state;
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2, .id = other});
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2, .id = other});
    assert_int_equal(hear(f).kind, HELPER_UPLINK_LEAVE);
    assert_true(f->downs == 1 && f->closed == 1);
    assert_string_equal(f->reason, "our uplink was lost");
    tell(f, HELPER_UPLINK_CLOSED, 0, "");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    go_up(f);
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 3, .id = other});
    assert_int_equal(hear(f).kind, HELPER_UPLINK_LEAVE);
}

static void what_comes_for_streams_that_are_gone_is_skipped(void **state)
{
    struct fixture *f = *state;
    dial(f, 42);
    assert_int_equal(read_message(f).kind, UPLINK_OPEN);
    streams_close(f->streams, 42);
    assert_int_equal(read_message(f).kind, UPLINK_CLOSE);
    say_data(f, 1, 1000);
    say(f, &(struct uplink_message){.kind = UPLINK_CREDIT, .stream = 1, .credit = 1000});
    say(f, &(struct uplink_message){.kind = UPLINK_CLOSE, .stream = 1});
    say(f, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = true});
    run_until(f, &f->pairs, 1);
    assert_false(has_packet(f));
    assert_true(f->bytes == 0 && f->closed == 0 && strcmp(state_of(f), "up") == 0);
}

static void streams_end_with_the_uplink_and_none_is_opened_without(void **state)
{
    struct fixture *f = *state;
    dial(f, 42);
    assert_int_equal(read_message(f).kind, UPLINK_OPEN);
    tell(f, HELPER_UPLINK_CLOSED, 0, "gone");
    run_until(f, &f->closed, 1);
    assert_string_equal(f->reason, "our uplink was lost");
    dial(f, 43);
    assert_int_equal(f->closed, 1);
    run_until(f, &f->closed, 2);
    assert_string_equal(f->reason, "there is no uplink");
}

static void aborted_stream_is_refused(void **state)
{
    struct fixture *f = *state;
    say(f, &(struct uplink_message){.kind = UPLINK_OPEN, .stream = 2, .id = other});
    run_until(f, &f->accepted, 1);
    streams_abort(f->streams, 1001);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_CLOSE && m.code == UPLINK_END_REFUSED);
}

/* ---- ways out ---- */

#define STANDBY 3 /* an interface */

static void have_standby(struct fixture *f)
{
    ways_add(&f->ways, 2, 4, WAY_CHOSEN);
    ways_add(&f->ways, STANDBY, 4, WAY_STANDBY);
}

static void hears_connect(struct fixture *f, uint32_t interface)
{
    struct helper_message m = hear(f);
    assert_int_equal(m.kind, HELPER_UPLINK_CONNECT);
    assert_int_equal(m.interface, interface);
}

/* It was up by the kernel's choice, and is by a standby. */
static void move_to_standby(struct fixture *f)
{
    have_standby(f);
    uint64_t before = uv_now(&f->loop);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_SILENT, "the backbone does not answer any more");
    hears_connect(f, STANDBY);
    assert_true(uv_now(&f->loop) - before < 500);
    go_up(f);
    assert_int_equal(f->up_by, STANDBY);
    assert_int_equal(uplink_status(f->uplink).interface, STANDBY);
}

static void uplink_that_falls_silent_goes_on_by_a_standby(void **state)
{
    struct fixture *f = *state;
    move_to_standby(f);
    assert_int_equal(f->failed, 0);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_SILENT, "the backbone does not answer any more");
    hears_connect(f, 0);
    go_up(f);
    assert_int_equal(f->up_by, 0);
}

/* A backbone that is restarted says so, or refuses us: by another way it would do the same. */
static void uplink_that_is_refused_stays_with_its_way(void **state)
{
    struct fixture *f = *state;
    have_standby(f);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_BROKEN, "the connection broke off");
    hears_connect(f, 0);
    tell(f, HELPER_UPLINK_CLOSED, UPLINK_CLOSE_FULL, "too many");
    hears_connect(f, 0);
    assert_int_equal(f->failed, 2);
}

/* It is told once, when no way leads there, and the next round begins later. */
static void round_without_success_is_one_failure(void **state)
{
    struct fixture *f = *state;
    have_standby(f);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_SILENT, "the backbone does not answer any more");
    hears_connect(f, STANDBY);
    assert_int_equal(f->failed, 0);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_SILENT, "no connection within 3 s");
    run_until(f, &f->failed, 1);
    assert_true(f->was_up);
    hears_connect(f, 0);
}

static void attempt_that_takes_long_makes_room_for_another_way(void **state)
{
    struct fixture *f = *state;
    have_standby(f);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_BROKEN, "the connection broke off");
    hears_connect(f, 0);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_LEAVE);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_BROKEN, "the node left it");
    hears_connect(f, STANDBY);
    go_up(f);
    assert_int_equal(f->failed, 1); /* the loss, before another way was tried */
}

static void uplink_returns_and_goes_on_by_the_standby_if_that_fails(void **state)
{
    struct fixture *f = *state;
    move_to_standby(f);
    uint64_t now_us = clock_monotonic_us();
    uplink_heard(f->uplink, 0, true, now_us);
    assert_string_equal(state_of(f), "up");
    uplink_heard(f->uplink, 0, true, now_us + UPLINK_WAYS_RETURN_US);
    struct helper_message m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_LEAVE && m.number == UPLINK_CLOSE_NORMAL);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_BROKEN, "the node left it");
    hears_connect(f, 0);
    tell(f, HELPER_UPLINK_CLOSED, HELPER_END_BROKEN, "it keeps no uplinks"); /* who answers requests, there */
    hears_connect(f, STANDBY);
    go_up(f);
    assert_int_equal(f->failed, 0);
}

/* ---- pairs, and lies ---- */

static void pairs_are_asked_for_and_told(void **state)
{
    struct fixture *f = *state;
    uplink_pair(f->uplink, &other, true);
    struct uplink_message m = read_message(f);
    assert_true(m.kind == UPLINK_PAIR && m.on && id_compare(&m.id, &other) == 0);
    say(f, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = true});
    run_until(f, &f->pairs, 1);
    assert_true(f->paired);
    say(f, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = false});
    run_until(f, &f->pairs, 2);
    assert_false(f->paired);
}

static void pairs_wait_for_a_helper_that_is_slow(void **state)
{
    struct fixture *f = *state;
    const unsigned count = 40000;
    for (unsigned i = 0; i < count; i++)
        uplink_pair(f->uplink, &other, i & 1);
    for (unsigned i = 0; i < count; i++) {
        struct uplink_message m = read_message(f);
        assert_true(m.kind == UPLINK_PAIR && m.on == (i & 1));
    }
}

static void malformed_message_ends_the_uplink(void **state)
{
    struct fixture *f = *state;
    static const uint8_t paired_cut[] = {UPLINK_PAIRED, 1, 2, 3}, later[] = {99, 1, 2, 3};
    assert_int_equal(uplink_channel_send(f->helper, &(struct iovec){(void *)later, sizeof(later)}, 1), 0);
    say(f, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = true});
    run_until(f, &f->pairs, 1);
    assert_int_equal(
        uplink_channel_send(f->helper, &(struct iovec){(void *)paired_cut, sizeof(paired_cut)}, 1), 0);
    struct helper_message m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_LEAVE && m.number == UPLINK_CLOSE_MALFORMED);
    say(f, &(struct uplink_message){.kind = UPLINK_PAIRED, .id = other, .on = false});
    tell(f, HELPER_UPLINK_CLOSED, 0, "");
    assert_int_equal(hear(f).kind, HELPER_UPLINK_CONNECT);
    assert_true(f->paired && f->pairs == 1);
}

#define WITH(fixture, test) cmocka_unit_test_setup_teardown(test, fixture, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup, node_proves_its_id_to_the_host_that_it_was_given),
        WITH(setup, welcome_without_a_challenge_is_against_the_rules),
        WITH(setup_unknowing, name_that_is_not_looked_up_yet_is_waited_for),
        WITH(setup, failure_is_told_and_tried_again),
        WITH(setup_up, loss_and_its_code_are_told_but_no_leave_of_ours),
        WITH(setup_up, uplink_goes_to_another_instance_without_a_wait),
        WITH(setup, signature_that_comes_after_the_connection_is_for_nobody),
        WITH(setup_up, uplink_that_is_lost_is_made_anew),
        WITH(setup_up, helper_that_was_started_anew_connects_at_once),
        WITH(setup_up, change_of_the_network_is_a_reason_to_check_and_no_wait_follows),
        WITH(setup_up, lost_batches_are_counted),
        cmocka_unit_test(waits_grow_and_are_bounded),
        WITH(setup_up, stream_carries_bytes_both_ways_and_ends),
        WITH(setup_up, only_what_was_granted_is_sent),
        WITH(setup_up, peer_that_does_not_read_loses_the_stream),
        WITH(setup_up, what_was_read_is_granted_anew),
        WITH(setup_up, more_than_was_granted_ends_the_stream),
        WITH(setup_up, stranger_is_refused_without_a_byte),
        WITH(setup_up, streams_beyond_the_bound_are_refused),
        WITH(setup_up, backbone_that_opens_our_numbers_or_its_own_twice_is_left),
        WITH(setup_up, what_comes_for_streams_that_are_gone_is_skipped),
        WITH(setup_up, streams_end_with_the_uplink_and_none_is_opened_without),
        WITH(setup_up, aborted_stream_is_refused),
        WITH(setup_up, uplink_that_falls_silent_goes_on_by_a_standby),
        WITH(setup_up, uplink_that_is_refused_stays_with_its_way),
        WITH(setup_up, round_without_success_is_one_failure),
        WITH(setup_up, attempt_that_takes_long_makes_room_for_another_way),
        WITH(setup_up, uplink_returns_and_goes_on_by_the_standby_if_that_fails),
        WITH(setup_up, pairs_are_asked_for_and_told),
        WITH(setup_up, pairs_wait_for_a_helper_that_is_slow),
        WITH(setup_up, malformed_message_ends_the_uplink),
    };
    return cmocka_run_group_tests_name("uplink", tests, NULL, NULL);
}
