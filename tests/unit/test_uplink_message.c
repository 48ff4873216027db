/* SPDX-License-Identifier: Apache-2.0 */
/* proto/uplink/uplink_message: what a node and a backbone say on an uplink. */

#include "proto/uplink/uplink_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint8_t bytes[UPLINK_MESSAGE_MAX + 1], spki[IDENTITY_SPKI_LEN], signature[IDENTITY_SIGNATURE_LEN],
    batch[UPLINK_BATCH_MAX + 1];

static struct slice text(const char *words)
{
    return (struct slice){(const uint8_t *)words, strlen(words)};
}

static size_t encode(const struct uplink_message *m)
{
    size_t len;
    assert_int_equal(uplink_message_encode(m, bytes, sizeof(bytes), &len), 0);
    return len;
}

static void refused(const struct uplink_message *m)
{
    size_t len;
    assert_int_equal(uplink_message_encode(m, bytes, sizeof(bytes), &len), ERR_ARGUMENT);
}

static struct uplink_message prove(const char *host)
{
    return (struct uplink_message){.kind = UPLINK_PROVE,
                                   .host = text(host),
                                   .spki = {spki, sizeof(spki)},
                                   .signature = {signature, sizeof(signature)}};
}

static struct uplink_message datagrams(size_t len, uint16_t segment)
{
    return (struct uplink_message){
        .kind = UPLINK_DATAGRAMS, .id = {{1, 2, 3}}, .ecn = 3, .segment = segment, .data = {batch, len}};
}

/* One of every kind, as side sends it. */
static size_t every_kind(enum uplink_side side, struct uplink_message out[16])
{
    static const uint8_t challenge[UPLINK_CHALLENGE_LEN] = {9};
    size_t n = 0;
    const struct node_id id = {{1, 2, 3}};
    const struct addr observed = {.family = 4, .port = 443, .ip = {192, 0, 2, 1}};
    if (side == UPLINK_NODE) {
        out[n++] = prove("backbone.example:443");
        out[n++] = (struct uplink_message){.kind = UPLINK_PAIR, .id = id, .on = true};
        out[n++] = (struct uplink_message){.kind = UPLINK_RELAY, .id = id};
    } else {
        out[n++] =
            (struct uplink_message){.kind = UPLINK_CHALLENGE, .challenge = {challenge, sizeof(challenge)}};
        out[n++] = (struct uplink_message){
            .kind = UPLINK_WELCOME, .observed = observed, .streams = 256, .pairs = 4096, .credit = 16384};
        out[n++] = (struct uplink_message){.kind = UPLINK_PAIRED, .id = id};
        out[n++] = (struct uplink_message){.kind = UPLINK_RESTARTING, .wait_ms = 2000};
        out[n++] = (struct uplink_message){.kind = UPLINK_LIMITED, .code = UPLINK_LIMITED_DATAGRAMS};
        out[n++] = (struct uplink_message){.kind = UPLINK_RELAYED,
                                           .id = id,
                                           .port = 8080,
                                           .channel = 7,
                                           .token = {challenge, ENVELOPE_TOKEN_LEN}};
    }
    out[n++] = (struct uplink_message){.kind = UPLINK_OPEN, .stream = 7, .id = id};
    out[n++] = (struct uplink_message){.kind = UPLINK_DATA, .stream = 7, .data = text("bytes")};
    out[n++] = (struct uplink_message){.kind = UPLINK_CREDIT, .stream = 7, .credit = 1};
    out[n++] = (struct uplink_message){.kind = UPLINK_CLOSE, .stream = 7, .code = UPLINK_END_LOST};
    out[n++] = datagrams(3000, 1200);
    return n;
}

static void every_kind_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int side = UPLINK_NODE; side <= UPLINK_BACKBONE; side++) {
        struct uplink_message list[16], out;
        size_t count = every_kind((enum uplink_side)side, list);
        for (size_t i = 0; i < count; i++) {
            size_t len = encode(&list[i]), again;
            static uint8_t same[UPLINK_MESSAGE_MAX];
            assert_int_equal(uplink_message_decode(bytes, len, (enum uplink_side)side, &out), 0);
            assert_int_equal(uplink_message_encode(&out, same, sizeof(same), &again), 0);
            assert_int_equal(again, len);
            assert_memory_equal(same, bytes, len);
            assert_int_equal(out.kind, list[i].kind);
            assert_int_equal(out.stream, list[i].stream);
            assert_int_equal(id_compare(&out.id, &list[i].id), 0);
            assert_int_equal(out.data.len, list[i].data.len);
            assert_int_equal(out.on, list[i].on);
            assert_int_equal(out.wait_ms, list[i].wait_ms);
        }
    }
}

static void fields_lie_where_the_protocol_says(void **state)
{
    (void)state;
    static const uint8_t open[] = {4, 0, 0, 0, 7, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const struct uplink_message m = {.kind = UPLINK_OPEN, .stream = 7, .id = {{1, 2, 3}}};
    assert_int_equal(encode(&m), sizeof(open));
    assert_memory_equal(bytes, open, sizeof(open));
    const struct uplink_message some = datagrams(1, 0x1234);
    assert_int_equal(encode(&some), UPLINK_BATCH_HEAD_LEN + 1);
    assert_true(bytes[0] == 10 && bytes[1] == 1 && bytes[21] == 3 && bytes[22] == 0x12 && bytes[23] == 0x34);
}

static void cut_or_prolonged_message_is_refused(void **state)
{
    (void)state;
    for (int side = UPLINK_NODE; side <= UPLINK_BACKBONE; side++) {
        struct uplink_message list[16], out;
        size_t count = every_kind((enum uplink_side)side, list);
        for (size_t i = 0; i < count; i++) {
            size_t len = encode(&list[i]);
            bool open_ended = list[i].kind == UPLINK_DATA || list[i].kind == UPLINK_DATAGRAMS;
            size_t least = list[i].kind == UPLINK_DATA ? 6 : UPLINK_BATCH_HEAD_LEN + 1;
            for (size_t cut = 0; cut < len; cut++)
                if (!open_ended || cut < least)
                    assert_int_equal(uplink_message_decode(bytes, cut, (enum uplink_side)side, &out),
                                     ERR_FORMAT);
            if (!open_ended)
                assert_int_equal(uplink_message_decode(bytes, len + 1, (enum uplink_side)side, &out),
                                 ERR_FORMAT);
        }
    }
}

static void kind_of_a_later_version_is_skipped_and_kind_zero_is_not(void **state)
{
    (void)state;
    struct uplink_message out;
    static const uint8_t later[] = {99, 1, 2, 3}, none[] = {0, 1, 2, 3};
    assert_int_equal(uplink_message_decode(later, sizeof(later), UPLINK_NODE, &out), ERR_UNSUPPORTED);
    assert_int_equal(uplink_message_decode(none, sizeof(none), UPLINK_NODE, &out), ERR_FORMAT);
    assert_int_equal(uplink_message_decode(NULL, 0, UPLINK_NODE, &out), ERR_FORMAT);
}

static void message_of_the_other_side_is_refused(void **state)
{
    (void)state;
    struct uplink_message list[16], out;
    every_kind(UPLINK_NODE, list);
    for (size_t i = 0; i < 3; i++) /* PROVE, PAIR, RELAY */
        assert_int_equal(uplink_message_decode(bytes, encode(&list[i]), UPLINK_BACKBONE, &out), ERR_FORMAT);
    every_kind(UPLINK_BACKBONE, list);
    for (size_t i = 0; i < 6; i++) /* CHALLENGE, WELCOME, PAIRED, RESTARTING, LIMITED, RELAYED */
        assert_int_equal(uplink_message_decode(bytes, encode(&list[i]), UPLINK_NODE, &out), ERR_FORMAT);
}

static void host_is_what_a_url_may_name(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "backbone.example:8080", "[2001:db8::1]:443", "192.0.2.1",
                                       "my_host"};
    static const char *const bad[] = {"",    "Backbone.example", "a b",        "a/b",
                                      "a\n", "user@host",        "h\xc3\xb6st"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct uplink_message m = prove(good[i]);
        assert_int_equal(encode(&m), 2 + strlen(good[i]) + sizeof(spki) + sizeof(signature));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct uplink_message m = prove(bad[i]);
        refused(&m);
    }
    struct uplink_message out;
    const struct uplink_message m = prove("a");
    size_t len = encode(&m);
    bytes[2] = 'A';
    assert_int_equal(uplink_message_decode(bytes, len, UPLINK_NODE, &out), ERR_FORMAT);
    static char longest[UPLINK_HOST_MAX + 2];
    memset(longest, 'a', sizeof(longest) - 1);
    const struct uplink_message too_long = prove(longest);
    refused(&too_long);
}

static void batches_keep_their_bounds(void **state)
{
    (void)state;
    struct uplink_message out, m = datagrams(UPLINK_BATCH_MAX, 1024),
                               over[] = {
                                   datagrams(UPLINK_BATCH_MAX + 1, 2000), /* too long */
                                   datagrams(64 * 100 + 1, 100),          /* 65 datagrams */
                                   datagrams(0, 100),
                                   datagrams(100, 0),
                                   datagrams(100, 100),
                               };
    size_t len = encode(&m);
    assert_int_equal(len, UPLINK_MESSAGE_MAX);
    assert_int_equal(uplink_message_decode(bytes, len, UPLINK_NODE, &out), 0);
    assert_int_equal(uplink_message_decode(bytes, len + 1, UPLINK_NODE, &out), ERR_FORMAT);
    bytes[21] = 4; /* no ECN field */
    assert_int_equal(uplink_message_decode(bytes, len, UPLINK_NODE, &out), ERR_FORMAT);
    over[4].ecn = 4;
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        refused(&over[i]);
    m = datagrams(100, 65535); /* one datagram, shorter than its segment */
    assert_int_equal(uplink_message_decode(bytes, encode(&m), UPLINK_BACKBONE, &out), 0);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct uplink_message out;
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    struct uplink_message m = {.kind = UPLINK_DATA, .stream = 0, .data = text("a")};
    refused(&m);
    m = (struct uplink_message){.kind = UPLINK_DATA, .stream = 1, .data = {batch, UPLINK_DATA_MAX + 1}};
    refused(&m);
    m = (struct uplink_message){.kind = UPLINK_CREDIT, .stream = 1};
    refused(&m);
    m = (struct uplink_message){.kind = UPLINK_WELCOME, .observed = {.family = 5}, .credit = 1};
    refused(&m);
    m.observed.family = 6;
    memcpy(m.observed.ip, mapped, sizeof(mapped));
    refused(&m);
    m.observed = (struct addr){.family = 4, .ip = {192, 0, 2, 1, 1}};
    refused(&m);
    m = (struct uplink_message){
        .kind = UPLINK_RELAYED, .port = 0, .channel = 1, .token = {batch, ENVELOPE_TOKEN_LEN}};
    refused(&m);
    m.port = 1;
    m.channel = 0;
    refused(&m);
    m.channel = 1;
    m.token.len--;
    refused(&m);
    m = (struct uplink_message){.kind = UPLINK_PAIR, .on = true};
    size_t len = encode(&m);
    bytes[len - 1] = 2;
    assert_int_equal(uplink_message_decode(bytes, len, UPLINK_NODE, &out), ERR_FORMAT);
}

static void what_does_not_fit_is_not_encoded(void **state)
{
    (void)state;
    size_t len;
    const struct uplink_message m = {.kind = UPLINK_LIMITED, .code = UPLINK_LIMITED_STREAMS};
    assert_int_equal(uplink_message_encode(&m, bytes, 1, &len), ERR_SPACE);
    assert_int_equal(uplink_message_encode(&m, bytes, 2, &len), 0);
}

static void proof_is_over_challenge_and_host(void **state)
{
    (void)state;
    uint8_t challenge[UPLINK_CHALLENGE_LEN] = {1}, proof[UPLINK_PROOF_MAX];
    assert_int_equal(uplink_proof(challenge, text("host:1"), proof), UPLINK_CHALLENGE_LEN + 6);
    assert_memory_equal(proof, challenge, sizeof(challenge));
    assert_memory_equal(proof + sizeof(challenge), "host:1", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_it_was),
        cmocka_unit_test(fields_lie_where_the_protocol_says),
        cmocka_unit_test(cut_or_prolonged_message_is_refused),
        cmocka_unit_test(kind_of_a_later_version_is_skipped_and_kind_zero_is_not),
        cmocka_unit_test(message_of_the_other_side_is_refused),
        cmocka_unit_test(host_is_what_a_url_may_name),
        cmocka_unit_test(batches_keep_their_bounds),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(what_does_not_fit_is_not_encoded),
        cmocka_unit_test(proof_is_over_challenge_and_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
