/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: dialled, accepted, cut, and what is said on them. */

#include "sim_impl.h"

#include "crypto/tls.h"
#include <assert.h>
#include <stdlib.h>

static struct sim_node *listener(struct sim *sim, const struct addr *to)
{
    struct sim_node *other = sim_node_at(sim, to);
    return other && to->port == other->addr.port - 1000 ? other : NULL;
}

static uint64_t pipe_travel(struct sim *sim, const struct pipe_ends *p)
{
    return p->by_uplink ? sim->weather.uplink_us : sim_travel(sim);
}

void sim_dial(struct sim_node *n, uint64_t conn, const struct target *target)
{
    struct sim *sim = n->sim;
    unsigned number = sim->pipe_count++;
    sim->pipes = reallocarray(sim->pipes, sim->pipe_count, sizeof(*sim->pipes));
    assert(sim->pipes);
    bool by_uplink = target->kind == TARGET_UPLINK;
    struct sim_node *other = by_uplink ? sim_uplinked(sim, &target->id) : listener(sim, &target->addr);
    n->opened += by_uplink;
    sim->pipes[number] = (struct pipe_ends){{n, conn, 0, false}, {other, 0, 0, false}, true, by_uplink};
    bool severed = other && (sim->severed[n->number][other->number] || sim_apart(n, other));
    if (other && (other->shut || other->deaf || severed) && !by_uplink)
        return; /* nobody answers */
    bool listens = other != NULL;
    sim_push(sim, (struct event){.at_us = sim->now_us + pipe_travel(sim, &sim->pipes[number]),
                                 .kind = listens ? EVENT_ACCEPT : EVENT_CLOSED,
                                 .pipe = number,
                                 .to_dialler = !listens});
    if (by_uplink) /* nobody waits for an answer there */
        sim_push(sim, (struct event){
                          .at_us = sim->now_us, .kind = EVENT_CONNECTED, .pipe = number, .to_dialler = true});
}

struct pipe_ends *sim_pipe_of(struct sim_node *n, uint64_t conn, bool *is_dialler, unsigned *number)
{
    struct sim *sim = n->sim;
    for (unsigned i = sim->pipe_count; i-- > 0;) {
        struct pipe_ends *p = &sim->pipes[i];
        *number = i;
        *is_dialler = p->dialler.node == n && p->dialler.conn == conn;
        if (p->open && (*is_dialler || (p->listener.node == n && p->listener.conn == conn)))
            return p;
    }
    return NULL;
}

void sim_on_pipe(struct sim_node *n, uint64_t conn, enum event_kind kind, const uint8_t *data, size_t len)
{
    bool is_dialler;
    unsigned number;
    struct pipe_ends *p = sim_pipe_of(n, conn, &is_dialler, &number);
    if (!p)
        return;
    struct pipe_end *far = is_dialler ? &p->listener : &p->dialler;
    uint64_t at = n->sim->now_us + pipe_travel(n->sim, p);
    if (at < far->ready_us)
        at = far->ready_us;
    far->ready_us = at;
    sim_push(n->sim, (struct event){.at_us = at,
                                    .kind = kind,
                                    .pipe = number,
                                    .to_dialler = !is_dialler,
                                    .data = sim_copy(data, len),
                                    .len = len});
}

void sim_stream_send(struct sim_node *n, uint64_t conn, const uint8_t *data, size_t len)
{
    sim_publish(n);
    n->stream_bytes += len;
    n->chunks++;
    sim_on_pipe(n, conn, EVENT_BYTES, data, len);
}

void sim_cut(struct sim *sim, unsigned number)
{
    struct pipe_ends *p = &sim->pipes[number];
    if (!p->open)
        return;
    /* after what is on its way already */
    for (int dialler = 0; dialler < 2; dialler++) {
        uint64_t ready_us = dialler ? p->dialler.ready_us : p->listener.ready_us;
        sim_push(sim, (struct event){.at_us = ready_us > sim->now_us ? ready_us : sim->now_us,
                                     .kind = EVENT_CLOSED,
                                     .pipe = number,
                                     .to_dialler = dialler});
    }
}

void sim_cut_streams_of(struct sim_node *n)
{
    for (unsigned i = 0; i < n->sim->pipe_count; i++)
        if (n->sim->pipes[i].dialler.node == n || n->sim->pipes[i].listener.node == n)
            sim_cut(n->sim, i);
}

void sim_cut_streams(struct sim *sim)
{
    for (unsigned i = 0; i < sim->pipe_count; i++)
        sim_cut(sim, i);
}

uint64_t sim_accept(struct mesh *m, const struct addr *from, uint64_t now_us)
{
    const struct target target = target_tcp(from);
    return mesh_on_accept(m, &target, now_us);
}

static uint64_t arrive_on(struct sim_node *n, const struct pipe_ends *p)
{
    const struct target by_uplink = sim_opener(p->dialler.node);
    return p->by_uplink ? mesh_on_accept(n->mesh, &by_uplink, n->sim->now_us)
                        : sim_accept(n->mesh, &p->dialler.node->addr, n->sim->now_us);
}

size_t sim_client_hello(const struct sim_node *n, uint8_t *out, size_t cap)
{
    struct tls_context *context;
    struct tls *tls;
    int err = tls_context_new(n->identity, &context);
    if (!err)
        err = tls_new(context, false, NULL, &tls);
    if (!err)
        err = tls_feed(tls, NULL, 0);
    assert(!err);
    (void)err;
    size_t len = tls_take_output(tls, out, cap);
    tls_free(tls);
    tls_context_free(context);
    return len;
}

void sim_deliver_stream(struct sim *sim, struct event *e)
{
    struct pipe_ends *p = &sim->pipes[e->pipe];
    struct pipe_end *end = e->to_dialler ? &p->dialler : &p->listener;
    struct sim_node *n = end->node;
    if (n && n->asleep)
        return;
    if (e->kind == EVENT_ACCEPT && !p->dialler.node)
        return; /* it was cut before it arrived */
    if (!n || !n->mesh || !p->open) {
        /* the other side learns that nobody is there */
        if (p->open && e->kind == EVENT_ACCEPT && p->dialler.node->mesh)
            sim_push(sim,
                     (struct event){
                         .at_us = sim->now_us, .kind = EVENT_CLOSED, .pipe = e->pipe, .to_dialler = true});
        return;
    }
    switch (e->kind) {
    case EVENT_ACCEPT:
        end->conn = arrive_on(n, p);
        n->refused += !end->conn;
        if (p->by_uplink && end->conn)
            break;
        sim_push(sim, (struct event){.at_us = sim->now_us + pipe_travel(sim, p),
                                     .kind = end->conn ? EVENT_CONNECTED : EVENT_CLOSED,
                                     .pipe = e->pipe,
                                     .to_dialler = true});
        break;
    case EVENT_CONNECTED:
        mesh_on_connected(n->mesh, end->conn, sim->now_us);
        break;
    case EVENT_BYTES:
        if (end->trunk)
            sim_at_trunk(n, end->conn, e->data, e->len);
        else
            mesh_on_bytes(n->mesh, end->conn, e->data, e->len, sim->now_us);
        break;
    case EVENT_CLOSED:
        mesh_on_closed(n->mesh, end->conn, "the connection was closed", sim->now_us);
        if (e->to_dialler)
            sim->pipes[e->pipe].dialler.node = NULL;
        else
            sim->pipes[e->pipe].listener.node = NULL;
        break;
    case EVENT_DATAGRAM:
    case EVENT_UPLINKED:
    case EVENT_PAIR:
    case EVENT_PAIRED:
    case EVENT_RELAY:
    case EVENT_RELAYED:
    case EVENT_TOLD:
    case EVENT_SEEN:
        break;
    }
    sim_do_outputs(n);
}
