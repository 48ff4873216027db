/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams and streams between nodes. Each site has a network of its own, somewhere: who is told by its address
 * (proto/admission) shares a neighbourhood with its site alone. */

#include "many_impl.h"

#include "control_datagram.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PORT         9443
#define CONTROL_PORT 8443

#define SERVERS   12 /* the first byte of their addresses … */
#define SITES     11 /* … and of the others' */
#define SCATTER   40503u
#define UNSCATTER 30599u /* SCATTER × that is 1 modulo 2^16 */

struct addr many_address(const struct many *m, unsigned number)
{
    struct addr a = {.family = 4, .port = PORT, .ip = {SERVERS, 0, 0, (uint8_t)(number + 1)}};
    if (number < m->plan.servers)
        return a;
    unsigned place = number - m->plan.servers, network = place / m->plan.site * SCATTER;
    a.ip[0] = SITES;
    a.ip[1] = (uint8_t)(network >> 8);
    a.ip[2] = (uint8_t)network;
    a.ip[3] = (uint8_t)(place % m->plan.site + 1);
    return a;
}

static unsigned number_of(const struct many *m, const struct addr *a)
{
    unsigned network = (unsigned)a->ip[1] << 8 | a->ip[2];
    return a->ip[0] == SERVERS
               ? a->ip[3] - 1u
               : m->plan.servers + (network * UNSCATTER & 0xffff) * m->plan.site + a->ip[3] - 1u;
}

void many_send(struct many_node *n, const struct addr *to, const uint8_t *data, size_t len)
{
    struct many *m = n->many;
    many_count(m, &n->datagrams);
    if ((double)(many_random(m) % 1000000) < m->plan.loss * 1000000)
        return;
    struct many_event *e = many_event_new(m, MANY_DATAGRAM, number_of(m, to), data, len);
    e->from = n->number;
    many_push(m, e, m->now_us + many_travel(m));
}

/* ---- streams ---- */

void many_release(struct many_pipe *p)
{
    if (--p->held == 0)
        free(p);
}

/* Something for an end, behind what is on its way to it. */
static void on_pipe(struct many *m, struct many_pipe *p, unsigned end, enum many_event_kind kind,
                    const uint8_t *data, size_t len)
{
    struct many_end *far = &p->ends[end];
    uint64_t at_us = m->now_us + many_travel(m);
    struct many_event *e = many_event_new(m, kind, far->node->number, data, len);
    far->ready_us = at_us > far->ready_us ? at_us : far->ready_us + 1;
    e->pipe = p;
    e->end = end;
    e->life = far->life;
    p->held++;
    many_push(m, e, far->ready_us);
}

static void hold(struct many_end *end)
{
    int err = table_put(end->node->streams, end->conn, end);
    assert(err == 0);
    (void)err;
    end->pipe->held++;
}

void many_dial(struct many_node *n, uint64_t conn, const struct addr *to)
{
    struct many *m = n->many;
    struct many_node *other = &m->nodes[number_of(m, to)];
    struct many_pipe *p = calloc(1, sizeof(*p));
    assert(p && to->port == CONTROL_PORT);
    p->ends[0] = (struct many_end){p, n, n->life, conn, 0};
    p->ends[1] = (struct many_end){p, other, other->life, 0, 0};
    hold(&p->ends[0]);
    many_count(m, &n->dials);
    many_count(m, &m->dials);
    on_pipe(m, p, 1, MANY_ACCEPT, NULL, 0);
}

/* To the other end. */
static void say(const struct many_end *end, enum many_event_kind kind, const uint8_t *data, size_t len)
{
    on_pipe(end->node->many, end->pipe, end == &end->pipe->ends[0], kind, data, len);
}

void many_stream_send(struct many_node *n, uint64_t conn, const uint8_t *data, size_t len)
{
    const struct many_end *end = table_get(n->streams, conn);
    if (end)
        say(end, MANY_BYTES, data, len);
}

void many_stream_close(struct many_node *n, uint64_t conn)
{
    struct many_end *end = table_remove(n->streams, conn);
    if (!end)
        return;
    say(end, MANY_CLOSED, NULL, 0);
    many_release(end->pipe);
}

static void cut_one(void *context, void *value)
{
    const struct many_end *end = value;
    (void)context;
    say(end, MANY_CLOSED, NULL, 0);
    many_release(end->pipe);
}

void many_cut(struct many_node *n)
{
    table_each(n->streams, cut_one, NULL);
    table_free(n->streams);
    n->streams = NULL;
}

/* ---- what arrives ---- */

static void accept_one(struct many *m, struct many_pipe *p, struct many_node *n)
{
    struct addr from = many_address(m, p->ends[0].node->number);
    const struct target target = target_tcp(&from);
    p->ends[1].conn = mesh_on_accept(n->mesh, &target, m->now_us);
    if (p->ends[1].conn) {
        many_count(m, &n->accepts);
        hold(&p->ends[1]);
    }
    on_pipe(m, p, 0, p->ends[1].conn ? MANY_CONNECTED : MANY_CLOSED, NULL, 0);
}

static void on_stream(struct many *m, const struct many_event *e, struct many_node *n)
{
    struct many_end *end = &e->pipe->ends[e->end];
    if (e->kind == MANY_ACCEPT)
        accept_one(m, e->pipe, n);
    else if (table_get(n->streams, end->conn) != end)
        return; /* it was closed here meanwhile */
    else if (e->kind == MANY_CONNECTED)
        mesh_on_connected(n->mesh, end->conn, m->now_us);
    else if (e->kind == MANY_BYTES)
        mesh_on_bytes(n->mesh, end->conn, e->data, e->len, m->now_us);
    else {
        table_remove(n->streams, end->conn);
        mesh_on_closed(n->mesh, end->conn, "the connection was closed", m->now_us);
        many_release(e->pipe);
    }
}

static void on_datagram(struct many *m, struct many_event *e, struct many_node *n)
{
    const struct addr remote = many_address(m, e->from);
    struct endpoint from = endpoint_udp(&remote);
    from.local = many_address(m, n->number);
    from.local.port = 0;
    (void)control_datagram(n->mesh, &from, e->data, e->len, m->now_us);
}

void many_deliver(struct many *m, struct many_event *e)
{
    struct many_node *n = &m->nodes[e->to];
    bool lives = n->mesh && n->life == e->life;
    if (lives && e->kind == MANY_DATAGRAM)
        on_datagram(m, e, n);
    else if (lives && e->pipe)
        on_stream(m, e, n);
    else if (e->kind == MANY_ACCEPT) /* nobody listens */
        on_pipe(m, e->pipe, 0, MANY_CLOSED, NULL, 0);
    if (e->pipe)
        many_release(e->pipe);
    if (lives)
        many_settle(n);
}
