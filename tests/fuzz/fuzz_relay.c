/* SPDX-License-Identifier: Apache-2.0 */
/* A relay with one bound pair, and an end: envelopes and messages of anybody. What passes goes to the other end alone, nothing
 * goes in an envelope twice, no answer is longer than its question, and what decodes encodes to the same bytes. The first byte
 * says from where: both ends, or elsewhere; and whether the channel is to be right. */

#include "proto/relay/relay.h"
#include "proto/relay/relay_end.h"
#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void fill(void *context, void *out, size_t len)
{
    uint8_t *next = context;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = ++*next;
}

static struct addr at(uint8_t host)
{
    return (struct addr){.family = 4, .port = 9443, .ip = {192, 0, 2, host}};
}

static void bind_end(struct relay *r, const struct relay_grant *g, unsigned end)
{
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g->channel, .number = 1};
    const struct relay_hop from = {.remote = at((uint8_t)end)};
    uint8_t bytes[RELAY_MESSAGE_LEN], back[RELAY_MESSAGE_LEN];
    struct relay_binding bound;
    for (; m.number < 3; m.number++) {
        check(relay_message_encode(&m, g->tokens[end], bytes) == 0);
        check(relay_bind(r, &from, bytes, sizeof(bytes), 1, back, &bound) == RELAY_ANSWER);
        memcpy(m.cookie, back + ENVELOPE_LEN + 12, sizeof(m.cookie));
    }
    check(bound.fresh);
}

static void check_message(const uint8_t *data, size_t len, const uint8_t *token)
{
    struct relay_message m;
    uint8_t again[RELAY_MESSAGE_LEN];
    if (relay_message_decode(data, len, &m))
        return;
    check(relay_message_encode(&m, token, again) == 0);
    check(memcmp(again, data, RELAY_MESSAGE_LEN - RELAY_MAC_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t seed = 0, bytes[2048], back[RELAY_MESSAGE_LEN];
    const struct relay_config config = {1u << 30, 16, {fill, &seed}};
    const struct node_id ends[2] = {{{1}}, {{2}}};
    struct relay *r;
    struct relay_grant g;
    struct relay_hop hop;
    struct relay_binding bound;
    if (size < 1 || size > sizeof(bytes))
        return 0;
    check(relay_new(&config, &r) == 0 && relay_open(r, ends, 1, &g) == 0);
    bind_end(r, &g, 0);
    bind_end(r, &g, 1);
    size_t len = size - 1;
    unsigned end = data[0] & 3;
    memcpy(bytes, data + 1, len);
    if (data[0] & 4 && len >= ENVELOPE_LEN)
        envelope_encode(&(struct envelope){(enum envelope_kind)(bytes[1] & 1), g.channel}, bytes);
    const struct addr from = at((uint8_t)end), to = at((uint8_t)(1 - end));
    if (relay_pass(r, &from, bytes, len, len, 2, &hop) == RELAY_PASS)
        check(end < 2 && addr_equal(&hop.remote, &to) && bytes[ENVELOPE_LEN] != WIRE_RELAY);
    hop = (struct relay_hop){.remote = from};
    if (relay_bind(r, &hop, bytes, len, 2, back, &bound) == RELAY_ANSWER)
        check(len == RELAY_MESSAGE_LEN);
    check_message(bytes, len, g.tokens[0]);
    struct relay_end e = {0};
    relay_end_want(&e, 0, 1);
    check(relay_end_granted(&e, &from, g.channel, g.tokens[0], 1));
    check(!relay_end_on_answer(&e, &from, bytes, len,
                               2)); /* nothing here is made under its token for number 0 … */
    relay_free(r);
    return 0;
}
