/* SPDX-License-Identifier: Apache-2.0 */
/* Does what a mesh wants. */

#include "sim_impl.h"

#include "deadlines.h"
#include "proto/link/link_work.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void retire(struct sim_node *n, struct session *session)
{
    assert(n->retired_count < 256);
    n->retired[n->retired_count++] = session;
}

/* At once, as if a node's pool were infinitely fast. */
static void work(struct sim_node *n, struct link_work *w)
{
    if (n->holds_work) {
        assert(n->held_count < SIM_WORK_MAX);
        n->held[n->held_count++] = w;
        return;
    }
    link_work_run(w);
    mesh_on_worked(n->mesh, w, n->sim->now_us);
}

static void notice(struct sim_node *n, enum mesh_notice what, const char *text)
{
    n->notes[what]++;
    sim_trace_bytes(n->sim, text, strlen(text));
    snprintf(n->last_note[what], sizeof(n->last_note[what]), "%s", text);
    if (getenv("SIM_TRACE"))
        fprintf(stderr, "%10.3f node %u: notice %d: %s\n", (double)n->sim->now_us / 1e6, n->number, (int)what,
                text);
}

static void send_datagram(struct sim_node *n, const struct mesh_output *o)
{
    if (o->hops)
        sim_on_opening(n, &o->endpoint.remote, o->payload, o->len);
    sim_send_sealed(n, &o->endpoint, o->hops, o->payload, o->len);
}

static void do_one(struct sim_node *n, const struct mesh_output *o)
{
    switch (o->kind) {
    case MESH_OUTPUT_PUBLISH:
        slot_set_add(&n->stale, o->slot);
        break;
    case MESH_OUTPUT_DIAL:
        sim_dial(n, o->conn, &o->target);
        break;
    case MESH_OUTPUT_STREAM_SEND:
        sim_stream_send(n, o->conn, o->payload, o->len);
        break;
    case MESH_OUTPUT_STREAM_ABORT:
        n->aborted++;
        n->drops[DROP_STRANGER] += o->stranger;
        sim_on_pipe(n, o->conn, EVENT_CLOSED, (const uint8_t *)"", 0);
        break;
    case MESH_OUTPUT_STREAM_CLOSE:
        n->closed++;
        sim_on_pipe(n, o->conn, EVENT_CLOSED, (const uint8_t *)"", 0);
        break;
    case MESH_OUTPUT_TRUNK:
        sim_take_trunk(n, o->conn, o->payload, o->len);
        break;
    case MESH_OUTPUT_DATAGRAM:
        sim_publish(n);
        if (!n->mute || o->payload[0] != WIRE_CONTROL)
            send_datagram(n, o);
        break;
    case MESH_OUTPUT_LOOK:
        sim_look(n, o->slot, o->keep);
        break;
    case MESH_OUTPUT_DRAW:
        sim_publish(n);
        sim_draw(n, o);
        break;
    case MESH_OUTPUT_SIDE_CLOSE:
        sim_publish(n);
        sim_close_side(n, o->side);
        break;
    case MESH_OUTPUT_WORK:
        n->stranger_works += o->stranger;
        work(n, o->work);
        break;
    case MESH_OUTPUT_RETIRE:
        retire(n, o->session);
        break;
    case MESH_OUTPUT_WANT:
    case MESH_OUTPUT_FORGET:
        n->wants = o->kind == MESH_OUTPUT_WANT;
        break;
    case MESH_OUTPUT_OVERLAY:
        break;
    case MESH_OUTPUT_GONE:
        n->absent = o->absent;
        break;
    case MESH_OUTPUT_ASKED:
        break;
    case MESH_OUTPUT_LEAVE:
        n->left++;
        n->leaver = o->id;
        break;
    case MESH_OUTPUT_MEMBER:
        n->expected++;
        break;
    case MESH_OUTPUT_NOTICE:
        notice(n, o->notice, (const char *)o->payload + strlen((const char *)o->payload) + 1);
        break;
    case MESH_OUTPUT_PAIR:
        n->pairs++;
        sim_pair(n, &o->id, o->pair.on);
        break;
    case MESH_OUTPUT_RELAY:
        n->asks++;
        sim_ask_relay(n, &o->id);
        break;
    case MESH_OUTPUT_CHECK:
        n->checks++;
        break;
    case MESH_OUTPUT_VERIFY:
        n->verified++;
        sim_take_record(n, o->payload, o->len);
        break;
    case MESH_OUTPUT_PONG:
        n->pong_us = o->rtt_us;
        break;
    }
}

void sim_do_outputs(struct sim_node *n)
{
    const struct mesh_output *o;
    while (n->mesh && (o = mesh_take_output(n->mesh)))
        do_one(n, o);
    if (!n->mesh)
        return;
    check_deadlines(n->mesh, n->sim->now_us);
    if (!n->stale.count)
        sim_check_tables(n);
}

void sim_return_work(struct sim_node *n, bool done)
{
    struct link_work *held[SIM_WORK_MAX];
    size_t count = n->held_count;
    memcpy(held, n->held, sizeof(held));
    n->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (done)
            link_work_run(held[i]);
        mesh_on_worked(n->mesh, held[i], n->sim->now_us);
    }
}

void sim_do_work(struct sim_node *n)
{
    sim_return_work(n, true);
    sim_do_outputs(n);
}

void sim_give_work_back(struct sim_node *n)
{
    sim_return_work(n, false);
    sim_do_outputs(n);
}
