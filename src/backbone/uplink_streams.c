/* SPDX-License-Identifier: Apache-2.0 */
/* One table of all legs, by uplink and number. A leg without another is closing: we have said CLOSE on it, and wait for the
 * answer. docs/PROTOCOL.md §15. */

#include "backbone/uplink_streams.h"

#include "backbone/uplink.h"
#include "backbone/uplink_hub.h"
#include "backbone/uplink_pairs.h"
#include "base/table.h"
#include <stdlib.h>

struct leg {
    struct uplink *uplink;
    struct leg *other; /* NULL: closing */
    struct leg *before, *after;
    uint32_t number;
    uint32_t credit; /* bytes that its node may still send */
};

static uint64_t key_of(const struct uplink *u, uint32_t number)
{
    return ((uint64_t)u->serial << 32 | number) ^ u->hub->seed;
}

static struct leg *find(const struct uplink *u, uint32_t number)
{
    return table_get(u->hub->legs, key_of(u, number));
}

static bool is_nodes(uint32_t number)
{
    return number % 2 == 1;
}

static unsigned *count_of(struct uplink *u, uint32_t number)
{
    return is_nodes(number) ? &u->opened : &u->taken;
}

static void say_close(struct uplink *u, uint32_t number, enum uplink_end code)
{
    const struct uplink_message m = {.kind = UPLINK_CLOSE, .stream = number, .code = (uint8_t)code};
    uplink_say(u, &m);
}

/* NULL without memory. */
static struct leg *add(struct uplink *u, uint32_t number)
{
    struct leg *l = calloc(1, sizeof(*l));
    if (!l || table_put(u->hub->legs, key_of(u, number), l) != 0) {
        free(l);
        return NULL;
    }
    *l = (struct leg){.uplink = u, .after = u->legs, .number = number, .credit = UPLINK_WINDOW};
    if (u->legs)
        u->legs->before = l;
    u->legs = l;
    ++*count_of(u, number);
    u->hub->leg_count++;
    return l;
}

static void remove_leg(struct leg *l)
{
    struct uplink *u = l->uplink;
    (void)table_remove(u->hub->legs, key_of(u, l->number));
    if (l->before)
        l->before->after = l->after;
    else
        u->legs = l->after;
    if (l->after)
        l->after->before = l->before;
    --*count_of(u, l->number);
    u->hub->leg_count--;
    free(l);
}

/* The other side of l hears CLOSE, and they are no stream any longer. */
static void cut_other(struct leg *l, enum uplink_end code)
{
    struct leg *other = l->other;
    l->other = NULL;
    other->other = NULL;
    say_close(other->uplink, other->number, code);
    metrics_subtract(&l->uplink->hub->metrics->streams);
}

static void cut_both(struct leg *l, enum uplink_end code)
{
    cut_other(l, code);
    say_close(l->uplink, l->number, code);
}

static uint32_t next_number(struct uplink *u)
{
    do
        u->last_number += 2;
    while (u->last_number == 0 || find(u, u->last_number));
    return u->last_number;
}

/* Who has said PAIR of u wants to hear of it: that takes nothing from what strangers may. */
static bool within_rate(struct uplink *u, struct uplink *target)
{
    struct uplink_hub *hub = u->hub;
    if (target && uplink_pairs_awaits(target, &u->id) && uplink_rates_awaited(&u->buckets, hub->now_us))
        return true;
    return uplink_rates_open(hub->rates, &u->buckets, &u->source, target ? &target->buckets : NULL,
                             hub->now_us);
}

/* UPLINK_END_DONE when a stream from u to target may begin. */
static enum uplink_end judge(struct uplink *u, struct uplink *target)
{
    struct uplink_hub *hub = u->hub;
    unsigned most = hub->leg_count < UPLINK_LEGS_EASY ? UPLINK_STREAMS : UPLINK_LEGS_SPARSE;
    if (!within_rate(u, target)) {
        uplink_say_limited(u, UPLINK_LIMITED_STREAMS);
        return UPLINK_END_TOO_MANY;
    }
    if (!target || target == u)
        return UPLINK_END_ABSENT;
    return u->opened < most && target->taken < most ? UPLINK_END_DONE : UPLINK_END_TOO_MANY;
}

/* UPLINK_END_TOO_MANY without memory. */
static enum uplink_end begin(struct uplink *u, uint32_t number, struct uplink *target)
{
    struct leg *near = add(u, number), *far = near ? add(target, next_number(target)) : NULL;
    if (!far) {
        if (near)
            remove_leg(near);
        return UPLINK_END_TOO_MANY;
    }
    near->other = far;
    far->other = near;
    const struct uplink_message open = {.kind = UPLINK_OPEN, .stream = far->number, .id = u->id};
    uplink_say(target, &open);
    metrics_add(&u->hub->metrics->streams);
    return UPLINK_END_DONE;
}

int uplink_streams_open(struct uplink *u, const struct uplink_message *m)
{
    if (!is_nodes(m->stream) || find(u, m->stream))
        return ERR_FORMAT;
    struct uplink *target = uplink_hub_find(u->hub, &m->id);
    enum uplink_end code = judge(u, target);
    if (code == UPLINK_END_DONE)
        code = begin(u, m->stream, target);
    metrics_add(&u->hub->metrics->opens[code]);
    if (code != UPLINK_END_DONE)
        say_close(u, m->stream, code);
    return 0;
}

void uplink_streams_data(struct uplink *u, const struct uplink_message *m)
{
    struct leg *l = find(u, m->stream);
    if (!l || !l->other)
        return;
    if (m->data.len > l->credit) {
        cut_both(l, UPLINK_END_RULES);
        return;
    }
    if (!uplink_rates_stream(&u->buckets, m->data.len, u->hub->now_us)) {
        uplink_say_limited(u, UPLINK_LIMITED_STREAMS);
        cut_both(l, UPLINK_END_RULES);
        return;
    }
    l->credit -= (uint32_t)m->data.len;
    const struct uplink_message on = {.kind = UPLINK_DATA, .stream = l->other->number, .data = m->data};
    uplink_say(l->other->uplink, &on);
    metrics_add_many(&u->hub->metrics->stream_bytes, m->data.len);
}

void uplink_streams_credit(struct uplink *u, const struct uplink_message *m)
{
    struct leg *l = find(u, m->stream);
    if (!l || !l->other)
        return;
    if (m->credit > UPLINK_GRANT_MAX - l->other->credit) {
        cut_both(l, UPLINK_END_RULES);
        return;
    }
    l->other->credit += m->credit;
    const struct uplink_message on = {.kind = UPLINK_CREDIT, .stream = l->other->number, .credit = m->credit};
    uplink_say(l->other->uplink, &on);
}

/* What a node may say of its own end: it knows nothing of the other's. */
static enum uplink_end nodes_code(uint8_t code)
{
    return code == UPLINK_END_DONE || code == UPLINK_END_TOO_MANY || code == UPLINK_END_RULES
               ? (enum uplink_end)code
               : UPLINK_END_REFUSED;
}

void uplink_streams_close(struct uplink *u, const struct uplink_message *m)
{
    struct leg *l = find(u, m->stream);
    if (!l)
        return;
    if (l->other) {
        cut_other(l, nodes_code(m->code));
        say_close(u, l->number, UPLINK_END_DONE);
    }
    remove_leg(l);
}

void uplink_streams_leave(struct uplink *u)
{
    while (u->legs) {
        if (u->legs->other)
            cut_other(u->legs, UPLINK_END_LOST);
        remove_leg(u->legs);
    }
}
