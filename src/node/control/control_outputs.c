/* SPDX-License-Identifier: Apache-2.0 */
/* Before any byte leaves, the workers' table is made to agree with what the peer is about to learn. docs/ARCHITECTURE.md,
 * "Control". */

#include "node/control/control_outputs.h"

#include "base/clock.h"
#include "node/control/control_network.h"
#include "node/control/control_state.h"
#include <string.h>

static void send_stream(struct node *n, const struct mesh_output *o)
{
    tables_publish(&n->tables);
    streams_send(n->streams, o->conn, o->payload, o->len);
}

static void abort_stream(struct node *n, const struct mesh_output *o)
{
    n->drops[DROP_STRANGER] += o->stranger;
    if (!streams_abort(n->streams, o->conn) && n->trunks)
        trunks_end(n->trunks, o->conn);
}

/* One that is too large for a local interface is lost: that is what a probe of its size is there to find out. */
static void send_datagram(struct node *n, const struct mesh_output *o)
{
    if (device_is_overlay(n->device, &o->endpoint.remote))
        return; /* the tunnel's own endpoints are never reached through the tunnel */
    tables_publish(&n->tables);
    struct carrier_ports ports = carrier_ports_of(&n->sockets[0]);
    ports.sides = &n->sides;
    for (unsigned i = 0; i < n->helpers.uplink_count; i++)
        ports.channels[i] = n->helpers.uplinks[i].workers[0];
    if (n->trunks)
        ports.channels[CARRIER_TRUNKS] = trunks_channel(n->trunks);
    if (o->hops)
        (void)!carrier_send_near(&ports, &o->endpoint, o->payload, o->len, o->hops);
    else
        (void)!carrier_send_one(&ports, &o->endpoint, o->payload, o->len);
}

/* What leaves by it leaves by another path, or none, from now on. */
static void close_side(struct node *n, unsigned side)
{
    tables_publish(&n->tables);
    sides_retire(&n->sides, side);
    fwd_settle(n->workers.fwd, true);
    sides_close(&n->sides, side);
}

/* The workers can open what comes by it before it is read. */
static void begin_trunk(struct node *n, const struct mesh_output *o)
{
    uint64_t conn = o->conn;
    tables_publish(&n->tables);
    int fd = streams_release(n->streams, conn);
    if (fd >= 0 && trunks_add(n->trunks, conn, fd, o->payload, o->len) == 0)
        return;
    (void)streams_abort(n->streams, conn); /* it is still there where no descriptor was left */
    mesh_on_closed(n->mesh, conn, "the connection was closed", clock_monotonic_us());
}

_Static_assert(SWITCH_PINS_PER_PEER == MESSAGE_MACS_MAX, "the switch has room for what HELLO announces");
_Static_assert(SWITCH_ADDRESSES_MAX == MESSAGE_ADDRS_MAX, "… of MACs, and of addresses");

static void pin_addresses(struct node *n, uint32_t slot, const struct node_id *id, const struct hello *theirs)
{
    struct switch_pin pins[MESSAGE_MACS_MAX];
    uint8_t own[6];
    id_mac(id, own);
    for (unsigned i = 0; i < theirs->mac_count; i++) {
        memcpy(pins[i].mac, theirs->macs[i], sizeof(pins[i].mac));
        pins[i].own = memcmp(own, pins[i].mac, sizeof(own)) == 0;
    }
    switch_pin(n->workers.sw, slot, pins, theirs->mac_count);
    for (unsigned i = 0; i < theirs->mac_count; i++)
        if (pins[i].err)
            report_unpinned(&n->report, slot, &pins[i], clock_monotonic_us());
}

static void take_addresses(struct node *n, const struct mesh_output *o)
{
    const struct node_id *id;
    const struct hello *theirs = mesh_hello(n->mesh, o->slot, &id);
    if (!theirs)
        return; /* it has gone since: that is said further on */
    device_peer_addresses(n->device, o->slot, theirs->addresses, theirs->address_count, clock_monotonic_us());
    switch_claim(n->workers.sw, o->slot, theirs->addresses, theirs->address_count, theirs->macs,
                 theirs->mac_count);
    if (n->shim)
        shim_claim(n->shim, o->slot, theirs->addresses, theirs->address_count,
                   theirs->mac_count ? theirs->macs[0] : NULL);
    overlay_check(&n->overlay, o->slot, id, theirs);
    pin_addresses(n, o->slot, id, theirs);
}

static void forget_addresses(struct node *n, const struct mesh_output *o)
{
    device_peer_addresses(n->device, o->slot, NULL, 0, clock_monotonic_us());
    if (o->absent)
        switch_claim_absent(n->workers.sw, o->slot);
    else
        switch_claim(n->workers.sw, o->slot, NULL, 0, NULL, 0);
    if (n->shim)
        shim_claim(n->shim, o->slot, NULL, 0, NULL);
    switch_pin(n->workers.sw, o->slot, NULL, 0);
    tables_forget(&n->tables, o->slot);
}

/* By the address of a device that it creates: before its first session nothing else is known of it. */
static void expect_member(struct node *n, const struct mesh_output *o)
{
    uint8_t mac[6];
    id_mac(&o->id, mac);
    switch_expect(n->workers.sw, o->slot, mac);
}

/* Who reads that there is a path may send on it at once. */
static void notice(struct node *n, const struct mesh_output *o)
{
    tables_publish(&n->tables);
    const char *name = (const char *)o->payload;
    report_notice(&n->report, o->notice, &o->id, name, name + strlen(name) + 1, clock_monotonic_us());
}

static void do_one(struct node *n, const struct mesh_output *o)
{
    switch (o->kind) {
    case MESH_OUTPUT_PUBLISH:
        tables_change(&n->tables, o->slot);
        break;
    case MESH_OUTPUT_DIAL:
        streams_dial(n->streams, o->conn, &o->target);
        break;
    case MESH_OUTPUT_STREAM_SEND:
        send_stream(n, o);
        break;
    case MESH_OUTPUT_STREAM_CLOSE:
        streams_close(n->streams, o->conn);
        break;
    case MESH_OUTPUT_STREAM_ABORT:
        abort_stream(n, o);
        break;
    case MESH_OUTPUT_DATAGRAM:
        send_datagram(n, o);
        break;
    case MESH_OUTPUT_TRUNK:
        begin_trunk(n, o);
        break;
    case MESH_OUTPUT_WORK:
        handshake_pool_add(n->handshakes, o->work, o->stranger);
        break;
    case MESH_OUTPUT_RETIRE:
        tables_retire(&n->tables, o->session);
        break;
    case MESH_OUTPUT_WANT:
        backbones_want(n->backbones, &o->id);
        break;
    case MESH_OUTPUT_FORGET:
        backbones_forget(n->backbones, &o->id);
        break;
    case MESH_OUTPUT_OVERLAY:
        take_addresses(n, o);
        break;
    case MESH_OUTPUT_GONE:
        forget_addresses(n, o);
        break;
    case MESH_OUTPUT_ASKED:
        control_network_on_asked(n);
        if (n->renewal)
            renewal_on_asked(n->renewal, clock_monotonic_us());
        break;
    case MESH_OUTPUT_LEAVE:
        control_network_on_leave(n, &o->id);
        break;
    case MESH_OUTPUT_MEMBER:
        expect_member(n, o);
        break;
    case MESH_OUTPUT_NOTICE:
        notice(n, o);
        break;
    case MESH_OUTPUT_PAIR: /* only where mesh_on_uplink told that one is up */
        backbones_pair(n->backbones, o->pair.backbone, &o->id, o->pair.on);
        break;
    case MESH_OUTPUT_RELAY: /* likewise */
        backbones_relay(n->backbones, o->pair.backbone, &o->id);
        break;
    case MESH_OUTPUT_CHECK: /* likewise */
        backbones_check(n->backbones, o->pair.backbone);
        break;
    case MESH_OUTPUT_LOOK:
        survey_look(n->survey, o->slot, o->keep);
        break;
    case MESH_OUTPUT_DRAW:
        tables_publish(&n->tables);
        draw_begin(n->draw, o->slot, &o->endpoint.remote, o->hops, o->payload, o->len);
        break;
    case MESH_OUTPUT_SIDE_CLOSE:
        close_side(n, o->side);
        break;
    case MESH_OUTPUT_VERIFY:
        records_verify(n->records, o->payload, o->len);
        break;
    case MESH_OUTPUT_PONG:
        pings_pong(&n->pings, o->token, o->rtt_us);
        break;
    }
}

void control_do_outputs(struct node *n)
{
    const struct mesh_output *o;
    while ((o = mesh_take_output(n->mesh)))
        do_one(n, o);
}
