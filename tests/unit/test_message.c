/* SPDX-License-Identifier: Apache-2.0 */
/* proto/message/message: every message survives its encoding; hostile ones are refused. */

#include "proto/message/message.h"
#include "base/cbor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct buffer {
    uint8_t data[MESSAGE_MAX];
    size_t len;
};

static struct buffer encode(const struct message *m)
{
    struct buffer b = {.len = 0};
    struct writer w = writer_init(b.data, sizeof(b.data));
    message_encode(m, &w);
    assert_false(w.bad);
    b.len = writer_len(&w);
    return b;
}

static struct candidate candidate(enum candidate_kind kind, uint8_t host)
{
    return (struct candidate){
        .kind = kind, .addr = {.family = 4, .port = 9443, .ip = {192, 0, 2, host}}, .control_port = 8443};
}

static struct message small_hello(void)
{
    return (struct message){.type = MESSAGE_HELLO,
                            .hello = {.version_min = 1,
                                      .version_max = 1,
                                      .lanes = 1,
                                      .mtu = 1500,
                                      .receiver_index = 0xdeadbeef,
                                      .boot = {1, 2, 3, 4, 5, 6, 7, 8},
                                      .generation = 7}};
}

static struct message full_hello(void)
{
    struct message m = small_hello();
    struct hello *h = &m.hello;
    h->features = UINT64_MAX;
    h->aead_count = MESSAGE_AEADS_MAX;
    memcpy(h->aeads, "\2\1\3\4", MESSAGE_AEADS_MAX);
    h->lanes = 15;
    memset(h->name, 'n', MESSAGE_NAME_MAX);
    h->address_count = MESSAGE_ADDRS_MAX;
    for (unsigned i = 0; i < h->address_count; i++)
        h->addresses[i] = (struct addr_prefix){{.family = 6, .ip = {0xfd, [15] = (uint8_t)i}}, 64};
    h->mac_count = MESSAGE_MACS_MAX;
    for (unsigned i = 0; i < h->mac_count; i++)
        memcpy(h->macs[i], "\2\0\0\0\0\1", 6);
    h->candidates.count = CANDIDATES_MAX;
    for (unsigned i = 0; i < h->candidates.count; i++)
        h->candidates.list[i] = candidate(CANDIDATE_HOST, (uint8_t)i);
    return m;
}

static void assert_round_trip(const struct message *m)
{
    struct message out;
    struct buffer b = encode(m);
    assert_int_equal(message_decode(b.data, b.len, &out), 0);
    assert_memory_equal(&out, m, sizeof(out));
    struct buffer again = encode(&out);
    assert_int_equal(again.len, b.len);
    assert_memory_equal(again.data, b.data, b.len);
}

static void every_message_round_trips(void **state)
{
    (void)state;
    struct message m = full_hello();
    assert_round_trip(&m);
    m.offer.present = true;
    memset(m.offer.key, 0xa5, sizeof(m.offer.key));
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_READY};
    assert_round_trip(&m);
    m.answer.present = true;
    memset(m.answer.key, 0x3c, sizeof(m.answer.key));
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_WAKE};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RENEW};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_JOIN_ASK, .join_ask = {{{1, 2, 3}}}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_CERT_ASK};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_ISSUER_ASK, .issuer = {{{1, 2, 3}}}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_REFUSE, .refuse = {REFUSE_STRANGER, "not on the list"}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_BYE, .bye = {BYE_SHUTDOWN, ""}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_BYE, .bye = {BYE_REPLACED, "198.51.100.7:8443"}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_CANDIDATES};
    assert_round_trip(&m);
    m.candidates.count = 2;
    m.candidates.list[0] = candidate(CANDIDATE_REFLEXIVE, 1);
    m.candidates.list[1] = candidate(CANDIDATE_STATIC, 2);
    assert_round_trip(&m);
    m.type = MESSAGE_STANDBY;
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RATCHET_OFFER, .ratchet = {.step = 1, .receiver_index = 9}};
    memset(m.ratchet.key, 0x5a, sizeof(m.ratchet.key));
    assert_round_trip(&m);
    m.type = MESSAGE_RATCHET_ANSWER;
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RATCHET_DONE, .ratchet = {.step = 0xffffffff}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_STREAM,
                         .segment = {.stream = 7, .flags = SEGMENT_LAST, .offset = 1}};
    assert_round_trip(&m);
    m.segment = (struct segment){UINT32_MAX, 0, UINT64_MAX, MESSAGE_SEGMENT_MAX, {1, 2, 3}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_STREAM_ANSWER, .answered = {7, 1104, UINT64_MAX}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_STREAM_RESET, .reset = {7}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RELAY_SEEK, .relay = {.id = {{1, 2, 3}}}};
    assert_round_trip(&m);
    m.type = MESSAGE_RELAY_FOUND;
    assert_round_trip(&m);
    m.relay.rtt_us = UINT32_MAX;
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RELAY_ASK, .relay = {.id = {{1}}, .end = 1}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_RELAY_CHANNEL, .relay = {.id = {{1}}, .channel = 7, .token = {9}}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_BIRTHDAY, .birthday = {UINT32_MAX, BIRTHDAY_WORD_BEGIN}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_PUNCH, .punch = {.round = 1}};
    assert_round_trip(&m);
    m.punch = (struct punch_offer){.round = UINT32_MAX, .answer = 1, .ports = 2, .first = 1024, .count = 15};
    m.punch.candidates.count = 1;
    m.punch.candidates.list[0] = candidate(CANDIDATE_REFLEXIVE, 1);
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_PUNCH_GO, .punch_go = {7}};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_SEEK, .seek.count = MESSAGE_SOUGHT_MAX};
    for (unsigned i = 0; i < MESSAGE_SOUGHT_MAX; i++)
        m.seek.list[i] = (struct message_sought){{{(uint8_t)i}}, i ? UINT64_MAX : 0};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_LEAVE};
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_LISTS, .lists.count = MESSAGE_LISTS_MAX};
    for (unsigned i = 0; i < MESSAGE_LISTS_MAX; i++) {
        m.lists.list[i].kind = (uint8_t)(i + 1);
        m.lists.list[i].signer.bytes[0] = (uint8_t)i;
        m.lists.list[i].number = UINT64_MAX - i;
        m.lists.list[i].time = i;
    }
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_LIST_ASK, .part = {.kind = LIST_ROSTER, .signer = {{9}}}};
    assert_round_trip(&m);
    m.part.number = UINT64_MAX;
    m.part.offset = UINT32_MAX;
    assert_round_trip(&m);
    m = (struct message){.type = MESSAGE_ABOUT, .about = {"1.2.3", 0}};
    assert_round_trip(&m);
    memset(m.about.version, 'v', MESSAGE_PROGRAM_MAX);
    m.about.time = UINT64_MAX;
    assert_round_trip(&m);
}

static struct message part_message(size_t len)
{
    static const uint8_t bytes[MESSAGE_PART_MAX + 1] = {1, 2, 3};
    return (struct message){.type = MESSAGE_LIST_PART,
                            .part = {LIST_ISSUER, {{7}}, UINT64_MAX, UINT32_MAX, 0, {bytes, len}}};
}

static void part_of_a_list_is_borrowed_from_its_message(void **state)
{
    (void)state;
    struct message m = part_message(MESSAGE_PART_MAX), out;
    struct buffer b = encode(&m);
    assert_int_equal(message_decode(b.data, b.len, &out), 0);
    assert_true(out.part.kind == LIST_ISSUER && out.part.signer.bytes[0] == 7);
    assert_true(out.part.number == UINT64_MAX && out.part.total == UINT32_MAX && out.part.offset == 0);
    assert_int_equal(out.part.bytes.len, MESSAGE_PART_MAX);
    assert_true(out.part.bytes.data > b.data && out.part.bytes.data < b.data + b.len);
    assert_memory_equal(out.part.bytes.data, m.part.bytes.data, MESSAGE_PART_MAX);
}

static void part_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct message m = part_message(MESSAGE_PART_MAX + 1), out;
    struct buffer b = encode(&m);
    assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
}

static struct message record_message(size_t data_len, size_t signature_len)
{
    static const uint8_t bytes[MESSAGE_MAX] = {1, 2, 3};
    return (struct message){.type = MESSAGE_RECORD, .record = {{bytes, data_len}, {bytes, signature_len}}};
}

static void record_fits_a_message_and_is_borrowed_from_it(void **state)
{
    (void)state;
    struct message m = record_message(MESSAGE_RECORD_MAX, IDENTITY_SIGNATURE_LEN), out;
    struct buffer b = encode(&m);
    assert_int_equal(message_decode(b.data, b.len, &out), 0);
    assert_int_equal(out.record.data.len, MESSAGE_RECORD_MAX);
    assert_int_equal(out.record.signature.len, IDENTITY_SIGNATURE_LEN);
    assert_true(out.record.data.data > b.data && out.record.data.data < b.data + b.len);
    assert_memory_equal(out.record.data.data, m.record.data.data, MESSAGE_RECORD_MAX);
}

static void record_of_a_wrong_size_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t data, signature;
    } wrong[] = {{MESSAGE_RECORD_MAX + 1, 100},
                 {MESSAGE_RECORD_MAX + 1, IDENTITY_SIGNATURE_LEN - 30},
                 {100, IDENTITY_SIGNATURE_LEN - 1},
                 {100, IDENTITY_SIGNATURE_LEN + 1},
                 {100, 0}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct message m = record_message(wrong[i].data, wrong[i].signature), out;
        struct buffer b = encode(&m);
        assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
        assert_null(out.record.data.data);
    }
}

static void certificate_fits_a_message_and_is_borrowed_from_it(void **state)
{
    (void)state;
    static const uint8_t der[CERT_MAX + 1] = {0x30, 1, 2, 3};
    for (enum message_type type = MESSAGE_MEMBER; type <= MESSAGE_JOINED; type += 2) { /* the even ones */
        struct message m = {.type = type}, out;
        m.certificate = (struct slice){der, CERT_MAX};
        struct buffer b = encode(&m);
        assert_int_equal(message_decode(b.data, b.len, &out), 0);
        assert_int_equal(out.certificate.len, CERT_MAX);
        assert_true(out.certificate.data > b.data && out.certificate.data < b.data + b.len);
        assert_memory_equal(out.certificate.data, der, CERT_MAX);
        m.certificate.len = CERT_MAX + 1;
        b = encode(&m);
        assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
        assert_null(out.certificate.data);
    }
}

static struct message join_message(size_t key_len, size_t signature_len)
{
    static const uint8_t bytes[MESSAGE_MAX] = {1, 2, 3};
    return (struct message){.type = MESSAGE_JOIN,
                            .join = {{bytes, key_len}, {bytes, signature_len}, "berlin"}};
}

static void join_fits_a_message_and_is_borrowed_from_it(void **state)
{
    (void)state;
    struct message m = join_message(IDENTITY_SPKI_LEN, IDENTITY_SIGNATURE_LEN), out;
    memset(m.join.name, 'n', MESSAGE_NAME_MAX);
    struct buffer b = encode(&m);
    assert_int_equal(message_decode(b.data, b.len, &out), 0);
    assert_int_equal(out.join.key.len, IDENTITY_SPKI_LEN);
    assert_memory_equal(out.join.key.data, m.join.key.data, IDENTITY_SPKI_LEN);
    assert_true(out.join.signature.data > b.data && out.join.signature.data < b.data + b.len);
    assert_string_equal(out.join.name, m.join.name);
}

static void join_of_a_wrong_size_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t key, signature;
    } wrong[] = {{IDENTITY_SPKI_LEN - 1, IDENTITY_SIGNATURE_LEN},
                 {IDENTITY_SPKI_LEN + 1, IDENTITY_SIGNATURE_LEN},
                 {0, IDENTITY_SIGNATURE_LEN},
                 {IDENTITY_SPKI_LEN, IDENTITY_SIGNATURE_LEN - 1},
                 {IDENTITY_SPKI_LEN, IDENTITY_SIGNATURE_LEN + 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct message m = join_message(wrong[i].key, wrong[i].signature), out;
        struct buffer b = encode(&m);
        assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
        assert_null(out.join.key.data);
    }
}

static void hello_with_empty_lists_round_trips(void **state)
{
    (void)state;
    struct message m = small_hello();
    assert_round_trip(&m);
}

static void largest_hello_fits(void **state)
{
    (void)state;
    struct message m = full_hello();
    m.offer.present = true;
    assert_true(encode(&m).len < MESSAGE_MAX / 2);
}

/* The bytes that docs/PROTOCOL.md shows. */
static void bytes_of_a_small_message_are_fixed(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0xa2, 0x00, 0x04, 0x01, 0x81, 0x84, 0x01, 0x44, 192,
                                       0,    2,    5,    0x19, 0x24, 0xe3, 0x19, 0x20, 0xfb};
    struct message m = {.type = MESSAGE_CANDIDATES,
                        .candidates = {.count = 1, .list = {candidate(CANDIDATE_HOST, 5)}}};
    struct buffer b = encode(&m);
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.data, expected, sizeof(expected));
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct message m = full_hello(), out;
    struct buffer b = encode(&m);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(message_decode(b.data, len, &out), ERR_FORMAT);
    assert_int_equal(out.type, 0);
    assert_int_equal(out.hello.lanes, 0);
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    struct message m = small_hello(), out;
    struct buffer b = encode(&m);
    b.data[b.len] = 0;
    assert_int_equal(message_decode(b.data, b.len + 1, &out), ERR_FORMAT);
}

/* Re-encodes a small HELLO without one key, or with another value for it. */
static size_t edited_hello(uint64_t edit, bool keep, void (*put)(struct writer *), uint8_t *out, size_t cap)
{
    struct message m = small_hello();
    struct buffer b = encode(&m);
    struct reader r = reader_init(b.data, b.len);
    struct writer w = writer_init(out, cap);
    struct cbor_map map = cbor_take_map(&r);
    uint64_t key;
    cbor_put_map(&w, map.left - (keep ? 0 : 1));
    while (cbor_map_next(&map, &key)) {
        const uint8_t *from = r.at;
        cbor_skip(&r);
        if (key == edit && !keep)
            continue;
        cbor_put_uint(&w, key);
        if (key == edit)
            put(&w);
        else
            writer_put(&w, from, (size_t)(r.at - from));
    }
    assert_false(w.bad || r.bad);
    return writer_len(&w);
}

static void hello_without_a_required_key_is_refused(void **state)
{
    (void)state;
    static const uint64_t required[] = {1, 2, 5, 6, 11, 12, 13};
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        uint8_t data[256];
        struct message out;
        size_t len = edited_hello(required[i], false, NULL, data, sizeof(data));
        assert_int_equal(message_decode(data, len, &out), ERR_FORMAT);
    }
}

static void put_zero(struct writer *w)
{
    cbor_put_uint(w, 0);
}

static void put_sixteen(struct writer *w)
{
    cbor_put_uint(w, 16);
}

static void put_boot_of_seven(struct writer *w)
{
    cbor_put_bytes(w, "1234567", 7);
}

static void put_some_text(struct writer *w)
{
    cbor_put_text(w, "1500");
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t key;
        void (*put)(struct writer *);
    } edits[] = {{2, put_zero}, {5, put_zero}, {5, put_sixteen}, {6, put_some_text}, {12, put_boot_of_seven}};
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        uint8_t data[256];
        struct message out;
        size_t len = edited_hello(edits[i].key, true, edits[i].put, data, sizeof(data));
        assert_int_equal(message_decode(data, len, &out), ERR_FORMAT);
    }
}

static int decode(const uint8_t *data, size_t len, struct message *out)
{
    return message_decode(data, len, out);
}

#define DECODE(out, ...) decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), out)

static void unknown_keys_are_skipped(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa3, 0x00, 0x06, 0x01, 0x02, 0x18, 0x63, 0x82, 0x01, 0x61, 'x'), 0);
    assert_int_equal(out.type, MESSAGE_BYE);
    assert_int_equal(out.bye.code, BYE_REPLACED);
}

static void unknown_type_is_told_apart(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa1, 0x00, 0x18, 0x63), ERR_UNSUPPORTED);
    assert_int_equal(DECODE(&out, 0xa1, 0x00, 0x00), ERR_UNSUPPORTED);
}

static void type_must_come_first(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa1, 0x01, 0x01), ERR_FORMAT);
    assert_int_equal(DECODE(&out, 0xa2, 0x01, 0x01, 0x00, 0x06), ERR_FORMAT);
    assert_int_equal(DECODE(&out, 0xa0), ERR_FORMAT);
    assert_int_equal(DECODE(&out, 0x80), ERR_FORMAT);
}

static void duplicate_keys_are_refused(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa3, 0x00, 0x06, 0x01, 0x01, 0x01, 0x02), ERR_FORMAT);
}

static void unknown_candidate_kinds_are_skipped(void **state)
{
    (void)state;
    struct message out;
    /* [[9, "x", {}], [1, 192.0.2.5, 1, 2, "later"]] */
    assert_int_equal(DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x82, 0x83, 0x09, 0x61, 'x', 0xa0, 0x85, 0x01, 0x44,
                            192, 0, 2, 5, 0x01, 0x02, 0x61, 'l'),
                     0);
    assert_int_equal(out.candidates.count, 1);
    assert_int_equal(out.candidates.list[0].addr.ip[3], 5);
    assert_int_equal(out.candidates.list[0].addr.port, 1);
    assert_int_equal(out.candidates.list[0].control_port, 2);
}

static void short_candidates_are_refused(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x81, 0x80), ERR_FORMAT);
    assert_int_equal(DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x81, 0x83, 0x01, 0x44, 1, 2, 3, 4, 0x01),
                     ERR_FORMAT);
    assert_int_equal(DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x81, 0x84, 0x01, 0x45, 1, 2, 3, 4, 5, 0x01, 0x02),
                     ERR_FORMAT);
    /* A port above 65535. */
    assert_int_equal(
        DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x81, 0x84, 0x01, 0x44, 1, 2, 3, 4, 0x1a, 0, 1, 0, 0, 0x02),
        ERR_FORMAT);
}

static void mapped_addresses_become_ipv4(void **state)
{
    (void)state;
    struct message out;
    assert_int_equal(DECODE(&out, 0xa2, 0x00, 0x04, 0x01, 0x81, 0x84, 0x01, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                            0, 0xff, 0xff, 192, 0, 2, 5, 0x01, 0x02),
                     0);
    assert_int_equal(out.candidates.list[0].addr.family, 4);
    assert_int_equal(out.candidates.list[0].addr.ip[0], 192);
    assert_int_equal(out.candidates.list[0].addr.ip[4], 0);
}

static void excess_items_are_refused(void **state)
{
    (void)state;
    uint8_t data[1024];
    struct message out;
    struct candidate list[CANDIDATES_MAX + 1];
    for (unsigned i = 0; i <= CANDIDATES_MAX; i++)
        list[i] = candidate(CANDIDATE_HOST, (uint8_t)i);
    for (unsigned count = CANDIDATES_MAX; count <= CANDIDATES_MAX + 1; count++) {
        struct writer w = writer_init(data, sizeof(data));
        cbor_put_map(&w, 2);
        cbor_put_uint(&w, 0);
        cbor_put_uint(&w, MESSAGE_CANDIDATES);
        cbor_put_uint(&w, 1);
        candidates_encode(list, count, &w);
        int err = message_decode(data, writer_len(&w), &out);
        assert_int_equal(err, count > CANDIDATES_MAX ? ERR_FORMAT : 0);
    }
}

static void name_that_a_terminal_obeys_is_refused(void **state)
{
    (void)state;
    struct message m = small_hello(), out;
    memcpy(m.hello.name, "ab", 3);
    struct buffer b = encode(&m);
    uint8_t *name = memmem(b.data, b.len,
                           "\x62"
                           "ab",
                           3);
    assert_non_null(name);
    name[1] = 0x1b;
    assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
    struct writer w = writer_init(b.data, sizeof(b.data));
    m.hello.name[0] = 0x1b;
    message_encode(&m, &w);
    assert_true(w.bad);
}

static void group_mac_is_refused(void **state)
{
    (void)state;
    struct message m = small_hello(), out;
    m.hello.mac_count = 1;
    m.hello.macs[0][0] = 1;
    struct buffer b = encode(&m);
    assert_int_equal(message_decode(b.data, b.len, &out), ERR_FORMAT);
}

static void encoding_without_room_goes_bad(void **state)
{
    (void)state;
    struct message m = full_hello();
    struct buffer b = encode(&m);
    for (size_t room = 0; room < b.len; room++) {
        uint8_t out[MESSAGE_MAX];
        struct writer w = writer_init(out, room);
        message_encode(&m, &w);
        assert_true(w.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_round_trips),
        cmocka_unit_test(part_of_a_list_is_borrowed_from_its_message),
        cmocka_unit_test(part_that_is_too_long_is_refused),
        cmocka_unit_test(record_fits_a_message_and_is_borrowed_from_it),
        cmocka_unit_test(record_of_a_wrong_size_is_refused),
        cmocka_unit_test(certificate_fits_a_message_and_is_borrowed_from_it),
        cmocka_unit_test(join_fits_a_message_and_is_borrowed_from_it),
        cmocka_unit_test(join_of_a_wrong_size_is_refused),
        cmocka_unit_test(hello_with_empty_lists_round_trips),
        cmocka_unit_test(largest_hello_fits),
        cmocka_unit_test(bytes_of_a_small_message_are_fixed),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(hello_without_a_required_key_is_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(unknown_keys_are_skipped),
        cmocka_unit_test(unknown_type_is_told_apart),
        cmocka_unit_test(type_must_come_first),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(unknown_candidate_kinds_are_skipped),
        cmocka_unit_test(short_candidates_are_refused),
        cmocka_unit_test(mapped_addresses_become_ipv4),
        cmocka_unit_test(excess_items_are_refused),
        cmocka_unit_test(name_that_a_terminal_obeys_is_refused),
        cmocka_unit_test(group_mac_is_refused),
        cmocka_unit_test(encoding_without_room_goes_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
