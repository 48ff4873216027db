/* SPDX-License-Identifier: Apache-2.0 */
/* A set's entries and what all its files ask of them. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_set.h"

#include "proto/wire/wire.h"
#include <stdlib.h>

#define WAKE_GAP_US 200000ull

/* ---- entries ---- */

struct path_entry *path_set_next(const struct path_set *set, const struct path_entry *e)
{
    return e ? e->next : set->first;
}

struct path_entry *path_set_at(const struct path_set *set, uint8_t place)
{
    struct path_entry *e = set->first;
    while (e && e->place < place)
        e = e->next;
    return e && e->place == place ? e : NULL;
}

struct path_entry *path_set_put(struct path_set *set, uint8_t place, const struct endpoint *to,
                                uint64_t now_us)
{
    struct path_entry **at = &set->first, *e = malloc(sizeof(*e));
    if (!e)
        return NULL;
    path_entry_init(e, place, to, now_us);
    while (*at && (*at)->place <= place)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    return e;
}

void path_set_remove(struct path_set *set, struct path_entry *e)
{
    struct path_entry **at = &set->first;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    if (set->best == e)
        set->best = NULL;
    free(e);
}

struct path_entry *path_set_find(const struct path_set *set, const struct endpoint *to)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (endpoint_same_path(&e->path.endpoint, to))
            return e;
    }
    return NULL;
}

/* ---- what is so of them ---- */

bool path_set_by_stream(const struct path_entry *e)
{
    return e->path.endpoint.carrier == CARRIER_TCP || e->path.endpoint.carrier == CARRIER_UPLINK;
}

uint16_t path_set_limit(const struct path_set *set, const struct path_entry *e)
{
    uint16_t max = set->config.local_max;
    if (path_set_by_stream(e))
        return PATH_STREAM_SIZE_MAX;
    if (e->path.endpoint.carrier != CARRIER_RELAY)
        return max;
    return max > WIRE_LEAST_SIZE + ENVELOPE_LEN ? max - ENVELOPE_LEN : WIRE_LEAST_SIZE;
}

void path_set_heard(struct path_set *set, uint64_t now_us)
{
    if (now_us > set->now_us)
        set->now_us = now_us;
}

bool path_set_report(struct path_set *set)
{
    struct path none = {0}, *now = set->best ? &set->best->path : &none;
    struct path *old = &set->reported;
    bool same =
        now->state == old->state && now->size == old->size && endpoint_same(&now->endpoint, &old->endpoint);
    set->reported = *now;
    return !same;
}

/* ---- asking ---- */

void path_set_retry(struct path_entry *e, uint64_t now_us)
{
    if (e->path.state == PATH_STATE_FAILED && e->sent_us + WAKE_GAP_US <= now_us)
        path_entry_try(e, now_us);
}

void path_set_ask_all(struct path_set *set, uint64_t now_us)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        e->failures = 0;
        path_set_retry(e, now_us);
        if (path_entry_live(e) && e->sent_us + WAKE_GAP_US <= now_us)
            e->challenge_us = now_us;
    }
}
