/* SPDX-License-Identifier: Apache-2.0 */
/* What a node and its helpers say to each other: every kind there and back, and what a helper that was taken over
 * could send. */
#include "node/helper/helper_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct addr v4 = {.family = 4, .port = 8080, .ip = {198, 51, 100, 1}};
static const struct addr v6 = {.family = 6, .port = 3478, .scope = 7, .ip = {0xfe, 0x80, [15] = 9}};
static uint8_t record[8192], signature[4627];

static struct helper_message of_kind(enum helper_kind kind)
{
    struct helper_message m = {.kind = kind, .token = 0xa1b2c3d4};
    return m;
}

static struct helper_message longest(void)
{
    struct helper_message m = of_kind(HELPER_BACKBONE);
    m.verdict = BACKBONE_REFUSED;
    m.date_s = 1800000000;
    m.number = UINT64_MAX;
    m.interface = UINT32_MAX;
    memset(m.text, 'x', sizeof(m.text) - 1);
    for (m.address_count = 0; m.address_count < HELPER_ADDRESSES_MAX; m.address_count++)
        m.addresses[m.address_count] = m.address_count % 2 ? v6 : v4;
    m.data = (struct slice){record, sizeof(record)};
    m.signature = (struct slice){signature, sizeof(signature)};
    return m;
}

static int decode(const struct helper_message *m, struct helper_message *out)
{
    static uint8_t bytes[HELPER_MESSAGE_MAX];
    size_t len;
    assert_int_equal(helper_message_encode(m, bytes, &len), 0);
    return helper_message_decode(bytes, len, out);
}

static void longest_message_comes_back_as_it_was(void **state)
{
    const struct helper_message m = longest();
    struct helper_message out;
    (void)state;
    record[8191] = signature[4626] = 0xee;
    assert_int_equal(decode(&m, &out), 0);
    assert_int_equal(out.kind, HELPER_BACKBONE);
    assert_int_equal(out.token, 0xa1b2c3d4);
    assert_int_equal(out.verdict, BACKBONE_REFUSED);
    assert_true(out.date_s == 1800000000 && out.number == UINT64_MAX);
    assert_string_equal(out.text, m.text);
    assert_int_equal(out.address_count, HELPER_ADDRESSES_MAX);
    for (unsigned i = 0; i < out.address_count; i++)
        assert_true(addr_equal(&out.addresses[i], &m.addresses[i]));
    assert_true(out.data.len == sizeof(record) && out.data.data[8191] == 0xee);
    assert_true(out.signature.len == sizeof(signature) && out.signature.data[4626] == 0xee);
}

static void fields_of_other_kinds_are_not_sent(void **state)
{
    (void)state;
    for (enum helper_kind kind = HELPER_READY; kind < HELPER_BACKBONE; kind++) {
        struct helper_message m = longest(), out;
        m.kind = kind;
        assert_int_equal(decode(&m, &out), 0);
        assert_int_equal(out.kind, kind);
        assert_true(out.verdict == BACKBONE_OK && out.date_s == 0);
        bool of_one = kind >= HELPER_ASK_INFO && kind <= HELPER_ASK_RECORD;
        assert_int_equal(out.number != 0, of_one);
        assert_int_equal(out.interface, of_one ? m.interface : 0);
        assert_int_equal(out.signature.len > 0, kind == HELPER_ASK_REGISTER);
        assert_int_equal(out.text[0] != '\0', of_one || kind == HELPER_UNABLE || kind == HELPER_ENDED ||
                                                  kind == HELPER_ASK_NAME || kind == HELPER_NAME);
    }
}

static void messages_about_the_uplink_carry_what_is_theirs(void **state)
{
    (void)state;
    for (enum helper_kind kind = HELPER_UPLINK_READY; kind <= HELPER_UPLINK_LEAVE; kind++) {
        struct helper_message m = longest(), out;
        m.kind = kind;
        assert_int_equal(decode(&m, &out), 0);
        bool has_number = kind == HELPER_UPLINK_CLOSED || kind == HELPER_UPLINK_DROPPED ||
                          kind == HELPER_UPLINK_LEAVE || kind == HELPER_UPLINK_CONNECT;
        assert_int_equal(out.number == m.number, has_number);
        assert_int_equal(out.address_count > 0, kind == HELPER_UPLINK_CONNECT);
        assert_int_equal(out.interface, kind == HELPER_UPLINK_CONNECT ? m.interface : 0);
        assert_int_equal(out.text[0] != '\0', kind == HELPER_UPLINK_CLOSED || kind == HELPER_UPLINK_CONNECT);
        assert_true(out.data.len == 0 && out.signature.len == 0 && out.date_s == 0);
    }
}

static void messages_about_port_mappings_carry_what_is_theirs(void **state)
{
    (void)state;
    for (enum helper_kind kind = HELPER_PORTMAP_ASK; kind <= HELPER_PORTMAP; kind++) {
        struct helper_message m = longest(), out;
        m.kind = kind;
        assert_int_equal(decode(&m, &out), 0);
        assert_int_equal(out.address_count, HELPER_ADDRESSES_MAX);
        assert_int_equal(out.number == m.number, kind == HELPER_PORTMAP);
        assert_int_equal(out.text[0] != '\0' && out.data.len > 0, kind == HELPER_PORTMAP);
        assert_true(out.signature.len == 0 && out.date_s == 0);
    }
}

static void messages_about_doors_carry_what_is_theirs(void **state)
{
    (void)state;
    for (enum helper_kind kind = HELPER_DOORS_OPEN; kind <= HELPER_DOORS_COUNTS; kind++) {
        struct helper_message m = longest(), out;
        m.kind = kind;
        assert_int_equal(decode(&m, &out), 0);
        assert_int_equal(out.interface, kind == HELPER_DOORS_OPEN ? m.interface : 0);
        assert_int_equal(out.data.len, kind == HELPER_DOORS_LISTEN ? 0 : m.data.len);
        assert_int_equal(out.number, kind == HELPER_DOORS_LISTEN ? m.number : 0);
        assert_true(out.address_count == 0 && out.text[0] == '\0' && out.signature.len == 0);
    }
}

static void cut_or_prolonged_message_is_refused(void **state)
{
    const struct helper_message m = longest();
    static uint8_t bytes[HELPER_MESSAGE_MAX];
    struct helper_message out;
    size_t len;
    (void)state;
    assert_int_equal(helper_message_encode(&m, bytes, &len), 0);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(helper_message_decode(bytes, cut, &out), ERR_FORMAT);
    assert_int_equal(helper_message_decode(bytes, len + 1, &out), ERR_FORMAT);
}

static void kinds_and_verdicts_that_do_not_exist_are_refused(void **state)
{
    uint8_t bytes[32] = {HELPER_READY};
    struct helper_message out;
    (void)state;
    assert_int_equal(helper_message_decode(bytes, 5, &out), 0);
    bytes[0] = 0;
    assert_int_equal(helper_message_decode(bytes, 5, &out), ERR_FORMAT);
    bytes[0] = HELPER_PORTMAP + 1;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    bytes[0] = HELPER_BACKBONE;
    const size_t empty = 5 + 17 + 2 + 1 + 2 + 2;
    assert_int_equal(helper_message_decode(bytes, empty, &out), 0);
    bytes[5] = BACKBONE_FORGED + 1;
    assert_int_equal(helper_message_decode(bytes, empty, &out), ERR_FORMAT);
}

static void text_that_a_terminal_obeys_is_refused_both_ways(void **state)
{
    uint8_t bytes[] = {HELPER_ENDED, 0, 0, 0, 0, 0, 2, 'a', 0x1b};
    struct helper_message m = of_kind(HELPER_ENDED), out;
    size_t len;
    (void)state;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    bytes[8] = 0;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    bytes[8] = 'b';
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), 0);
    strcpy(m.text, "a\x1b");
    assert_int_equal(helper_message_encode(&m, (uint8_t[HELPER_MESSAGE_MAX]){0}, &len), ERR_ARGUMENT);
}

static void foreign_text_is_cut_and_cleaned(void **state)
{
    struct helper_message m = of_kind(HELPER_ENDED), out;
    char words[400];
    (void)state;
    memset(words, 'y', sizeof(words));
    memcpy(words, "a\nb\x1b[31m", 8);
    memcpy(words + 254, "\xc3\xa4", 2); /* the cut is in the middle of it */
    words[399] = '\0';
    helper_message_set_text(&m, words);
    assert_int_equal(strlen(m.text), HELPER_TEXT_MAX - 1);
    assert_int_equal(strncmp(m.text, "a?b?[31m", 8), 0);
    assert_int_equal(decode(&m, &out), 0);
}

static void addresses_are_of_a_known_family_and_not_too_many(void **state)
{
    uint8_t bytes[] = {HELPER_NAME, 0, 0, 0, 0, 0, 0, 1, 4, 192, 0, 2, 1, 0, 0, 0, 0, 0x1f, 0x90};
    struct helper_message out;
    (void)state;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), 0);
    assert_true(out.addresses[0].family == 4 && out.addresses[0].port == 8080);
    bytes[8] = 5;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    bytes[8] = 4;
    bytes[16] = 1; /* a scope */
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    bytes[16] = 0;
    bytes[7] = HELPER_ADDRESSES_MAX + 1;
    assert_int_equal(helper_message_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
}

/* ---- the channel ---- */

static int open_channel(void **state)
{
    static int ends[2];
    *state = ends;
    return helper_channel_open(&ends[0], &ends[1]);
}

static int close_channel(void **state)
{
    int *ends = *state;
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return 0;
}

static void messages_pass_whole_and_the_nodes_end_does_not_wait(void **state)
{
    static struct helper_packet packet;
    const struct helper_message m = longest();
    int *ends = *state;
    assert_int_equal(helper_channel_receive(ends[0], &packet), ERR_AGAIN);
    assert_int_equal(helper_channel_send(ends[1], &m), 0);
    assert_int_equal(helper_channel_receive(ends[0], &packet), 0);
    assert_int_equal(packet.message.data.len, sizeof(record));
    assert_int_equal(helper_channel_receive(ends[0], &packet), ERR_AGAIN);
}

static void node_that_asks_more_than_is_taken_is_told(void **state)
{
    const struct helper_message m = longest();
    int *ends = *state, sent = 0;
    while (sent < 1000 && helper_channel_send(ends[0], &m) == 0)
        sent++;
    assert_int_equal(helper_channel_send(ends[0], &m), ERR_AGAIN);
    assert_true(sent > 2 && sent < 1000);
}

static void packet_that_is_too_long_is_refused(void **state)
{
    static struct helper_packet packet;
    static uint8_t bytes[HELPER_MESSAGE_MAX + 1] = {HELPER_READY};
    int *ends = *state;
    assert_int_equal(send(ends[1], bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_int_equal(helper_channel_receive(ends[0], &packet), ERR_FORMAT);
}

static void end_of_the_other_side_is_seen(void **state)
{
    static struct helper_packet packet;
    const struct helper_message m = of_kind(HELPER_READY);
    int *ends = *state;
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(helper_channel_receive(ends[0], &packet), ERR_CLOSED);
    assert_int_equal(helper_channel_send(ends[0], &m), ERR_CLOSED);
}

int main(void)
{
#define with_channel(name) cmocka_unit_test_setup_teardown(name, open_channel, close_channel)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_message_comes_back_as_it_was),
        cmocka_unit_test(fields_of_other_kinds_are_not_sent),
        cmocka_unit_test(messages_about_the_uplink_carry_what_is_theirs),
        cmocka_unit_test(messages_about_port_mappings_carry_what_is_theirs),
        cmocka_unit_test(messages_about_doors_carry_what_is_theirs),
        cmocka_unit_test(cut_or_prolonged_message_is_refused),
        cmocka_unit_test(kinds_and_verdicts_that_do_not_exist_are_refused),
        cmocka_unit_test(text_that_a_terminal_obeys_is_refused_both_ways),
        cmocka_unit_test(foreign_text_is_cut_and_cleaned),
        cmocka_unit_test(addresses_are_of_a_known_family_and_not_too_many),
        with_channel(messages_pass_whole_and_the_nodes_end_does_not_wait),
        with_channel(node_that_asks_more_than_is_taken_is_told),
        with_channel(packet_that_is_too_long_is_refused),
        with_channel(end_of_the_other_side_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
