/* SPDX-License-Identifier: Apache-2.0 */
#include "nat.h"

#include <assert.h>
#include <stddef.h>

#define FIRST_PORT 20000u
#define PORTS      40000u

void nat_init(struct nat_model *n, const struct nat_kind *kind, const struct addr *outer, uint64_t seed)
{
    *n = (struct nat_model){.kind = kind, .outer = *outer, .seed = seed | 1};
    n->outer.port = (uint16_t)(FIRST_PORT + seed % (PORTS / 2));
}

void nat_reset(struct nat_model *n)
{
    n->count = 0;
}

static uint64_t draw(struct nat_model *n)
{
    n->seed ^= n->seed << 13;
    n->seed ^= n->seed >> 7;
    n->seed ^= n->seed << 17;
    return n->seed;
}

static bool same(enum nat_reach by, const struct addr *a, const struct addr *b)
{
    switch (by) {
    case NAT_INDEPENDENT:
        return true;
    case NAT_BY_ADDRESS:
        return addr_same_host(a, b);
    case NAT_BY_PORT:
        return addr_equal(a, b);
    }
    return false;
}

static void forget_old(struct nat_model *n, uint64_t now_us)
{
    for (unsigned i = 0; i < n->count;)
        if (n->flows[i].until_us <= now_us)
            n->flows[i] = n->flows[--n->count];
        else
            i++;
}

static struct nat_flow *find(struct nat_model *n, const struct addr *inner, const struct addr *remote)
{
    for (unsigned i = 0; i < n->count; i++)
        if (addr_equal(&n->flows[i].inner, inner) && addr_equal(&n->flows[i].remote, remote))
            return &n->flows[i];
    return NULL;
}

/* Somebody else has it, towards this end. */
static bool is_taken(const struct nat_model *n, uint16_t port, const struct addr *inner,
                     const struct addr *remote)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->flows[i].port == port && !addr_equal(&n->flows[i].inner, inner) &&
            (n->flows[i].inner.family || addr_equal(&n->flows[i].remote, remote)))
            return true;
    return false;
}

static uint16_t new_port(struct nat_model *n, const struct addr *inner, const struct addr *remote)
{
    uint16_t port = inner->port;
    n->mappings++;
    if (n->kind->numbers == NAT_KEPT && !is_taken(n, port, inner, remote))
        return port;
    do
        port = n->kind->numbers == NAT_SEQUENCE ? ++n->outer.port : (uint16_t)(FIRST_PORT + draw(n) % PORTS);
    while (is_taken(n, port, inner, remote));
    return port;
}

/* As another flow of the socket has it, where the kind says so. */
static uint16_t port_for(struct nat_model *n, const struct addr *inner, const struct addr *remote)
{
    for (unsigned i = 0; i < n->count; i++) {
        const struct nat_flow *f = &n->flows[i];
        if (addr_equal(&f->inner, inner) && same(n->kind->mapping, &f->remote, remote) &&
            !is_taken(n, f->port, inner, remote))
            return f->port;
    }
    return new_port(n, inner, remote);
}

static struct nat_flow *add(struct nat_model *n, const struct addr *inner, const struct addr *remote,
                            uint16_t port)
{
    assert(n->count < NAT_FLOWS_MAX);
    n->flows[n->count] = (struct nat_flow){.inner = *inner, .remote = *remote, .port = port};
    return &n->flows[n->count++];
}

struct addr nat_out(struct nat_model *n, const struct addr *inner, const struct addr *remote, uint64_t now_us)
{
    forget_old(n, now_us);
    struct nat_flow *f = find(n, inner, remote);
    if (!f)
        f = add(n, inner, remote, port_for(n, inner, remote));
    f->until_us = now_us + n->kind->expiry_us;
    struct addr seen = n->outer;
    seen.port = f->port;
    return seen;
}

static struct nat_flow *admits(struct nat_model *n, const struct addr *remote, uint16_t port)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->flows[i].port == port && n->flows[i].inner.family &&
            same(n->kind->filter, &n->flows[i].remote, remote))
            return &n->flows[i];
    return NULL;
}

/* It is nobody's: a router that takes it as its own remembers it as a flow. */
static void squat(struct nat_model *n, const struct addr *remote, uint16_t port, uint64_t now_us)
{
    const struct addr nobody = {0};
    if (!n->kind->unguarded)
        return;
    for (unsigned i = 0; i < n->count; i++)
        if (!n->flows[i].inner.family && n->flows[i].port == port &&
            addr_equal(&n->flows[i].remote, remote)) {
            n->flows[i].until_us = now_us + n->kind->expiry_us;
            return;
        }
    add(n, &nobody, remote, port)->until_us = now_us + n->kind->expiry_us;
}

bool nat_in(struct nat_model *n, const struct addr *remote, uint16_t port, uint64_t now_us,
            struct addr *inner)
{
    forget_old(n, now_us);
    struct nat_flow *f = admits(n, remote, port);
    if (!f) {
        squat(n, remote, port, now_us);
        return false;
    }
    *inner = f->inner;
    f->until_us = now_us + n->kind->expiry_us;
    return true;
}

/* ---- the oracle ---- */

/* Whether others can know the port that a socket will have towards a new end: with a guess, or as it is seen already. */
static bool is_foreseeable(const struct nat_kind *k, bool guess)
{
    return !k || k->mapping == NAT_INDEPENDENT || (guess && k->numbers != NAT_RANDOM);
}

/* Whether what `from` sends first can come in at `to`, which may have sent to where it will come from: by the mapping that `to`
 * has towards `from`, as only what is sent back by that has the same way. */
static bool gets_in(const struct nat_kind *from, const struct nat_kind *to, bool guess)
{
    return !to || (is_foreseeable(to, guess) && (to->filter != NAT_BY_PORT || is_foreseeable(from, guess)));
}

bool nat_straight_is_possible(const struct nat_kind *a, const struct nat_kind *b)
{
    return gets_in(a, b, true) || gets_in(b, a, true);
}

bool nat_straight_is_plain(const struct nat_kind *a, const struct nat_kind *b)
{
    return gets_in(a, b, false) || gets_in(b, a, false);
}

static bool may_meet(const struct nat_kind *drawing, const struct nat_kind *known)
{
    return drawing && known && drawing->numbers == NAT_RANDOM && drawing->mapping != NAT_INDEPENDENT &&
           known->mapping == NAT_INDEPENDENT;
}

bool nat_straight_is_chance(const struct nat_kind *a, const struct nat_kind *b)
{
    return !nat_straight_is_possible(a, b) && (may_meet(a, b) || may_meet(b, a));
}
