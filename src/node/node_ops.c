/* SPDX-License-Identifier: Apache-2.0 */
/* What the mesh asks for, done: streams, datagrams, tables, addresses, lines for people. Before any byte leaves, the workers'
 * tables are made to agree with what the peer is about to learn. Control thread. docs/ARCHITECTURE.md, "Control". */

#include "node/node.h"
#include "node/underlay/usable.h"
#include <string.h>

static bool op_usable(void *context, const struct addr *a)
{
    const struct node *n = context;
    struct usable_scope scope = {.overlay = device_is_overlay(n->device, a),
                                 .port = n->config->port,
                                 .control_port = n->config->control_port};
    scope.machine = device_machine_addresses(n->device, &scope.machine_count);
    return usable(&scope, a);
}

static void op_dial(void *context, uint64_t conn, const struct addr *to)
{
    struct node *n = context;
    streams_dial(n->streams, conn, to);
}

static void op_stream_send(void *context, uint64_t conn, const uint8_t *data, size_t len)
{
    struct node *n = context;
    if (n->tables_stale)
        tables_publish(n);
    streams_send(n->streams, conn, data, len);
}

static void op_stream_close(void *context, uint64_t conn)
{
    struct node *n = context;
    streams_close(n->streams, conn);
}

static void op_stream_abort(void *context, uint64_t conn)
{
    struct node *n = context;
    n->drops[DROP_STRANGER]++;
    streams_abort(n->streams, conn);
}

static int op_datagram_send(void *context, const struct addr *to, const uint8_t *data, size_t len)
{
    struct node *n = context;
    if (device_is_overlay(n->device, to))
        return 0; /* the tunnel's own endpoints are never reached through the tunnel */
    if (n->tables_stale)
        tables_publish(n);
    struct udp_remote remote;
    udp_remote_init(&n->sockets[0], to, &remote);
    return udp_send(&n->sockets[0], &remote, data, len, len, 0) == ERR_SPACE ? ERR_SPACE : 0;
}

static void op_publish(void *context)
{
    struct node *n = context;
    n->tables_stale = true;
}

static void op_retire(void *context, struct session *s)
{
    tables_retire(context, s);
}

static void op_want(void *context, const struct node_id *id, bool wanted)
{
    struct node *n = context;
    if (n->rendezvous && wanted)
        rendezvous_want(n->rendezvous, id);
    else if (n->rendezvous)
        rendezvous_forget(n->rendezvous, id);
}

_Static_assert(SWITCH_PINS_PER_PEER == MESSAGE_MACS_MAX, "the switch has room for what HELLO announces");

static void pin_addresses(struct node *n, uint32_t slot, const struct node_id *id, const struct hello *theirs)
{
    struct switch_pin pins[MESSAGE_MACS_MAX];
    uint8_t own[6];
    id_mac(id, own);
    for (unsigned i = 0; i < theirs->mac_count; i++) {
        memcpy(pins[i].mac, theirs->macs[i], sizeof pins[i].mac);
        pins[i].own = memcmp(own, pins[i].mac, sizeof own) == 0;
    }
    switch_pin(n->sw, slot, pins, theirs->mac_count);
    for (unsigned i = 0; i < theirs->mac_count; i++)
        if (pins[i].err)
            report_unpinned(n, slot, &pins[i]);
}

static void op_overlay(void *context, uint32_t slot, const struct node_id *id, const struct hello *theirs)
{
    struct node *n = context;
    device_peer_addresses(n->device, slot, theirs ? theirs->addresses : NULL,
                          theirs ? theirs->address_count : 0);
    if (theirs) {
        pin_addresses(n, slot, id, theirs);
        return;
    }
    switch_pin(n->sw, slot, NULL, 0);
    n->forget[slot] = n->forgetting = n->tables_stale = true;
}

static void op_notice(void *context, enum mesh_notice what, const struct node_id *id, const char *name,
                      const char *text)
{
    report_notice(context, what, id, name, text);
}

static void op_pong(void *context, uint64_t token, uint32_t rtt_us)
{
    status_pong(context, token, rtt_us);
}

struct mesh_ops node_mesh_ops(struct node *n)
{
    return (struct mesh_ops){.usable = op_usable,
                             .dial = op_dial,
                             .stream_send = op_stream_send,
                             .stream_close = op_stream_close,
                             .stream_abort = op_stream_abort,
                             .datagram_send = op_datagram_send,
                             .publish = op_publish,
                             .retire = op_retire,
                             .want = op_want,
                             .overlay = op_overlay,
                             .notice = op_notice,
                             .pong = op_pong,
                             .context = n};
}
