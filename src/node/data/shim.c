/* SPDX-License-Identifier: Apache-2.0 */
/* A plan is replaced as a whole, and freed once no worker reads it. Control thread. */

#include "node/data/shim.h"

#include "crypto/secret.h"
#include "node/data/fwd.h"
#include "node/data/workers.h"
#include "proto/neigh/neigh.h"
#include "proto/neigh/neigh_view.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(NEIGH_PEERS_MAX == FWD_PEERS, "each peer may have addresses");
static_assert(NEIGH_ANY_WORKER >= WORKER_MAX, "no worker's number");

struct shim {
    struct shim_config config;
    struct neigh_table *table;
    struct neigh *neigh;
    struct neigh_plan *plan;
    struct neigh_view view;
    const struct workers *workers; /* NULL before they run */
    unsigned lost;                 /* frames that no worker took, since the last tick */
};

static void on_send(void *context, const struct neigh_frame *f)
{
    struct shim *s = context;
    bool taken = s->workers && workers_inject(s->workers, f->worker, &f->vnet, f->data, f->len);
    s->lost += !taken;
}

static void on_conflict(void *context, const struct addr *ours, const uint8_t mac[6])
{
    const struct shim *s = context;
    s->config.conflict(s->config.context, ours, mac);
}

/* ---- where packets go ---- */

static void make_plan(const struct shim *s, const struct shim_machine *now, struct neigh_plan *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->mac, s->config.mac, sizeof(out->mac));
    for (unsigned i = 0; i < now->address_count && out->own_count < NEIGH_OWN_MAX; i++) {
        out->own[out->own_count] = now->addresses[i];
        out->own[out->own_count++].addr.scope = 0;
    }
    for (size_t i = 0; i < now->route_count && out->route_count < NEIGH_ROUTES_MAX; i++)
        out->routes[out->route_count++] = (struct neigh_route){now->routes[i].to, now->routes[i].gateway};
}

static bool same_prefix(const struct addr_prefix *a, const struct addr_prefix *b)
{
    return addr_same_host(&a->addr, &b->addr) && a->bits == b->bits;
}

static bool same_plan(const struct neigh_plan *a, const struct neigh_plan *b)
{
    bool same = a->own_count == b->own_count && a->route_count == b->route_count;
    for (unsigned i = 0; same && i < a->own_count; i++)
        same = same_prefix(&a->own[i], &b->own[i]);
    for (unsigned i = 0; same && i < a->route_count; i++)
        same = same_prefix(&a->routes[i].to, &b->routes[i].to) &&
               addr_same_host(&a->routes[i].gateway, &b->routes[i].gateway);
    return same;
}

static void publish(struct shim *s, struct neigh_plan *plan)
{
    struct neigh_plan *before = s->plan;
    s->plan = plan;
    atomic_store_explicit(&s->view.plan, plan, memory_order_release);
    neigh_set_plan(s->neigh, plan);
    if (s->workers)
        fwd_settle(s->workers->fwd, true);
    free(before);
}

void shim_look(struct shim *s, const struct shim_machine *now)
{
    struct neigh_plan *plan = malloc(sizeof(*plan));
    if (!plan)
        return;
    make_plan(s, now, plan);
    if (s->plan && same_plan(plan, s->plan))
        free(plan);
    else
        publish(s, plan);
}

/* ---- from start to end ---- */

static int make(struct shim *s, const struct shim_machine *now)
{
    int err = neigh_table_new(&secret_source, &s->table);
    struct neigh_config config = {.table = s->table, .send = on_send, .conflict = on_conflict, .context = s};
    memcpy(config.mac, s->config.mac, sizeof(config.mac));
    if (!err)
        err = neigh_new(&config, &s->neigh);
    if (err)
        return err;
    s->view.table = s->table;
    shim_look(s, now);
    return s->plan ? 0 : ERR_NOMEM;
}

int shim_new(const struct shim_config *config, const struct shim_machine *now, struct shim **out)
{
    *out = NULL;
    struct shim *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    int err = make(s, now);
    if (err)
        shim_free(s);
    else
        *out = s;
    return err;
}

void shim_free(struct shim *s)
{
    if (!s)
        return;
    neigh_free(s->neigh);
    neigh_table_free(s->table);
    free(s->plan);
    free(s);
}

const struct neigh_view *shim_view(const struct shim *s)
{
    return &s->view;
}

void shim_begin(struct shim *s, const struct workers *workers)
{
    s->workers = workers;
}

/* ---- events ---- */

void shim_claim(struct shim *s, uint32_t slot, const struct addr_prefix *list, unsigned count,
                const uint8_t *mac)
{
    (void)!neigh_claim(s->neigh, slot, list, mac ? count : 0, mac); /* out of memory: it is asked for */
    if (count)
        neigh_meet(s->neigh);
}

enum drop shim_on_event(struct shim *s, const struct worker_event *e, uint64_t now_us)
{
    const struct neigh_frame f = {
        .worker = e->neighbour.worker, .vnet = e->neighbour.vnet, .data = e->data, .len = e->len};
    if (e->slot == WORKER_NO_PEER)
        return neigh_out(s->neigh, &f, now_us);
    neigh_in(s->neigh, e->data, e->len, now_us);
    return DROP_NONE;
}

unsigned shim_tick(struct shim *s, uint64_t now_us)
{
    unsigned lost = s->lost + neigh_tick(s->neigh, now_us);
    s->lost = 0;
    return lost;
}
