/* SPDX-License-Identifier: Apache-2.0 */
/* Halves of pairs, in a table of each uplink: whoever names ids that collide is in nobody's way but its own. */

#include "backbone/uplink_pairs.h"

#include "backbone/uplink.h"
#include "backbone/relay_server.h"
#include "backbone/uplink_hub.h"
#include "base/table.h"
#include "crypto/secret.h"
#include "proto/admission/byte_rates.h"
#include <stdlib.h>
#include <string.h>

struct half_pair {
    struct uplink *from;
    struct node_id to;
    struct half_pair *other; /* to's half, which is for from; NULL: not a pair yet */
    struct half_pair *before, *after;
};

static struct half_pair *find(const struct uplink *u, const struct node_id *to)
{
    struct half_pair *h = u->pairs ? table_get(u->pairs, uplink_hub_key(u->hub, to)) : NULL;
    return h && id_compare(&h->to, to) == 0 ? h : NULL;
}

static void say(struct half_pair *h, bool on)
{
    const struct uplink_message m = {.kind = UPLINK_PAIRED, .id = h->to, .on = on};
    uplink_say(h->from, &m);
}

static void unite(struct half_pair *h)
{
    struct uplink *target = uplink_hub_find(h->from->hub, &h->to);
    struct half_pair *other = target && target != h->from ? find(target, &h->from->id) : NULL;
    if (!other)
        return;
    h->other = other;
    other->other = h;
    say(h, true);
    say(other, true);
    metrics_add(&h->from->hub->metrics->pairs);
}

static void part(struct half_pair *h)
{
    if (!h->other)
        return;
    say(h->other, false);
    h->other->other = NULL;
    h->other = NULL;
    metrics_subtract(&h->from->hub->metrics->pairs);
}

static bool has_room(struct uplink *u)
{
    unsigned most = u->hub->pair_count < UPLINK_PAIRS_EASY ? UPLINK_PAIRS : UPLINK_PAIRS_SPARSE;
    return u->hub->relays && u->pair_count < most && (u->pairs || table_new(&u->pairs) == 0);
}

/* NULL without room. */
static struct half_pair *add(struct uplink *u, const struct node_id *to)
{
    uint64_t key = uplink_hub_key(u->hub, to);
    if (!has_room(u) || table_get(u->pairs, key))
        return NULL;
    struct half_pair *h = calloc(1, sizeof(*h));
    if (!h || table_put(u->pairs, key, h) != 0) {
        free(h);
        return NULL;
    }
    *h = (struct half_pair){.from = u, .to = *to, .after = u->pair_list};
    if (u->pair_list)
        u->pair_list->before = h;
    u->pair_list = h;
    u->pair_count++;
    u->hub->pair_count++;
    return h;
}

static void remove_half(struct half_pair *h)
{
    struct uplink *u = h->from;
    part(h);
    (void)table_remove(u->pairs, uplink_hub_key(u->hub, &h->to));
    if (h->before)
        h->before->after = h->after;
    else
        u->pair_list = h->after;
    if (h->after)
        h->after->before = h->before;
    u->pair_count--;
    u->hub->pair_count--;
    free(h);
}

/* Consent is taken back: nothing passes any more. */
static void close_channel(const struct half_pair *h)
{
    const struct node_id ends[2] = {h->from->id, h->to};
    if (h->from->hub->relay)
        relay_server_close(h->from->hub->relay, ends, h->from->hub->now_us);
}

void uplink_pairs_set(struct uplink *u, const struct node_id *id, bool on)
{
    struct half_pair *h = find(u, id);
    if (on && h)
        return;
    if (!on) {
        const struct uplink_message off = {.kind = UPLINK_PAIRED, .id = *id};
        if (h && h->other)
            uplink_say(u, &off);
        if (h) {
            close_channel(h);
            remove_half(h);
        }
        return;
    }
    h = add(u, id);
    if (h) {
        unite(h);
    } else {
        const struct uplink_message full = {.kind = UPLINK_PAIRED, .id = *id};
        uplink_say(u, &full);
    }
}

bool uplink_pairs_awaits(const struct uplink *u, const struct node_id *id)
{
    return find(u, id);
}

static void grant(const struct half_pair *h, uint16_t port, const struct relay_grant *g, unsigned end)
{
    const struct uplink_message m = {.kind = UPLINK_RELAYED,
                                     .id = h->to,
                                     .port = port,
                                     .channel = g->channel,
                                     .token = {g->tokens[end], ENVELOPE_TOKEN_LEN}};
    uplink_say(h->from, &m);
}

void uplink_pairs_ask_relay(struct uplink *u, const struct node_id *id)
{
    struct half_pair *h = find(u, id);
    struct relay_server *relay = u->hub->relay;
    struct relay_grant g;
    if (!relay || !h || !h->other)
        return;
    const struct node_id ends[2] = {u->id, *id};
    if (relay_server_open(relay, ends, u->hub->now_us, &g))
        return;
    grant(h, relay_server_port(relay), &g, 0);
    grant(h->other, relay_server_port(relay), &g, 1);
    secret_wipe(&g, sizeof(g));
}

struct uplink *uplink_pairs_other(const struct uplink *u, const struct node_id *id)
{
    const struct half_pair *h = find(u, id);
    return h && h->other ? h->other->from : NULL;
}

/* Why it does not pass; UPLINK_DATAGRAMS_RELAYED when it does. */
static enum uplink_datagrams judge(struct uplink *u, const struct uplink *target, const struct batch *b)
{
    if (!target)
        return UPLINK_DATAGRAMS_UNPAIRED;
    struct byte_rates *rates = uplink_rates_datagrams(u->hub->rates);
    switch (byte_rates_take(rates, &u->source, b->len, batch_is_urgent(b), u->hub->now_us)) {
    case BYTE_RATES_PASS:
        return UPLINK_DATAGRAMS_RELAYED;
    case BYTE_RATES_SOURCE:
        return UPLINK_DATAGRAMS_SOURCE_RATE;
    case BYTE_RATES_ALL:
        return UPLINK_DATAGRAMS_RELAY_RATE;
    }
    return UPLINK_DATAGRAMS_UNPAIRED;
}

void uplink_pairs_relay(struct uplink *u, const struct uplink_message *m, struct batch *batch)
{
    struct uplink *target = uplink_pairs_other(u, &m->id);
    enum uplink_datagrams verdict = judge(u, target, batch);
    metrics_add_many(&u->hub->metrics->datagrams[verdict], batch_datagrams(batch));
    if (verdict != UPLINK_DATAGRAMS_RELAYED) {
        if (verdict != UPLINK_DATAGRAMS_UNPAIRED)
            uplink_say_limited(u, UPLINK_LIMITED_DATAGRAMS);
        batch_free(batch);
        return;
    }
    uint64_t dropped = target->out.queue.dropped;
    memcpy(batch->bytes + UPLINK_BATCH_ID_AT, u->id.bytes, ID_LEN);
    batch_queue_put(&target->out.queue, batch, u->hub->now_us);
    metrics_add_many(&u->hub->metrics->datagrams[UPLINK_DATAGRAMS_QUEUE],
                     target->out.queue.dropped - dropped);
    uplink_hub_list(target);
}

void uplink_pairs_leave(struct uplink *u)
{
    while (u->pair_list)
        remove_half(u->pair_list);
    table_free(u->pairs);
    u->pairs = NULL;
}
