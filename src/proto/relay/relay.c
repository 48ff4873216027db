/* SPDX-License-Identifier: Apache-2.0 */
/* Channels by number, ends by what they have shown. docs/PROTOCOL.md §17. */

#include "proto/relay/relay.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/table.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"
#include "proto/relay/relay_fair.h"
#include <stdlib.h>
#include <string.h>

/* One node, with how many channels it has. */
struct owner {
    struct node_id id;
    unsigned channels;
};

struct leg {
    struct owner *owner;
    uint8_t token[ENVELOPE_TOKEN_LEN];
    uint64_t number; /* of its newest message */
    uint64_t heard_us;
    struct relay_hop at; /* remote without family: not bound */
};

struct channel {
    uint32_t number;
    struct leg legs[2];
    uint64_t made_us;
    struct heap_node deadline;
    struct relay_share share;
};

struct relay {
    struct random_source random;
    uint8_t secret[ENVELOPE_TOKEN_LEN]; /* of cookies */
    uint64_t seed;                      /* of owners' keys: nobody chooses where in a table he lies */
    struct table *channels, *owners;
    struct heap deadlines;
    struct relay_fair fair;
    unsigned count;
};

/* ---- channels ---- */

int relay_new(const struct relay_config *config, struct relay **out)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->random = config->random;
    r->fair.bytes_per_s = config->bytes_per_s;
    random_fill(&r->random, r->secret, sizeof(r->secret));
    random_fill(&r->random, &r->seed, sizeof(r->seed));
    int err = table_new(&r->channels);
    if (!err)
        err = table_new(&r->owners);
    if (err)
        relay_free(r);
    else
        *out = r;
    return err;
}

static struct channel *channel_of(struct heap_node *n)
{
    return (struct channel *)(void *)((char *)n - offsetof(struct channel, deadline));
}

static uint64_t key_of(const struct relay *r, const struct node_id *id)
{
    uint64_t head;
    memcpy(&head, id->bytes, sizeof(head));
    return head ^ r->seed;
}

static void disown(struct relay *r, struct owner *o)
{
    if (--o->channels)
        return;
    (void)table_remove(r->owners, key_of(r, &o->id));
    free(o);
}

static void end_channel(struct relay *r, struct channel *c)
{
    (void)table_remove(r->channels, c->number);
    heap_remove(&r->deadlines, &c->deadline);
    relay_fair_leave(&r->fair, &c->share);
    disown(r, c->legs[0].owner);
    disown(r, c->legs[1].owner);
    secret_wipe(c, sizeof(*c));
    free(c);
    r->count--;
}

void relay_free(struct relay *r)
{
    struct heap_node *n;
    if (!r)
        return;
    while ((n = heap_first(&r->deadlines)))
        end_channel(r, channel_of(n));
    table_free(r->channels);
    table_free(r->owners);
    heap_fini(&r->deadlines);
    secret_wipe(r->secret, sizeof(r->secret));
    free(r);
}

/* Its channels count one more. NULL when it has too many, as has one whose key in the table is another's. */
static struct owner *own(struct relay *r, const struct node_id *id)
{
    struct owner *o = table_get(r->owners, key_of(r, id));
    unsigned most = r->count < RELAY_PAIRS_EASY ? RELAY_PER_ID : RELAY_PER_ID_MANY;
    if (o && (id_compare(&o->id, id) != 0 || o->channels >= most))
        return NULL;
    if (!o) {
        o = calloc(1, sizeof(*o));
        if (!o || table_put(r->owners, key_of(r, id), o) != 0) {
            free(o);
            return NULL;
        }
        o->id = *id;
    }
    o->channels++;
    return o;
}

static bool own_both(struct relay *r, const struct node_id ends[2], struct channel *c)
{
    c->legs[0].owner = own(r, &ends[0]);
    c->legs[1].owner = c->legs[0].owner ? own(r, &ends[1]) : NULL;
    if (c->legs[1].owner)
        return true;
    if (c->legs[0].owner)
        disown(r, c->legs[0].owner);
    return false;
}

static uint32_t free_number(const struct relay *r)
{
    uint32_t number;
    do
        random_fill(&r->random, &number, sizeof(number));
    while (number == 0 || table_get(r->channels, number));
    return number;
}

static int add_channel(struct relay *r, const struct node_id ends[2], struct channel *c)
{
    int err = heap_reserve(&r->deadlines);
    if (err)
        return err;
    if (!own_both(r, ends, c))
        return ERR_SPACE;
    err = table_put(r->channels, c->number, c);
    if (err) {
        disown(r, c->legs[0].owner);
        disown(r, c->legs[1].owner);
    }
    return err;
}

int relay_open(struct relay *r, const struct node_id ends[2], uint64_t now_us, struct relay_grant *out)
{
    if (r->count >= RELAY_PAIRS_MAX)
        return ERR_SPACE;
    struct channel *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->number = free_number(r);
    c->made_us = now_us;
    int err = add_channel(r, ends, c);
    if (err) {
        free(c);
        return err;
    }
    r->count++;
    heap_set(&r->deadlines, &c->deadline, now_us + RELAY_BIND_US);
    out->channel = c->number;
    for (unsigned i = 0; i < 2; i++) {
        random_fill(&r->random, c->legs[i].token, ENVELOPE_TOKEN_LEN);
        memcpy(out->tokens[i], c->legs[i].token, ENVELOPE_TOKEN_LEN);
    }
    return 0;
}

void relay_close(struct relay *r, uint32_t channel)
{
    struct channel *c = table_get(r->channels, channel);
    if (c)
        end_channel(r, c);
}

bool relay_has(const struct relay *r, uint32_t channel)
{
    return table_get(r->channels, channel);
}

unsigned relay_count(const struct relay *r)
{
    return r->count;
}

/* ---- what passes ---- */

static bool is_bound(const struct leg *l)
{
    return l->at.remote.family != 0;
}

static bool is_at(const struct leg *l, const struct addr *a)
{
    return is_bound(l) && addr_equal(&l->at.remote, a);
}

static enum relay_verdict verdict_of(enum drop drop)
{
    return drop == DROP_RELAY ? RELAY_NESTED : RELAY_MALFORMED;
}

enum relay_verdict relay_pass(struct relay *r, const struct addr *from, const uint8_t *head, size_t len,
                              size_t bytes, uint64_t now_us, struct relay_hop *out)
{
    struct envelope e;
    enum drop drop = envelope_decode(head, len, &e);
    if (drop)
        return verdict_of(drop);
    struct channel *c = table_get(r->channels, e.channel);
    if (!c)
        return RELAY_UNKNOWN;
    unsigned sender = is_at(&c->legs[1], from);
    if (!is_at(&c->legs[sender], from))
        return RELAY_SOURCE;
    c->legs[sender].heard_us = now_us;
    const struct leg *receiver = &c->legs[1 - sender];
    if (!is_bound(receiver) || now_us - receiver->heard_us > RELAY_SILENT_US)
        return RELAY_UNBOUND;
    if (!relay_fair_pass(&r->fair, &c->share, bytes, now_us))
        return RELAY_SHARE;
    *out = receiver->at;
    return RELAY_PASS;
}

void relay_press(struct relay *r, unsigned percent)
{
    relay_fair_press(&r->fair, percent);
}

/* ---- who is where ---- */

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
    *out = (struct relay_binding){l->owner->id, other->owner->id, !is_at(l, &from->remote)};
    l->at = *from;
    l->heard_us = now_us;
}

static enum relay_verdict answer_with(const struct relay_message *m, const struct leg *l,
                                      uint8_t answer[RELAY_MESSAGE_LEN])
{
    return relay_message_encode(m, l->token, answer) ? RELAY_MALFORMED : RELAY_ANSWER;
}

enum relay_verdict relay_bind(struct relay *r, const struct relay_hop *from, const uint8_t *data, size_t len,
                              uint64_t now_us, uint8_t answer[RELAY_MESSAGE_LEN], struct relay_binding *out)
{
    struct relay_message m;
    *out = (struct relay_binding){0};
    if (relay_message_decode(data, len, &m) || m.kind != RELAY_MESSAGE_BIND)
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
    if (is_at(other, &from->remote))
        return RELAY_SOURCE;
    l->number = m.number;
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

/* ---- their end ---- */

static uint64_t end_of(const struct channel *c)
{
    const struct leg *a = &c->legs[0], *b = &c->legs[1];
    if (!is_bound(a) || !is_bound(b))
        return c->made_us + RELAY_BIND_US;
    return (a->heard_us < b->heard_us ? a->heard_us : b->heard_us) + RELAY_IDLE_US;
}

/* What was heard since a deadline was set puts it off only now. */
bool relay_expire(struct relay *r, uint64_t now_us, struct node_id ends[2])
{
    struct heap_node *n;
    while ((n = heap_first(&r->deadlines)) && n->at_us <= now_us) {
        struct channel *c = channel_of(n);
        if (end_of(c) > now_us) {
            heap_set(&r->deadlines, n, end_of(c));
            continue;
        }
        ends[0] = c->legs[0].owner->id;
        ends[1] = c->legs[1].owner->id;
        end_channel(r, c);
        return true;
    }
    return false;
}

uint64_t relay_next_deadline(const struct relay *r)
{
    const struct heap_node *n = heap_first(&r->deadlines);
    return n ? n->at_us : TIME_NEVER;
}
