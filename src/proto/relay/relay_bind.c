/* SPDX-License-Identifier: Apache-2.0 */
/* Who shows that he receives at an address, and holds an end's token. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_impl.h"

#include "crypto/kdf.h"
#include "crypto/secret.h"
#include <string.h>

/* Of whom it is that receives at an address: nothing is remembered for it. */
static int cookie_for(const struct relay *r, uint32_t channel, const struct addr *at, uint64_t epoch,
                      uint8_t out[RELAY_COOKIE_LEN])
{
    uint8_t text[4 + 1 + 2 + 16 + 8], whole[KDF_LEN];
    struct writer w = writer_init(text, sizeof(text));
    writer_u32(&w, channel);
    writer_u8(&w, at->family);
    writer_u16(&w, at->port);
    writer_put(&w, at->ip, sizeof(at->ip));
    writer_u64(&w, epoch);
    int err = kdf_extract(r->secret, sizeof(r->secret), text, sizeof(text), whole);
    memcpy(out, whole, RELAY_COOKIE_LEN);
    return err;
}

static bool shows(const struct relay *r, const struct relay_message *m, const struct addr *at,
                  uint64_t now_us)
{
    uint8_t cookie[RELAY_COOKIE_LEN];
    uint64_t epoch = now_us / RELAY_COOKIE_US;
    for (unsigned age = 0; age < 2; age++)
        if (!cookie_for(r, m->channel, at, epoch - age, cookie) &&
            secret_equal(cookie, m->cookie, sizeof(cookie)))
            return true;
    return false;
}

static struct leg *leg_of(struct channel *c, const uint8_t *data)
{
    for (unsigned i = 0; i < 2; i++)
        if (!relay_message_verify(data, c->legs[i].token))
            return &c->legs[i];
    return NULL;
}

static void bind_leg(struct leg *l, const struct leg *other, const struct relay_hop *from, uint64_t now_us,
                     struct relay_binding *out)
{
    *out = (struct relay_binding){l->owner->id, other->owner->id, !leg_is_at(l, &from->remote)};
    l->at = *from;
    l->heard_us = now_us;
}

static enum relay_verdict answer_with(const struct relay_message *m, const struct leg *l,
                                      uint8_t answer[RELAY_MESSAGE_LEN])
{
    return relay_message_encode(m, l->token, answer) ? RELAY_MALFORMED : RELAY_ANSWER;
}

/* Only to who is where it bound. */
static enum relay_verdict tell_where(const struct relay_message *m, const struct relay_hop *from,
                                     const struct leg *l, const struct leg *other,
                                     uint8_t answer[RELAY_MESSAGE_LEN])
{
    struct relay_message here = {.kind = RELAY_MESSAGE_HERE, .channel = m->channel, .number = m->number};
    if (!leg_is_at(l, &from->remote))
        return RELAY_SOURCE;
    relay_message_put_place(&here, &other->at.remote);
    return answer_with(&here, l, answer);
}

bool relay_may_bind(struct relay *r, uint32_t channel, uint64_t now_us)
{
    static const struct bucket_rate rate = {RELAY_BINDS_US, RELAY_BINDS_BURST};
    struct channel *c = table_get(r->channels, channel);
    return c && bucket_take(&c->binds, &rate, 1, now_us);
}

enum relay_verdict relay_bind(struct relay *r, const struct relay_hop *from, const uint8_t *data, size_t len,
                              uint64_t now_us, uint8_t answer[RELAY_MESSAGE_LEN], struct relay_binding *out)
{
    struct relay_message m;
    *out = (struct relay_binding){0};
    if (relay_message_decode(data, len, &m) ||
        (m.kind != RELAY_MESSAGE_BIND && m.kind != RELAY_MESSAGE_WHERE))
        return RELAY_MALFORMED;
    struct channel *c = table_get(r->channels, m.channel);
    if (!c)
        return RELAY_UNKNOWN;
    struct leg *l = leg_of(c, data);
    if (!l)
        return RELAY_FORGED;
    if (m.number <= l->number)
        return RELAY_REPLAYED;
    const struct leg *other = l == &c->legs[0] ? &c->legs[1] : &c->legs[0];
    if (leg_is_at(other, &from->remote))
        return RELAY_SOURCE;
    l->number = m.number;
    if (m.kind == RELAY_MESSAGE_WHERE)
        return tell_where(&m, from, l, other, answer);
    struct relay_message reply = {.kind = RELAY_MESSAGE_BOUND, .channel = m.channel, .number = m.number};
    if (shows(r, &m, &from->remote, now_us)) {
        bind_leg(l, other, from, now_us, out);
    } else {
        reply.kind = RELAY_MESSAGE_COOKIE;
        if (cookie_for(r, m.channel, &from->remote, now_us / RELAY_COOKIE_US, reply.cookie))
            return RELAY_MALFORMED;
    }
    return answer_with(&reply, l, answer);
}
