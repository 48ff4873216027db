/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the segment's addresses, the frames that wait for it, and time. */

#include "proto/neigh/neigh_impl.h"

#include "base/clock.h"
#include "proto/neigh/neigh_talk.h"
#include "proto/neigh/neigh_view.h"
#include <stdlib.h>
#include <string.h>

#define LIFE_US    (NEIGH_LIFE_S * USEC_PER_SEC)
#define CONFIRM_US (LIFE_US / 3)
#define ASK_US     (USEC_PER_SEC - 50 * USEC_PER_MSEC) /* a tick comes a little early now and then */

int neigh_new(const struct neigh_config *config, struct neigh **out)
{
    *out = NULL;
    struct neigh *n = calloc(1, sizeof(*n));
    if (!n)
        return ERR_NOMEM;
    n->config = *config;
    n->claimants = calloc(NEIGH_PEERS_MAX, sizeof(*n->claimants));
    if (!n->claimants || table_new(&n->entries)) {
        neigh_free(n);
        return ERR_NOMEM;
    }
    *out = n;
    return 0;
}

static void free_waiting(struct neigh_entry *e)
{
    for (unsigned i = 0; i < e->waiting; i++)
        free(e->waits[i].data);
    e->waiting = 0;
}

static void free_entry(void *context, void *value)
{
    (void)context;
    free_waiting(value);
    free(value);
}

void neigh_free(struct neigh *n)
{
    if (!n)
        return;
    if (n->entries)
        table_each(n->entries, free_entry, NULL);
    table_free(n->entries);
    free(n->claimants);
    free(n);
}

/* ---- entries ---- */

struct neigh_entry *neigh_find(const struct neigh *n, const struct addr *a)
{
    struct neigh_entry *e = table_get(n->entries, neigh_table_key(n->config.table, a));
    return e && addr_same_host(&e->addr, a) ? e : NULL;
}

/* Two addresses of one key are a matter of 2^64: the later one does without. */
struct neigh_entry *neigh_entry_new(struct neigh *n, const struct addr *a)
{
    uint64_t key = neigh_table_key(n->config.table, a);
    struct neigh_entry *e = table_get(n->entries, key) ? NULL : calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    *e = (struct neigh_entry){.addr = *a, .key = key, .place = NEIGH_UNPLACED};
    if (table_put(n->entries, key, e)) {
        free(e);
        return NULL;
    }
    return e;
}

void neigh_forget(struct neigh *n, struct neigh_entry *e)
{
    n->lost += e->waiting;
    neigh_unplace(n, e);
    neigh_table_remove(n->config.table, &e->addr);
    e->known = false;
    e->tries = 0;
    if (e->claims) {
        free_waiting(e);
        return;
    }
    table_remove(n->entries, e->key);
    free_entry(NULL, e);
}

void neigh_unplace(struct neigh *n, struct neigh_entry *e)
{
    if (e->place == NEIGH_UNPLACED)
        return;
    struct neigh_entry *last = n->learned[--n->learned_count];
    n->learned[e->place] = last;
    last->place = e->place;
    e->place = NEIGH_UNPLACED;
}

static bool in_use(struct neigh *n, struct neigh_entry *e)
{
    e->used |= neigh_table_take_use(n->config.table, &e->addr);
    return e->used || e->waiting > 0;
}

/* One round of the hand at most. */
static struct neigh_entry *find_unused(struct neigh *n)
{
    for (unsigned i = 0; i < NEIGH_MAX; i++) {
        struct neigh_entry *e = n->learned[n->hand++ % NEIGH_MAX];
        if (!in_use(n, e))
            return e;
    }
    return NULL;
}

bool neigh_place(struct neigh *n, struct neigh_entry *e, bool wanted)
{
    if (n->learned_count == NEIGH_MAX) {
        struct neigh_entry *old = find_unused(n);
        if (!old && wanted)
            old = n->learned[n->hand++ % NEIGH_MAX];
        if (!old)
            return false;
        neigh_forget(n, old);
    }
    e->place = n->learned_count;
    n->learned[n->learned_count++] = e;
    return true;
}

static void send_waiting(struct neigh *n, struct neigh_entry *e)
{
    for (unsigned i = 0; i < e->waiting; i++) {
        memcpy(e->waits[i].data, e->mac, sizeof(e->mac));
        n->config.send(n->config.context, &e->waits[i]);
    }
    free_waiting(e);
}

void neigh_learn(struct neigh *n, struct neigh_entry *e, const uint8_t mac[6], uint64_t now_us)
{
    memcpy(e->mac, mac, sizeof(e->mac));
    e->known = true;
    e->used = e->waiting > 0;
    (void)neigh_table_take_use(n->config.table, &e->addr);
    e->tries = 0;
    e->confirmed_us = now_us;
    neigh_table_set(n->config.table, &e->addr, mac);
    send_waiting(n, e);
}

/* ---- what leaves ---- */

static enum drop wait_for(struct neigh_entry *e, const struct neigh_frame *f)
{
    if (e->waiting == NEIGH_WAITING)
        return DROP_NO_NEIGHBOUR;
    uint8_t *copy = malloc(f->len);
    if (!copy)
        return DROP_NO_NEIGHBOUR;
    struct neigh_frame *w = &e->waits[e->waiting++];
    *w = *f;
    w->data = memcpy(copy, f->data, f->len);
    return DROP_NONE;
}

/* The entry of a next hop, which is asked for if it is not yet. */
static struct neigh_entry *want(struct neigh *n, const struct addr *hop, uint64_t now_us)
{
    struct neigh_entry *e = neigh_find(n, hop);
    if (!e)
        e = neigh_entry_new(n, hop);
    if (!e || e->known || e->place != NEIGH_UNPLACED)
        return e;
    (void)neigh_place(n, e, true); /* there always is room for one that is wanted */
    neigh_ask(n, e, now_us);
    return e;
}

enum drop neigh_out(struct neigh *n, const struct neigh_frame *f, uint64_t now_us)
{
    const struct addr hop = neigh_view_hop(n->plan, f->data);
    struct neigh_entry *e = want(n, &hop, now_us);
    if (!e)
        return DROP_NO_NEIGHBOUR;
    if (!e->known)
        return wait_for(e, f);
    e->used = true;
    memcpy(f->data, e->mac, sizeof(e->mac));
    n->config.send(n->config.context, f);
    return DROP_NONE;
}

/* ---- time ---- */

/* Whether there is something to ask about e. */
static bool is_due(struct neigh *n, struct neigh_entry *e, uint64_t now_us)
{
    if (e->known && (now_us - e->confirmed_us < CONFIRM_US || !in_use(n, e)))
        return false;
    return !e->tries || now_us - e->asked_us >= ASK_US;
}

static void tick_entry(struct neigh *n, struct neigh_entry *e, uint64_t now_us)
{
    bool over = e->known && now_us - e->confirmed_us >= LIFE_US;
    bool due = !over && is_due(n, e, now_us);
    if (due && e->tries < NEIGH_TRIES)
        neigh_ask(n, e, now_us);
    else if (due || over)
        neigh_forget(n, e);
}

unsigned neigh_tick(struct neigh *n, uint64_t now_us)
{
    for (uint32_t i = n->learned_count; i-- > 0;)
        tick_entry(n, n->learned[i], now_us);
    neigh_speak(n, now_us);
    unsigned lost = n->lost;
    n->lost = 0;
    return lost;
}

unsigned neigh_count(const struct neigh *n)
{
    return n->learned_count;
}
