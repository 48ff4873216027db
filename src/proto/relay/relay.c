/* SPDX-License-Identifier: Apache-2.0 */
/* Channels by number, ends by what they have shown. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_impl.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include <stdlib.h>
#include <string.h>

#define PAIR_FACTOR 0x9e3779b97f4a7c15ull /* spreads what is multiplied by it over all bits */

/* ---- channels ---- */

int relay_new(const struct relay_config *config, struct relay **out)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->random = config->random;
    r->fair.bytes_per_s = config->bytes_per_s;
    r->channels_max = config->channels_max;
    random_fill(&r->random, r->secret, sizeof(r->secret));
    random_fill(&r->random, &r->seed, sizeof(r->seed));
    int err = table_new(&r->channels);
    if (!err)
        err = table_new(&r->pairs);
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

/* Of two nodes, whichever is named first. */
static uint64_t pair_key(const struct relay *r, const struct node_id ends[2])
{
    unsigned first = id_compare(&ends[0], &ends[1]) > 0;
    uint64_t other;
    memcpy(&other, ends[1 - first].bytes, sizeof(other));
    return key_of(r, &ends[first]) * PAIR_FACTOR + other;
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
    if (c->number)
        (void)table_remove(r->channels, c->number);
    r->closed -= c->number == 0;
    (void)table_remove(r->pairs, c->pair);
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
    table_free(r->pairs);
    table_free(r->owners);
    heap_fini(&r->deadlines);
    secret_wipe(r->secret, sizeof(r->secret));
    free(r);
}

/* Its channels count one more. NULL when it has too many, as has one whose key in the table is another's. */
static struct owner *own(struct relay *r, const struct node_id *id)
{
    struct owner *o = table_get(r->owners, key_of(r, id));
    unsigned most = r->count < r->channels_max / 2 ? RELAY_PER_ID : RELAY_PER_ID_MANY;
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
    o->away = false;
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

static int list_channel(struct relay *r, struct channel *c)
{
    int err = table_put(r->channels, c->number, c);
    if (err)
        return err;
    err = table_put(r->pairs, c->pair, c);
    if (err)
        (void)table_remove(r->channels, c->number);
    return err;
}

static int add_channel(struct relay *r, const struct node_id ends[2], struct channel *c)
{
    int err = heap_reserve(&r->deadlines);
    if (err)
        return err;
    if (!own_both(r, ends, c))
        return ERR_SPACE;
    err = list_channel(r, c);
    if (err) {
        disown(r, c->legs[0].owner);
        disown(r, c->legs[1].owner);
    }
    return err;
}

static bool is_between(const struct channel *c, const struct node_id ends[2])
{
    unsigned first = id_compare(&c->legs[0].owner->id, &ends[0]) != 0;
    return id_compare(&c->legs[first].owner->id, &ends[0]) == 0 &&
           id_compare(&c->legs[1 - first].owner->id, &ends[1]) == 0;
}

/* Makes way for a new one of the pair. */
static int replace(struct relay *r, const struct node_id ends[2], uint64_t now_us)
{
    struct channel *before = table_get(r->pairs, pair_key(r, ends));
    if (!before)
        return 0;
    if (!is_between(before, ends))
        return ERR_SPACE; /* another pair has its place in the table */
    if (now_us - before->made_us < RELAY_AGAIN_US)
        return ERR_AGAIN;
    end_channel(r, before);
    return 0;
}

static void grant(struct relay *r, struct channel *c, struct relay_grant *out)
{
    out->channel = c->number;
    for (unsigned i = 0; i < 2; i++) {
        random_fill(&r->random, c->legs[i].token, ENVELOPE_TOKEN_LEN);
        memcpy(out->tokens[i], c->legs[i].token, ENVELOPE_TOKEN_LEN);
    }
}

int relay_open(struct relay *r, const struct node_id ends[2], uint64_t now_us, struct relay_grant *out)
{
    int err = replace(r, ends, now_us);
    if (err)
        return err;
    if (r->count >= r->channels_max)
        return ERR_SPACE;
    struct channel *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->number = free_number(r);
    c->pair = pair_key(r, ends);
    c->made_us = now_us;
    err = add_channel(r, ends, c);
    if (err) {
        free(c);
        return err;
    }
    r->count++;
    heap_set(&r->deadlines, &c->deadline, now_us + RELAY_BIND_US);
    grant(r, c, out);
    return 0;
}

void relay_close(struct relay *r, const struct node_id ends[2], uint64_t now_us)
{
    struct channel *c = table_get(r->pairs, pair_key(r, ends));
    if (!c || !c->number || !is_between(c, ends))
        return;
    (void)table_remove(r->channels, c->number);
    relay_fair_leave(&r->fair, &c->share);
    c->number = 0;
    r->closed++;
    heap_set(&r->deadlines, &c->deadline, c->made_us + RELAY_AGAIN_US);
    if (now_us - c->made_us >= RELAY_AGAIN_US)
        end_channel(r, c);
}

void relay_serve(struct relay *r, const struct node_id *id, bool on)
{
    struct owner *o = table_get(r->owners, key_of(r, id));
    if (o && id_compare(&o->id, id) == 0)
        o->away = !on;
}

bool relay_has(const struct relay *r, uint32_t channel)
{
    return table_get(r->channels, channel);
}

unsigned relay_count(const struct relay *r)
{
    return r->count - r->closed;
}

/* ---- what passes ---- */

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
    unsigned sender = leg_is_at(&c->legs[1], from);
    if (!leg_is_at(&c->legs[sender], from))
        return RELAY_SOURCE;
    const struct leg *receiver = &c->legs[1 - sender];
    if (c->legs[sender].owner->away || receiver->owner->away)
        return RELAY_UNBOUND;
    c->legs[sender].heard_us = now_us;
    if (!leg_is_bound(receiver) || now_us - receiver->heard_us > RELAY_SILENT_US)
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

/* ---- their end ---- */

static uint64_t end_of(const struct channel *c)
{
    const struct leg *a = &c->legs[0], *b = &c->legs[1];
    if (!c->number)
        return c->made_us + RELAY_AGAIN_US;
    if (!leg_is_bound(a) || !leg_is_bound(b))
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
        bool told = c->number != 0;
        ends[0] = c->legs[0].owner->id;
        ends[1] = c->legs[1].owner->id;
        end_channel(r, c);
        if (told)
            return true;
    }
    return false;
}
