/* SPDX-License-Identifier: Apache-2.0 */
#include "possible.h"

#include "base/clock.h"
#include "nat.h"
#include "sim_impl.h"

/* After three rounds that failed for a reason of which nobody is told the end, there is a pause (docs/PROTOCOL.md §19). */
#define DOUBT_US (80 * USEC_PER_SEC)

static bool is_reached(const struct sim_node *n)
{
    return n->mesh && !n->asleep && n->uplink && n->side == 0;
}

bool possible_at_all(const struct world *w, unsigned a, unsigned b)
{
    return is_reached(w->nodes[a]) && is_reached(w->nodes[b]) && !w->storm;
}

/* What it was told last is still so. */
static bool knows_itself(const struct sim_node *n)
{
    const struct nat_model *nat = n->nat;
    for (unsigned i = 0; nat && i < nat->count; i++)
        if (addr_equal(&nat->flows[i].inner, &n->addr) && addr_equal(&nat->flows[i].remote, &sim_relay_addr))
            return addr_same_host(&n->seen, &nat->outer) && n->seen.port == nat->flows[i].port;
    return !nat;
}

/* Of all that are behind its router, with anybody. */
static unsigned pairs_at_router(const struct world *w, const struct nat_model *nat)
{
    unsigned pairs = 0;
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++)
            pairs += w->nodes[a]->nat == nat && (w->wants[a][b] || w->wants[b][a]);
    return pairs;
}

static bool nats_allow(const struct world *w, unsigned a, unsigned b)
{
    const struct nat_model *x = w->nodes[a]->nat, *y = w->nodes[b]->nat;
    const struct nat_kind *kind_x = x ? x->kind : NULL, *kind_y = y ? y->kind : NULL;
    if (x && x == y)
        return true;
    if ((x && x->kind->unguarded) ||
        (y && y->kind->unguarded)) /* whatever comes too early spoils it for long */
        return false;
    if (nat_straight_is_plain(kind_x, kind_y))
        return true;
    return nat_straight_is_possible(kind_x, kind_y) && (!x || pairs_at_router(w, x) == 1) &&
           (!y || pairs_at_router(w, y) == 1);
}

bool possible_straight(const struct world *w, unsigned a, unsigned b)
{
    const struct sim_node *x = w->nodes[a], *y = w->nodes[b];
    bool doubted = (w->storm_us && sim_now(w->sim) - w->storm_us < DOUBT_US) ||
                   (w->mended_us[a][b] && sim_now(w->sim) - w->mended_us[a][b] < DOUBT_US);
    return possible_at_all(w, a, b) && !x->no_udp && !y->no_udp && !w->severed[a][b] && !w->lies[a] &&
           !w->lies[b] && !doubted && knows_itself(x) && knows_itself(y) && nats_allow(w, a, b);
}
