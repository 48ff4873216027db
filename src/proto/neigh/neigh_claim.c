/* SPDX-License-Identifier: Apache-2.0 */
/* What peers say in HELLO that they have. One claim is an answer; several are none, as for the switch (owners.h). */

#include "proto/neigh/neigh_impl.h"

#include <string.h>

/* What one peer has, that one's MAC is known for. Nobody's, or several peers', it is asked for like any other. */
static void settle(struct neigh *n, struct neigh_entry *e)
{
    if (e->claims == 1) {
        neigh_unplace(n, e);
        neigh_learn(n, e, n->claimants[e->claimants].mac, 0);
    } else if (e->claims == 0 || e->place == NEIGH_UNPLACED) {
        neigh_forget(n, e);
    }
}

static void take_back(struct neigh *n, uint32_t slot)
{
    struct neigh_claimant *c = &n->claimants[slot];
    for (unsigned i = 0; i < c->count; i++) {
        struct neigh_entry *e = neigh_find(n, &c->list[i]);
        e->claims--;
        e->claimants ^= slot;
        settle(n, e);
    }
    c->count = 0;
}

static bool has(const struct neigh_claimant *c, const struct addr *a)
{
    for (unsigned i = 0; i < c->count; i++)
        if (addr_same_host(&c->list[i], a))
            return true;
    return false;
}

static int add(struct neigh *n, uint32_t slot, const struct addr *a)
{
    struct neigh_claimant *c = &n->claimants[slot];
    struct neigh_entry *e = neigh_find(n, a);
    if (!e)
        e = neigh_entry_new(n, a);
    if (!e)
        return ERR_NOMEM;
    e->claims++;
    e->claimants ^= slot;
    c->list[c->count++] = *a;
    settle(n, e);
    return 0;
}

int neigh_claim(struct neigh *n, uint32_t slot, const struct addr_prefix *list, unsigned count,
                const uint8_t mac[6])
{
    int err = 0;
    if (slot >= NEIGH_PEERS_MAX)
        return ERR_ARGUMENT;
    take_back(n, slot);
    struct neigh_claimant *c = &n->claimants[slot];
    if (count)
        memcpy(c->mac, mac, sizeof(c->mac));
    for (unsigned i = 0; !err && i < count && c->count < NEIGH_CLAIMS_MAX; i++)
        if (!has(c, &list[i].addr) && !neigh_plan_owns(n->plan, &list[i].addr))
            err = add(n, slot, &list[i].addr);
    return err;
}
