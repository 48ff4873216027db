/* SPDX-License-Identifier: Apache-2.0 */
/* A network check and the watch over NATs, on a loop with a STUN server and helpers that this test plays. Waits are for what
 * happens, with a bound. */
#include "node/netcheck/nat_watch.h"
#include "node/netcheck/netcheck.h"

#include "base/clock.h"
#include "node/config/proxy.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_client.h"
#include "node/helper/name_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BOUND_MS 8000

struct fixture {
    uv_loop_t loop;
    uv_timer_t bound;
    bool timed_out;
    /* The server; silent answers nothing. */
    struct udp_socket stun;
    struct udp_batch *batch;
    uv_poll_t stun_poll, names_poll, backbone_poll;
    bool silent, nobody, down;
    unsigned requests;
    /* The helpers' ends. */
    int names_end, backbone_end;
    struct helper_client *names, *backbone;
    struct name_client *name_client;
    struct config config;
    struct netcheck *check;
    json_t *result;
    struct nat_watch watch;
    unsigned watched;
};

static const struct addr localhost = {.family = 4, .ip = {127, 0, 0, 1}};

static void on_stun(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct fixture *f = poll->data;
    struct udp_message list[UDP_BATCH];
    uint64_t overflow = 0;
    int count = udp_receive(&f->stun, f->batch, list, &overflow);
    for (int i = 0; i < count; i++) {
        const struct udp_message *m = &list[i];
        for (size_t at = 0; at < m->len; at += m->segment) {
            uint8_t transaction[STUN_TRANSACTION_LEN], out[STUN_MESSAGE_MAX];
            size_t len = m->len - at < m->segment ? m->len - at : m->segment;
            struct udp_remote to;
            f->requests++;
            if (f->silent || stun_request_decode(m->data + at, len, transaction))
                continue;
            size_t answer = stun_response_encode(transaction, &m->from, out);
            udp_remote_init(&f->stun, &(struct addr){0}, &m->from, &to);
            assert_int_equal(udp_send(&f->stun, &to, out, answer, answer, 0), 0);
        }
    }
}

static void on_names(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct fixture *f = poll->data;
    static struct helper_packet packet;
    if (helper_channel_receive(f->names_end, &packet))
        return;
    struct helper_message answer = {.kind = HELPER_NAME, .token = packet.message.token};
    if (f->nobody)
        helper_message_set_text(&answer, "no such name");
    else
        answer.addresses[answer.address_count++] = localhost;
    assert_int_equal(helper_channel_send(f->names_end, &answer), 0);
}

static void on_backbone(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct fixture *f = poll->data;
    static struct helper_packet packet;
    if (helper_channel_receive(f->backbone_end, &packet))
        return;
    struct helper_message answer = {.kind = HELPER_BACKBONE, .token = packet.message.token};
    assert_int_equal(packet.message.kind, HELPER_ASK_INFO);
    if (f->down) {
        answer.verdict = BACKBONE_UNREACHABLE;
        helper_message_set_text(&answer, "connection refused");
    } else {
        answer.addresses[0] = localhost;
        answer.addresses[answer.address_count++].port = f->stun.port;
    }
    assert_int_equal(helper_channel_send(f->backbone_end, &answer), 0);
}

static void open_helper(struct fixture *f, int *end, uv_poll_t *poll, uv_poll_cb on,
                        struct helper_client **out)
{
    const struct helper_client_config config = {&f->loop, "played"};
    int node;
    assert_int_equal(helper_channel_open(&node, end), 0);
    assert_int_equal(helper_client_new(&config, node, out), 0);
    assert_int_equal(uv_poll_init(&f->loop, poll, *end), 0);
    poll->data = f;
    uv_poll_start(poll, UV_READABLE, on);
}

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->bound);
    f->bound.data = f;
    assert_int_equal(udp_open(0, 1, &f->stun), 0);
    assert_int_equal(udp_batch_new(&f->batch), 0);
    uv_poll_init(&f->loop, &f->stun_poll, f->stun.fd);
    f->stun_poll.data = f;
    uv_poll_start(&f->stun_poll, UV_READABLE, on_stun);
    open_helper(f, &f->names_end, &f->names_poll, on_names, &f->names);
    open_helper(f, &f->backbone_end, &f->backbone_poll, on_backbone, &f->backbone);
    assert_int_equal(name_client_new(f->names, &f->name_client), 0);
}

static void on_bound(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    f->timed_out = true;
}

static void run_until(struct fixture *f, bool (*done)(const struct fixture *f))
{
    uv_timer_start(&f->bound, on_bound, BOUND_MS, 0);
    while (!done(f) && !f->timed_out)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->bound);
    assert_false(f->timed_out);
}

static void tear_down(struct fixture *f)
{
    name_client_free(f->name_client);
    helper_client_close(f->names);
    helper_client_close(f->backbone);
    uv_close((uv_handle_t *)&f->bound, NULL);
    uv_close((uv_handle_t *)&f->stun_poll, NULL);
    uv_close((uv_handle_t *)&f->names_poll, NULL);
    uv_close((uv_handle_t *)&f->backbone_poll, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    udp_close(&f->stun, 1);
    udp_batch_free(f->batch);
    close(f->names_end);
    close(f->backbone_end);
    json_decref(f->result);
}

static void on_done(void *context, json_t *result)
{
    struct fixture *f = context;
    assert_null(f->result);
    f->result = result;
}

static bool has_result(const struct fixture *f)
{
    return f->result != NULL;
}

static void start(struct fixture *f, const char *backbone, const char *stun)
{
    static const struct proxy none[UPLINKS_MAX];
    f->config.backbone_count = 1;
    snprintf(f->config.backbones[0], sizeof(f->config.backbones[0]), backbone, f->stun.port);
    f->config.stun_count = 1;
    snprintf(f->config.stun[0].name, sizeof(f->config.stun[0].name), "%s", stun);
    f->config.stun[0].port = f->stun.port;
    const struct netcheck_config config = {.loop = &f->loop,
                                           .config = &f->config,
                                           .proxies = none,
                                           .names = f->name_client,
                                           .backbones = f->backbone};
    assert_int_equal(netcheck_start(&config, on_done, f, &f->check), 0);
}

static const json_t *at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_non_null(value);
    return value;
}

static void check_tells_of_backbone_and_server_by_name(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    start(&f, "http://bb.example:%u", "stun.example");
    run_until(&f, has_result);
    const json_t *backbone = json_array_get(at(f.result, "backbones"), 0),
                 *stun = json_array_get(at(f.result, "stun"), 0);
    assert_true(json_is_true(at(f.result, "udp")));
    assert_true(json_is_true(at(backbone, "reachable")));
    assert_true(json_integer_value(at(backbone, "rtt_us")) > 0);
    assert_true(json_is_object(at(backbone, "ipv4")) && json_is_null(at(backbone, "ipv6")));
    assert_string_equal(json_string_value(at(stun, "host")), "stun.example");
    assert_true(json_integer_value(at(at(stun, "ipv4"), "rtt_us")) >= 0);
    assert_int_equal(json_integer_value(at(at(f.result, "ipv4"), "path_size")), 1472);
    assert_true(json_is_null(at(f.result, "proxy")));
    tear_down(&f);
}

static void check_is_over_in_time_where_nobody_answers(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.silent = f.down = f.nobody = true;
    start(&f, "http://127.0.0.1:%u", "no.example");
    run_until(&f, has_result);
    const json_t *backbone = json_array_get(at(f.result, "backbones"), 0),
                 *stun = json_array_get(at(f.result, "stun"), 0);
    assert_false(json_is_true(at(f.result, "udp")));
    assert_string_equal(json_string_value(at(backbone, "error")), "connection refused");
    assert_string_equal(json_string_value(at(stun, "error")), "its name cannot be looked up: no such name");
    assert_in_range(json_integer_value(at(f.result, "took_us")), 1, NETCHECK_US + USEC_PER_SEC);
    tear_down(&f);
}

static void check_that_is_cancelled_tells_nothing_and_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    start(&f, "http://bb.example:%u", "stun.example");
    uv_run(&f.loop, UV_RUN_ONCE);
    netcheck_cancel(f.check);
    tear_down(&f);
    assert_null(f.result);
}

/* ---- the watch ---- */

static unsigned list_servers(void *context, struct addr out[2 * NAT_CHECK_SERVERS_MAX])
{
    const struct fixture *f = context;
    out[0] = localhost;
    out[0].port = f->stun.port;
    return !f->nobody;
}

static void on_found(void *context, unsigned family, const struct nat *nat)
{
    struct fixture *f = context;
    assert_true(family == 4 || family == 6);
    f->watched++;
    if (family == 4 && !f->silent)
        assert_string_equal(nat_filtering_name(nat->filtering), "unknown"); /* the server has one address */
}

static bool has_watched(const struct fixture *f)
{
    return f->watched == 2;
}

static bool is_asked(const struct fixture *f)
{
    return f->requests > 0;
}

static void watch_asks_when_it_is_due_and_no_sooner_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    uint64_t now_us = clock_monotonic_us();
    nat_watch_init(&f.watch, &(struct nat_watch_config){&f.loop, list_servers, on_found, &f}, now_us);
    nat_watch_tick(&f.watch, now_us + NAT_WATCH_AFTER_US - 1);
    assert_false(f.watch.running);
    f.nobody = true;
    nat_watch_tick(&f.watch, now_us + NAT_WATCH_AFTER_US);
    assert_false(f.watch.running);
    f.nobody = false;
    nat_watch_tick(&f.watch, now_us + NAT_WATCH_AFTER_US);
    assert_true(f.watch.running);
    run_until(&f, has_watched);
    nat_watch_changed(&f.watch, now_us + 2 * NAT_WATCH_AFTER_US);
    nat_watch_tick(&f.watch, now_us + NAT_WATCH_PAUSE_US);
    assert_true(f.watch.closed);
    nat_watch_close(&f.watch);
    tear_down(&f);
}

static void watch_gives_up_where_nobody_answers_and_may_be_closed_before(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) {
        struct fixture f;
        set_up(&f);
        f.silent = true;
        uint64_t due_us = clock_monotonic_us();
        nat_watch_init(&f.watch, &(struct nat_watch_config){&f.loop, list_servers, on_found, &f},
                       due_us - NAT_WATCH_AFTER_US);
        nat_watch_tick(&f.watch, due_us);
        run_until(&f, is_asked);
        if (!closed)
            nat_watch_tick(&f.watch, due_us + NAT_WATCH_FOR_US + 1);
        nat_watch_close(&f.watch);
        tear_down(&f);
        assert_int_equal(f.watched, closed ? 0 : 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_tells_of_backbone_and_server_by_name),
        cmocka_unit_test(check_is_over_in_time_where_nobody_answers),
        cmocka_unit_test(check_that_is_cancelled_tells_nothing_and_leaves_nothing),
        cmocka_unit_test(watch_asks_when_it_is_due_and_no_sooner_again),
        cmocka_unit_test(watch_gives_up_where_nobody_answers_and_may_be_closed_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
