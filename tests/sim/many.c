/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: how they start and stop, whom they list, what their meshes want; and the clock. */

#include "many.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "many_impl.h"
#include "proto/link/link_work.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include "sim_random.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_US   (1000 * USEC_PER_SEC)
#define WORK_US    700  /* of one thread of a pool: a step of a handshake, as measured */
#define TICKS_MOST 1000 /* at one time */

/* ---- chance, counts, and what is on its way ---- */

uint64_t many_random(struct many *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}

void many_count(struct many *m, struct many_rate *rate)
{
    uint64_t second = m->now_us / USEC_PER_SEC;
    rate->now = rate->second == second ? rate->now + 1 : 1;
    rate->second = second;
    rate->most = rate->now > rate->most ? rate->now : rate->most;
    rate->total++;
}

uint64_t many_travel(struct many *m)
{
    return m->plan.delay_us + (m->plan.jitter_us ? many_random(m) % m->plan.jitter_us : 0);
}

struct many_event *many_event_new(struct many *m, enum many_event_kind kind, unsigned to, const void *data,
                                  size_t len)
{
    struct many_event *e = malloc(sizeof(*e) + len);
    assert(e);
    *e = (struct many_event){.kind = kind, .to = to, .life = m->nodes[to].life, .len = len};
    if (len)
        memcpy(e->data, data, len);
    return e;
}

static void set_due(struct many *m, struct heap_node *due, uint64_t at_us)
{
    int err = due->place ? 0 : heap_reserve(&m->queue);
    assert(err == 0);
    (void)err;
    heap_set(&m->queue, due, at_us);
}

void many_push(struct many *m, struct many_event *e, uint64_t at_us)
{
    set_due(m, &e->due, at_us);
}

/* As FNV-1a, of eight bytes at a time. */
static void digest(struct many *m, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)bytes + i, len - i < sizeof(word) ? len - i : sizeof(word));
        m->digest = (m->digest ^ word) * 0x100000001b3ull;
        m->digest ^= m->digest >> 32;
    }
}

/* ---- what a mesh wants ---- */

/* On the thread of its pool that is free first. */
static void work(struct many_node *n, struct link_work *w)
{
    struct many *m = n->many;
    uint64_t *thread = &n->pool_us[n->pool_us[1] < n->pool_us[0]];
    struct many_event *e = many_event_new(m, MANY_WORKED, n->number, NULL, 0);
    many_count(m, &m->steps);
    *thread = (*thread > m->now_us ? *thread : m->now_us) + WORK_US;
    e->work = w;
    many_push(m, e, *thread);
}

static void do_one(struct many_node *n, const struct mesh_output *o)
{
    if (o->kind == MESH_OUTPUT_DIAL)
        many_dial(n, o->conn, &o->target.addr);
    else if (o->kind == MESH_OUTPUT_STREAM_SEND)
        many_stream_send(n, o->conn, o->payload, o->len);
    else if (o->kind == MESH_OUTPUT_STREAM_CLOSE || o->kind == MESH_OUTPUT_STREAM_ABORT)
        many_stream_close(n, o->conn);
    else if (o->kind == MESH_OUTPUT_DATAGRAM)
        many_send(n, &o->endpoint.remote, o->payload, o->len);
    else if (o->kind == MESH_OUTPUT_WORK)
        work(n, o->work);
    else if (o->kind == MESH_OUTPUT_RETIRE)
        session_free(o->session);
    else if (o->kind == MESH_OUTPUT_WANT)
        wants_add(&n->wants, &o->id, n->many->now_us);
    else if (o->kind == MESH_OUTPUT_FORGET)
        wants_forget(&n->wants, &o->id, n->many->now_us);
    else if (o->kind == MESH_OUTPUT_PONG) {
        n->pongs++;
        n->pong_us = o->rtt_us;
    }
}

void many_settle(struct many_node *n)
{
    const struct mesh_output *o;
    while ((o = mesh_take_output(n->mesh)))
        do_one(n, o);
    uint64_t mesh_us = mesh_next_deadline(n->mesh, n->many->now_us), directory_us = many_directory_next(n);
    set_due(n->many, &n->due, mesh_us < directory_us ? mesh_us : directory_us);
}

/* ---- nodes ---- */

static bool usable(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return true;
}

static bool in_scope(const void *context, const struct addr *a, const struct candidate *list, unsigned count)
{
    (void)context, (void)a, (void)list, (void)count;
    return true;
}

static uint32_t interface_of(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return 1;
}

static struct candidate where(const struct many *m, unsigned number)
{
    const struct addr a = many_address(m, number);
    return (struct candidate){CANDIDATE_HOST, a, (uint16_t)(a.port - 1000)};
}

void many_set_where(struct many_node *n, unsigned other)
{
    const struct candidate there = where(n->many, other);
    mesh_set_record(n->mesh, identity_id(n->many->nodes[other].identity), "member", &there, 1,
                    n->many->now_us);
}

static bool client(const struct many *m, unsigned server, unsigned index, unsigned *other)
{
    *other = m->plan.servers + server * MESH_PEERS_MAX + index;
    return index < MESH_PEERS_MAX && *other < m->plan.nodes;
}

/* The others of its site, behind its server. */
static bool neighbour(const struct many *m, unsigned n, unsigned index, unsigned *other)
{
    unsigned number = n - m->plan.servers;
    unsigned first = n - number % m->plan.site;
    *other = index == 0 ? number / MESH_PEERS_MAX : first + index - 1;
    *other += index > 0 && *other >= n;
    return index < m->plan.site && *other < m->plan.nodes;
}

bool many_listed(const struct many *m, unsigned n, unsigned index, unsigned *other)
{
    return n < m->plan.servers ? client(m, n, index, other) : neighbour(m, n, index, other);
}

static void start(struct many_node *n, bool knows)
{
    const struct mesh_config config = {.me = n->identity,
                                       .name = "member",
                                       .full_mesh = true,
                                       .lanes = 1,
                                       .mtu = 1500,
                                       .ratchet_us = MESH_RATCHET_US,
                                       .rehandshake_us = MESH_REHANDSHAKE_US,
                                       .local_max = 1472,
                                       .filter = {usable, in_scope, interface_of, NULL},
                                       .random = secret_source};
    const struct candidate here = where(n->many, n->number);
    unsigned other;
    int err = mesh_new(&config, &n->mesh);
    if (!err)
        err = table_new(&n->streams);
    n->life++;
    n->pool_us[0] = n->pool_us[1] = 0;
    many_directory_start(n);
    mesh_set_candidates(n->mesh, &here, 1, n->many->now_us);
    for (unsigned i = 0; !err && many_listed(n->many, n->number, i, &other); i++) {
        err = mesh_allow(n->mesh, identity_id(n->many->nodes[other].identity));
        if (knows)
            many_set_where(n, other);
    }
    assert(err == 0);
    many_settle(n);
}

void many_start(struct many *m, bool knows)
{
    for (unsigned i = 0; i < m->plan.nodes; i++)
        start(&m->nodes[i], knows);
}

static void kill_one(struct many_node *n)
{
    if (!n->mesh)
        return;
    many_cut(n);
    mesh_free(n->mesh);
    n->mesh = NULL;
    many_directory_stop(n);
    heap_remove(&n->many->queue, &n->due);
}

void many_kill(struct many *m)
{
    for (unsigned i = 0; i < m->plan.nodes; i++)
        kill_one(&m->nodes[i]);
}

struct many *many_new(const struct many_plan *plan)
{
    struct many *m = calloc(1, sizeof(*m));
    assert(m);
    *m = (struct many){.plan = *plan, .now_us = BEGIN_US, .digest = 0xcbf29ce484222325ull};
    m->random = plan->seed * 0x9e3779b97f4a7c15ull + 1;
    m->nodes = calloc(plan->nodes, sizeof(*m->nodes));
    assert(m->nodes);
    sim_random_seed(plan->seed);
    for (unsigned i = 0; i < plan->nodes; i++) {
        m->nodes[i].many = m;
        m->nodes[i].number = i;
        int err = identity_generate(&m->nodes[i].identity);
        assert(err == 0);
        (void)err;
    }
    return m;
}

/* ---- the clock ---- */

static void tick(struct many_node *n)
{
    uint64_t now_us = n->many->now_us;
    n->ticks_at_once = n->ticked_us == now_us ? n->ticks_at_once + 1 : 0;
    n->ticked_us = now_us;
    assert(n->ticks_at_once < TICKS_MOST);
    if (mesh_next_deadline(n->mesh, now_us) <= now_us) {
        n->many->ticks++;
        mesh_tick(n->mesh, now_us);
    }
    many_directory_tick(n);
    many_settle(n);
}

static void on_event(struct many *m, struct many_event *e)
{
    struct many_node *n = &m->nodes[e->to];
    const uint64_t head[] = {m->now_us, e->kind, e->to, e->from, e->end, e->on, e->len};
    bool lives = n->mesh && n->life == e->life;
    digest(m, head, sizeof(head));
    digest(m, e->data, e->len);
    m->events++;
    if (e->kind != MANY_WORKED && e->kind != MANY_REGISTERED && e->kind != MANY_FOUND) {
        many_deliver(m, e);
    } else if (!lives) {
        link_work_free(e->work);
    } else {
        if (e->work)
            link_work_run(e->work);
        if (e->work)
            mesh_on_worked(n->mesh, e->work, m->now_us);
        else
            many_directory_answered(n, e);
        many_settle(n);
    }
    free(e);
}

/* Which nodes are theirs is known by where they lie. */
static struct many_node *node_of(const struct many *m, struct heap_node *due)
{
    char *at = (char *)due - offsetof(struct many_node, due);
    bool is_node = at >= (char *)m->nodes && at < (char *)(m->nodes + m->plan.nodes);
    return is_node ? (struct many_node *)at : NULL;
}

void many_run(struct many *m, uint64_t duration_us)
{
    uint64_t end_us = m->now_us + duration_us;
    struct heap_node *due;
    while ((due = heap_first(&m->queue)) && due->at_us <= end_us) {
        struct many_node *n = node_of(m, due);
        m->now_us = due->at_us > m->now_us ? due->at_us : m->now_us;
        if (n) {
            tick(n);
            continue;
        }
        heap_remove(&m->queue, due);
        on_event(m, (struct many_event *)due); /* due is what it begins with */
    }
    m->now_us = end_us;
}

void many_free(struct many *m)
{
    struct heap_node *due;
    many_kill(m);
    while ((due = heap_first(&m->queue))) {
        struct many_event *e = (struct many_event *)due;
        heap_remove(&m->queue, due);
        link_work_free(e->work);
        if (e->pipe)
            many_release(e->pipe);
        free(e);
    }
    for (unsigned i = 0; i < m->plan.nodes; i++)
        identity_free(m->nodes[i].identity);
    heap_fini(&m->queue);
    free(m->nodes);
    free(m);
}

/* ---- what is looked at ---- */

unsigned many_pairs(const struct many *m)
{
    unsigned ends = 0, other;
    for (unsigned n = 0; n < m->plan.nodes; n++)
        for (unsigned i = 0; many_listed(m, n, i, &other); i++)
            ends++;
    return ends / 2;
}

unsigned many_connected(const struct many *m)
{
    unsigned ends = 0, count, connected;
    for (unsigned n = 0; n < m->plan.nodes; n++) {
        mesh_members(m->nodes[n].mesh, &count, &connected);
        ends += connected;
    }
    return ends / 2;
}

bool many_ping(struct many *m, unsigned a, unsigned b)
{
    struct many_node *n = &m->nodes[a];
    const struct peer *p = mesh_find_peer(n->mesh, identity_id(m->nodes[b].identity));
    int err = p ? mesh_ping(n->mesh, p->slot, 1, m->now_us) : ERR_NOT_FOUND;
    many_settle(n);
    return !err;
}

void many_reset_rates(struct many *m)
{
    const struct many_rate none = {0};
    for (unsigned i = 0; i < m->plan.nodes; i++) {
        struct many_node *n = &m->nodes[i];
        n->dials = n->accepts = n->asks = n->datagrams = none;
    }
    m->directory.registrations = m->directory.lookups = m->directory.busy = m->dials = m->steps = none;
    m->events = m->ticks = 0;
}

unsigned many_most(const struct many *m, size_t offset)
{
    unsigned most = 0;
    for (unsigned i = 0; i < m->plan.nodes; i++) {
        const struct many_rate *rate = (const struct many_rate *)((const char *)&m->nodes[i] + offset);
        most = rate->most > most ? rate->most : most;
    }
    return most;
}
