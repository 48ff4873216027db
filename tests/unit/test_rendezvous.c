/* SPDX-License-Identifier: Apache-2.0 */
/* The rendezvous against a backbone that this test plays, on the same loop: HTTP requests come from the
 * helper process over loopback. Waits are for what happens, with a bound. */
#include "node/rendezvous/rendezvous.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/helper/helper_client.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/rendezvous/rendezvous_schedule.h"
#include "proto/path/ways.h"
#include "net/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND_MS 8000
#define LOOPBACK 1 /* the interface */

/* ---- the waits ---- */

static void first_minute_retries_within_two_seconds(void **state)
{
    (void)state;
    assert_int_equal(rendezvous_retry_us(1, 0, 0), 250000);
    assert_int_equal(rendezvous_retry_us(2, 0, 0), 500000);
    assert_int_equal(rendezvous_retry_us(3, 0, 0), 1000000);
    for (unsigned failures = 4; failures < 100; failures++)
        assert_int_equal(rendezvous_retry_us(failures, 59 * USEC_PER_SEC, 0), 2000000);
}

static void later_retries_stay_within_fifteen_seconds(void **state)
{
    (void)state;
    assert_int_equal(rendezvous_retry_us(40, 61 * USEC_PER_SEC, 0), 15 * USEC_PER_SEC);
    assert_int_equal(rendezvous_retry_us(UINT32_MAX, UINT64_MAX, 0), 15 * USEC_PER_SEC);
}

static void jitter_takes_a_fifth_at_most(void **state)
{
    uint64_t least = rendezvous_retry_us(40, 61 * USEC_PER_SEC, UINT32_MAX);
    (void)state;
    assert_true(least > 12 * USEC_PER_SEC - 10 && least < 12 * USEC_PER_SEC + 10);
    assert_true(rendezvous_check_us(0) <= 10 * USEC_PER_SEC &&
                rendezvous_check_us(UINT32_MAX) >= 7 * USEC_PER_SEC - 10);
}

static void lookups_are_quick_at_first_and_bounded_in_all(void **state)
{
    (void)state;
    assert_int_equal(rendezvous_lookup_us(0, 1, 0), USEC_PER_SEC);
    assert_int_equal(rendezvous_lookup_us(11 * USEC_PER_SEC, 1, 0), 4 * USEC_PER_SEC);
    assert_int_equal(rendezvous_lookup_us(0, 256, 0), 32 * USEC_PER_SEC);
}

/* ---- a backbone ---- */

enum play { PLAY_WELL, PLAY_REFUSE, PLAY_STALE_SEQ, PLAY_HUGE, PLAY_REDIRECT, PLAY_SILENT, PLAY_NONSENSE };

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t bound;
    bool listening, timed_out;
    uint16_t port;
    enum play play;
    struct connection *connections;
    unsigned registrations, lookups, requests;
    uint64_t stored_seq; /* PLAY_STALE_SEQ: refuse up to here, once */
    struct record registered;
    char *answer; /* to any look-up; NULL for 404 */

    struct identity *me, *other;
    struct helper_client *helper, *name_helper;
    struct name_client *names;
    struct rendezvous *r;
    unsigned found, reached, lost, clocks, tried, failed;
    struct ways ways;
    uint32_t tried_by;  /* the interface, the last time */
    unsigned nonsense;  /* answers that are still to come */
    char instances[64]; /* as they were told */
    unsigned linked;
    char linked_at[64];
    char missing[512]; /* why, of the last one */
    int64_t ahead_s;
    const char *date; /* a header, or empty */
    struct record record;
    struct addr udp;
    char url[64];
};

struct connection {
    uv_tcp_t tcp;
    struct fixture *f;
    struct connection *next;
    size_t len;
    char in[32768];
    char *out;
    uv_write_t write;
};

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    free(c->out);
    free(c);
}

static void drop(struct connection *c)
{
    struct connection **at = &c->f->connections;
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    uv_close((uv_handle_t *)&c->tcp, on_connection_closed);
}

static void on_sent(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    free(c->out);
    c->out = NULL;
    if (status)
        drop(c);
}

static void reply(struct connection *c, int status, const char *extra, const char *body)
{
    int len = asprintf(&c->out, "HTTP/1.1 %d x\r\n%sContent-Length: %zu\r\n\r\n%s", status, extra,
                       strlen(body), body);
    uv_buf_t buf = uv_buf_init(c->out, (unsigned)len);
    c->write.data = c;
    uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_sent);
}

static size_t decode64(const json_t *value, uint8_t *out)
{
    const char *text = json_string_value(value);
    size_t n = json_string_length(value);
    int len = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
    assert_true(len > 0);
    return (size_t)len - (text[n - 1] == '=') - (text[n - 2] == '=');
}

/* What a backbone checks of a registration. */
static void take_registration(struct connection *c, const char *body)
{
    static uint8_t data[RECORD_MAX + 16], signature[IDENTITY_SIGNATURE_LEN + 16];
    struct fixture *f = c->f;
    json_t *root = json_loads(body, 0, NULL);
    size_t len = decode64(json_object_get(root, "record"), data);
    size_t signature_len = decode64(json_object_get(root, "signature"), signature);
    json_decref(root);
    assert_int_equal(record_verify(data, len, signature, signature_len, &f->registered), 0);
    assert_int_equal(f->registered.challenge[31], 0xab);
    assert_true(f->registered.expiry_s > clock_unix_s() + 500);
    if (f->play == PLAY_STALE_SEQ && f->registered.seq <= f->stored_seq) {
        char text[128];
        snprintf(text, sizeof(text), "{\"error\":\"seq\",\"seq\":%llu}", (unsigned long long)f->stored_seq);
        reply(c, 409, "", text);
        return;
    }
    f->registrations++;
    reply(c, 201, "", "{\"id\":\"x\"}");
}

static void serve(struct connection *c, const char *method, const char *path, const char *body)
{
    static char huge[70001];
    struct fixture *f = c->f;
    f->requests++;
    if (f->play == PLAY_SILENT) {
        return;
    } else if (f->play == PLAY_HUGE) {
        memset(huge, ' ', sizeof(huge) - 1);
        reply(c, 200, "", huge);
    } else if (f->play == PLAY_REDIRECT) {
        reply(c, 302, "Location: /v1/elsewhere\r\n", "");
    } else if (f->play == PLAY_NONSENSE || f->nonsense) {
        f->nonsense -= f->nonsense > 0;
        reply(c, 200, "", "<html>");
    } else if (strcmp(path, "/v1/info") == 0) {
        reply(c, 200, f->date,
              "{\"stun_port\":3478,\"instance\":\"i\",\"backbones\":[\"http://b1\",\"http://b2\"]}");
    } else if (strcmp(path, "/v1/challenge") == 0) {
        reply(c, 200, "",
              "{\"challenge\":\"0000000000000000000000000000000000000000000000000000000000"
              "0000ab\",\"expires_s\":60}");
    } else if (strcmp(method, "POST") == 0 && strcmp(path, "/v1/nodes") == 0 && f->play == PLAY_REFUSE) {
        reply(c, 403, "", "{\"error\":\"not today\"}");
    } else if (strcmp(method, "POST") == 0 && strcmp(path, "/v1/nodes") == 0) {
        take_registration(c, body);
    } else if (strncmp(path, "/v1/nodes/", 10) == 0) {
        f->lookups++;
        reply(c, f->answer ? 200 : 404, "", f->answer ? f->answer : "{\"error\":\"no such node\"}");
    } else {
        fail_msg("unexpected request: %s %s", method, path);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->in + c->len, (unsigned)(sizeof(c->in) - 1 - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    char method[8], path[128];
    (void)buf;
    if (n < 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    c->in[c->len] = '\0';
    char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
    if (!end || strlen(end + 4) < (length && length < end ? strtoul(length + 15, NULL, 10) : 0))
        return;
    assert_int_equal(sscanf(c->in, "%7s %127s", method, path), 2);
    c->len = 0;
    serve(c, method, path, end + 4);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fixture *f = listener->data;
    struct connection *c = calloc(1, sizeof(*c));
    assert_int_equal(status, 0);
    c->f = f;
    uv_tcp_init(&f->loop, &c->tcp);
    c->tcp.data = c;
    c->next = f->connections;
    f->connections = c;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void backbone_start(struct fixture *f)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(address);
    uv_tcp_init(&f->loop, &f->listener);
    f->listener.data = f;
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 16, on_connection), 0);
    uv_tcp_getsockname(&f->listener, (struct sockaddr *)&address, &len);
    f->port = ntohs(address.sin_port);
    f->listening = true;
}

static void backbone_stop(struct fixture *f)
{
    if (f->listening)
        uv_close((uv_handle_t *)&f->listener, NULL);
    f->listening = false;
    while (f->connections)
        drop(f->connections);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* ---- the node's side ---- */

static void describe(void *context, struct record *record)
{
    (void)context;
    snprintf(record->name, sizeof(record->name), "site-a");
    record->is_public = true;
}

static void on_found(void *context, const struct record *record, const struct record_bytes *bytes)
{
    assert_true(bytes->data.len > 0 && bytes->signature.len == IDENTITY_SIGNATURE_LEN);
    struct fixture *f = context;
    f->found++;
    f->record = *record;
}

static void on_missing(void *context, const struct node_id *id, const char *why)
{
    struct fixture *f = context;
    assert_int_equal(id_compare(id, identity_id(f->other)), 0);
    snprintf(f->missing, sizeof(f->missing), "%s", why);
}

static void on_clock(void *context, int64_t ahead_s)
{
    struct fixture *f = context;
    f->clocks++;
    f->ahead_s = ahead_s;
}

static void on_state(void *context, bool reachable, const struct addr *udp)
{
    struct fixture *f = context;
    f->udp = *udp;
    f->reached += reachable;
    f->lost += !reachable;
}

static void on_tried(void *context, bool reachable, uint32_t interface)
{
    struct fixture *f = context;
    f->tried_by = interface;
    f->tried++;
    f->failed += !reachable;
}

static void on_instances(void *context, struct slice list)
{
    struct fixture *f = context;
    snprintf(f->instances, sizeof(f->instances), "%.*s", (int)list.len, (const char *)list.data);
}

static void on_linked(void *context, const struct node_id *id, const char *url)
{
    struct fixture *f = context;
    assert_int_equal(id_compare(id, identity_id(f->other)), 0);
    f->linked++;
    snprintf(f->linked_at, sizeof(f->linked_at), "%s", url);
}

static void on_bound(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    f->timed_out = true;
}

#define wait_for(f, condition)                                                                               \
    do {                                                                                                     \
        uv_timer_start(&(f)->bound, on_bound, BOUND_MS, 0);                                                  \
        while (!(condition) && !(f)->timed_out)                                                              \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                                 \
        uv_timer_stop(&(f)->bound);                                                                          \
        if (!(condition))                                                                                    \
            fail_msg("never: %s", #condition);                                                               \
    } while (0)

static struct identity *me, *other;

static int make_identities(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    return identity_generate(&me) || identity_generate(&other);
}

static int free_identities(void **state)
{
    (void)state;
    identity_free(me);
    identity_free(other);
    return 0;
}

static void start_helpers(struct fixture *f)
{
    const struct helpers_config config = {.caged = SANDBOX_DEFAULT, .count = 1, .backbones[0].url = f->url};
    struct helpers ends;
    assert_int_equal(helpers_start(&config, &ends), 0);
    const struct helper_client_config client = {&f->loop, "helper"};
    assert_int_equal(helper_client_new(&client, ends.backbone, &f->helper), 0);
    assert_int_equal(helper_client_new(&client, ends.names, &f->name_helper), 0);
    assert_int_equal(name_client_new(f->name_helper, &f->names), 0);
}

static int setup_at(void **state, const char *host)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->date = "";
    f->me = me;
    f->other = other;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->bound);
    f->bound.data = f;
    backbone_start(f); /* for a port: the helpers are not to inherit the socket */
    backbone_stop(f);
    snprintf(f->url, sizeof(f->url), "http://%s:%u", host, f->port);
    start_helpers(f);
    backbone_start(f);
    const struct rendezvous_config config = {.loop = &f->loop,
                                             .url = f->url,
                                             .helper = f->helper,
                                             .names = f->names,
                                             .me = me,
                                             .ways = &f->ways,
                                             .describe = describe,
                                             .found = on_found,
                                             .missing = on_missing,
                                             .clock = on_clock,
                                             .state = on_state,
                                             .tried = on_tried,
                                             .instances = on_instances,
                                             .linked = on_linked,
                                             .context = f};
    assert_int_equal(rendezvous_new(&config, &f->r), 0);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_at(state, "127.0.0.1");
}

static int setup_by_name(void **state)
{
    return setup_at(state, "localhost");
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rendezvous_close(f->r);
    name_client_free(f->names);
    helper_client_close(f->name_helper);
    helper_client_close(f->helper);
    backbone_stop(f);
    uv_close((uv_handle_t *)&f->bound, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f->answer);
    free(f);
    return 0;
}

/* The answer to a look-up: a record of node, its signature flipped when forged. */
static char *make_answer(const struct identity *node, uint64_t seq, uint64_t expiry_s, bool forged)
{
    static uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    static char data64[RECORD_MAX * 2], signature64[IDENTITY_SIGNATURE_LEN * 2];
    struct record record = {.id = *identity_id(node), .seq = seq, .expiry_s = expiry_s};
    size_t len = 0;
    memcpy(record.spki, identity_spki(node), sizeof(record.spki));
    snprintf(record.name, sizeof(record.name), "site-b");
    assert_int_equal(record_sign(&record, node, data, sizeof(data), &len, signature), 0);
    signature[100] ^= forged;
    EVP_EncodeBlock((unsigned char *)data64, data, (int)len);
    EVP_EncodeBlock((unsigned char *)signature64, signature, sizeof(signature));
    char *text = NULL;
    assert_true(asprintf(&text, "{\"record\":\"%s\",\"signature\":\"%s\"}", data64, signature64) > 0);
    return text;
}

static void node_registers_and_learns_the_reflection_address(void **state)
{
    struct fixture *f = *state;
    char text[ADDR_TEXT_MAX];
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    assert_int_equal(f->registrations, 1);
    assert_string_equal(addr_format(&f->udp, text), "127.0.0.1:3478");
    assert_int_equal(id_compare(&f->registered.id, identity_id(me)), 0);
    assert_string_equal(f->registered.name, "site-a");
    assert_true(f->registered.is_public);
}

static void change_registers_anew_with_a_higher_seq(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    uint64_t seq = f->registered.seq;
    for (int i = 0; i < 10; i++)
        rendezvous_changed(f->r);
    wait_for(f, f->registrations == 2);
    assert_true(f->registered.seq > seq);
    assert_int_equal(f->reached, 1);
}

static void stored_seq_of_a_faster_clock_is_passed(void **state)
{
    struct fixture *f = *state;
    f->play = PLAY_STALE_SEQ;
    f->stored_seq = (clock_unix_s() + 86400) * USEC_PER_SEC;
    rendezvous_start(f->r);
    wait_for(f, f->registrations == 1);
    assert_int_equal(f->registered.seq, f->stored_seq + 1);
}

static void wanted_id_is_looked_up_until_forgotten(void **state)
{
    struct fixture *f = *state;
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->lookups >= 1); /* it is not there yet */
    assert_int_equal(f->found, 0);
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    wait_for(f, f->found >= 1);
    assert_int_equal(id_compare(&f->record.id, identity_id(other)), 0);
    assert_string_equal(f->record.name, "site-b");
    rendezvous_forget(f->r, identity_id(other));
    unsigned found = f->found, registrations = f->registrations;
    rendezvous_changed(f->r);
    wait_for(f, f->registrations > registrations);
    assert_int_equal(f->found, found);
}

/* make_answer's, with the place where it is linked. Takes answer. */
static char *and_linked(char *answer, const char *url)
{
    size_t len = strlen(answer), size = len + strlen(url) + 16;
    char *whole = malloc(size);
    snprintf(whole, size, "%.*s,\"linked\":\"%s\"}", (int)len - 1, answer, url);
    free(answer);
    return whole;
}

/* At the second look-up: who can be dialled at once need not be sought there. */
static void place_where_a_wanted_id_is_linked_is_told_after_a_moment(void **state)
{
    struct fixture *f = *state;
    f->answer = and_linked(make_answer(other, 5, clock_unix_s() + 60, false), "http://b2.example");
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->found == 1);
    assert_int_equal(f->linked, 0);
    wait_for(f, f->linked == 1);
    assert_string_equal(f->linked_at, "http://b2.example");
    assert_true(f->lookups >= 2);
}

static void place_in_a_forged_answer_is_not_told(void **state)
{
    struct fixture *f = *state;
    f->answer = and_linked(make_answer(me, 5, clock_unix_s() + 60, false), "http://b2.example");
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->lookups >= 3); /* so the second answer was judged */
    assert_int_equal(f->linked, 0);
}

static void expect_ignored(struct fixture *f)
{
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->lookups >= 2); /* so the first answer was judged */
    assert_int_equal(f->found, 0);
}

static void forged_record_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->answer = make_answer(other, 5, clock_unix_s() + 60, true);
    expect_ignored(f);
}

static void record_of_another_node_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->answer = make_answer(me, 5, clock_unix_s() + 60, false);
    expect_ignored(f);
}

static void record_that_expired_by_our_clock_is_a_hint(void **state)
{
    struct fixture *f = *state;
    f->answer = make_answer(other, 5, clock_unix_s() - 86400, false);
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->found == 1);
}

static void clock_of_the_backbone_is_told(void **state)
{
    struct fixture *f = *state;
    f->date = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"; /* 1767225600 */
    rendezvous_start(f->r);
    wait_for(f, f->clocks == 1);
    assert_in_range(clock_unix_s() - 1767225600 - f->ahead_s, 0, 60);
    f->date = "Date: never\r\n";
    rendezvous_changed(f->r);
    wait_for(f, f->registrations == 2);
    assert_int_equal(f->clocks, 1);
}

static void unknown_id_and_silent_backbone_are_told_apart(void **state)
{
    struct fixture *f = *state;
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, strstr(f->missing, "knows no such id: check its digits"));
    backbone_stop(f);
    wait_for(f, strstr(f->missing, "cannot be reached: Connection refused"));
    const char *why;
    assert_false(rendezvous_is_registered(f->r, &why));
    assert_string_equal(why, "Connection refused");
    backbone_start(f);
    wait_for(f, strstr(f->missing, "knows no such id"));
    assert_true(rendezvous_is_registered(f->r, &why));
}

static void malformed_record_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->answer = strdup("{\"record\":\"====\",\"signature\":\"A===\"}");
    expect_ignored(f);
}

static void older_record_than_seen_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->found == 1);
    free(f->answer);
    f->answer = make_answer(other, 4, clock_unix_s() + 60, false);
    unsigned lookups = f->lookups;
    wait_for(f, f->lookups >= lookups + 2);
    assert_int_equal(f->record.seq, 5);
}

/* Connecting forgets the want; when the peer is lost and wanted again, the newest record still counts. */
static void older_record_is_ignored_when_the_id_is_wanted_again(void **state)
{
    struct fixture *f = *state;
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->found == 1);
    rendezvous_forget(f->r, identity_id(other));
    free(f->answer);
    f->answer = make_answer(other, 4, clock_unix_s() + 60, false);
    unsigned lookups = f->lookups, found = f->found;
    rendezvous_want(f->r, identity_id(other));
    wait_for(f, f->lookups >= lookups + 2);
    assert_int_equal(f->found, found);
    free(f->answer);
    f->answer = make_answer(other, 6, clock_unix_s() + 60, false);
    wait_for(f, f->found > found);
    assert_int_equal(f->record.seq, 6);
}

static void death_and_return_of_the_backbone_are_told(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    backbone_stop(f);
    rendezvous_changed(f->r);
    wait_for(f, f->lost == 1);
    assert_int_equal(f->udp.family, 0);
    backbone_start(f);
    wait_for(f, f->reached == 2);
    assert_int_equal(f->registrations, 2);
    assert_int_equal(f->lost, 1);
}

static void lookup_that_fails_finds_out_that_the_backbone_is_gone(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    backbone_stop(f);
    rendezvous_want(f->r, identity_id(other));
    wait_for(f, f->lost == 1);
}

static void refusal_is_no_loss_and_lookups_go_on(void **state)
{
    struct fixture *f = *state;
    f->play = PLAY_REFUSE;
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    rendezvous_want(f->r, identity_id(other));
    rendezvous_start(f->r);
    wait_for(f, f->found == 1);
    assert_int_equal(f->reached, 1);
    assert_int_equal(f->registrations, 0);
}

static void expect_no_backbone(struct fixture *f, enum play play)
{
    f->play = play;
    rendezvous_start(f->r);
    wait_for(f, f->requests >= 2); /* it is tried again */
    assert_int_equal(f->reached, 0);
    f->play = PLAY_WELL;
    wait_for(f, f->reached == 1);
}

static void answer_over_the_limit_is_no_backbone(void **state)
{
    expect_no_backbone(*state, PLAY_HUGE);
}

static void redirect_is_not_followed(void **state)
{
    expect_no_backbone(*state, PLAY_REDIRECT);
}

static void web_page_is_no_backbone(void **state)
{
    expect_no_backbone(*state, PLAY_NONSENSE);
}

static void close_ends_a_request_that_hangs(void **state)
{
    struct fixture *f = *state;
    f->play = PLAY_SILENT;
    rendezvous_start(f->r);
    wait_for(f, f->requests == 1);
    uint64_t begun = clock_monotonic_us();
    rendezvous_close(f->r);
    helper_client_close(f->helper);
    while (f->connections) /* until the helper is gone */
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(clock_monotonic_us() - begun < 3 * USEC_PER_SEC);
    assert_int_equal(f->reached + f->lost, 0);
    f->r = NULL;
    f->helper = NULL;
}

static void backbone_with_a_name_is_found(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    assert_int_equal(f->udp.port, 3478);
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    rendezvous_want(f->r, identity_id(other));
    wait_for(f, f->found == 1);
}

static void instances_that_it_names_are_told(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    assert_string_equal(f->instances, "http://b1\nhttp://b2\n");
}

/* Each attempt begins with the kernel's choice. */
static void backbone_that_is_not_reached_is_asked_by_a_standby(void **state)
{
    struct fixture *f = *state;
    ways_add(&f->ways, LOOPBACK, 4, WAY_STANDBY);
    f->nonsense = 1;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    assert_true(f->registrations == 1 && f->tried_by == LOOPBACK && f->failed == 0);
    rendezvous_changed(f->r);
    wait_for(f, f->tried == 2);
    assert_int_equal(f->tried_by, 0);
    f->nonsense = 2;
    rendezvous_changed(f->r);
    wait_for(f, f->lost == 1);
    assert_true(f->nonsense == 0 && f->failed == 1);
}

/* It has our record by the store that they share, so it is only asked whether it is there. */
static void another_instance_is_asked_at_once_and_by_its_own_name(void **state)
{
    struct fixture *f = *state;
    char other_url[64];
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    unsigned registrations = f->registrations;
    snprintf(other_url, sizeof(other_url), "http://localhost:%u", f->port);
    rendezvous_move(f->r, other_url);
    assert_false(rendezvous_is_reachable(f->r));
    wait_for(f, f->reached == 2);
    assert_int_equal(f->registrations, registrations);
    f->answer = make_answer(other, 5, clock_unix_s() + 60, false);
    rendezvous_want(f->r, identity_id(other));
    wait_for(f, f->found == 1);
    rendezvous_move(f->r, "");
    wait_for(f, f->reached == 3);
}

static void instance_that_is_not_there_is_told_as_tried(void **state)
{
    struct fixture *f = *state;
    rendezvous_start(f->r);
    wait_for(f, f->reached == 1);
    assert_int_equal(f->failed, 0);
    rendezvous_move(f->r, "http://127.0.0.1:1");
    wait_for(f, f->failed == 1);
    assert_int_equal(f->reached, 1);
    rendezvous_move(f->r, "");
    wait_for(f, f->reached == 2);
}

/* Whatever of the attempt is under way when the place is left. */
static void attempt_at_a_place_that_was_left_is_nobodys(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 40; i++) {
        rendezvous_move(f->r, i % 2 ? "" : "http://127.0.0.1:1");
        for (unsigned j = 0; j < i / 2; j++)
            uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    unsigned reached = f->reached;
    rendezvous_move(f->r, "");
    wait_for(f, f->reached == reached + 1);
    assert_true(rendezvous_is_reachable(f->r));
}

int main(void)
{
#define with_backbone(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_minute_retries_within_two_seconds),
        cmocka_unit_test(later_retries_stay_within_fifteen_seconds),
        cmocka_unit_test(jitter_takes_a_fifth_at_most),
        cmocka_unit_test(lookups_are_quick_at_first_and_bounded_in_all),
        with_backbone(node_registers_and_learns_the_reflection_address),
        with_backbone(change_registers_anew_with_a_higher_seq),
        with_backbone(stored_seq_of_a_faster_clock_is_passed),
        with_backbone(wanted_id_is_looked_up_until_forgotten),
        with_backbone(place_where_a_wanted_id_is_linked_is_told_after_a_moment),
        with_backbone(place_in_a_forged_answer_is_not_told),
        with_backbone(forged_record_is_ignored),
        with_backbone(record_of_another_node_is_ignored),
        with_backbone(record_that_expired_by_our_clock_is_a_hint),
        with_backbone(clock_of_the_backbone_is_told),
        with_backbone(unknown_id_and_silent_backbone_are_told_apart),
        with_backbone(malformed_record_is_ignored),
        with_backbone(older_record_than_seen_is_ignored),
        with_backbone(older_record_is_ignored_when_the_id_is_wanted_again),
        with_backbone(death_and_return_of_the_backbone_are_told),
        with_backbone(lookup_that_fails_finds_out_that_the_backbone_is_gone),
        with_backbone(refusal_is_no_loss_and_lookups_go_on),
        with_backbone(answer_over_the_limit_is_no_backbone),
        with_backbone(redirect_is_not_followed),
        with_backbone(web_page_is_no_backbone),
        with_backbone(close_ends_a_request_that_hangs),
        with_backbone(backbone_that_is_not_reached_is_asked_by_a_standby),
        with_backbone(instances_that_it_names_are_told),
        with_backbone(another_instance_is_asked_at_once_and_by_its_own_name),
        with_backbone(instance_that_is_not_there_is_told_as_tried),
        with_backbone(attempt_at_a_place_that_was_left_is_nobodys),
        cmocka_unit_test_setup_teardown(backbone_with_a_name_is_found, setup_by_name, teardown),
    };
    return cmocka_run_group_tests(tests, make_identities, free_identities);
}
