/* SPDX-License-Identifier: Apache-2.0 */
/* Each event goes to whom it concerns, most of them to the mesh; what that wants done then waits (control_outputs.c). */

#include "node/control/control_events.h"

#include "base/clock.h"
#include "node/control/control_state.h"
#include "proto/message/record.h"

#define EVENTS_MAX 64 /* of a worker in one turn of the loop: timers, streams and callers get theirs */

/* ---- streams ---- */

static uint64_t on_accepted(void *context, const struct target *from)
{
    struct node *n = context;
    uint64_t conn = mesh_on_accept(n->mesh, from, clock_monotonic_us());
    n->drops[DROP_STRANGER] += conn == 0;
    return conn;
}

static void on_connected(void *context, uint64_t conn)
{
    mesh_on_connected(((struct node *)context)->mesh, conn, clock_monotonic_us());
}

static void on_bytes(void *context, uint64_t conn, const uint8_t *data, size_t len)
{
    mesh_on_bytes(((struct node *)context)->mesh, conn, data, len, clock_monotonic_us());
}

static void on_closed(void *context, uint64_t conn, const char *reason)
{
    mesh_on_closed(((struct node *)context)->mesh, conn, reason, clock_monotonic_us());
}

void control_events_trunk_closed(void *context, uint64_t conn, const char *reason)
{
    on_closed(context, conn, reason);
}

struct streams_events control_events_of_streams(struct node *n)
{
    return (struct streams_events){on_accepted, on_connected, on_bytes, on_closed, n};
}

void control_events_worked(void *context, struct link_work *work)
{
    mesh_on_worked(((struct node *)context)->mesh, work, clock_monotonic_us());
}

/* ---- backbones ---- */

void control_events_describe(void *context, struct record *record)
{
    addresses_describe(&((struct node *)context)->addresses, record);
}

static void on_record(void *context, const struct record *record, const struct record_bytes *bytes)
{
    records_take(((struct node *)context)->records, record, bytes);
}

void control_events_refused(void *context)
{
    ((struct node *)context)->drops[DROP_RECORD]++;
}

static void on_missing(void *context, const struct node_id *id, const char *why)
{
    mesh_set_missing(((struct node *)context)->mesh, id, why);
}

static void on_clock(void *context, int64_t ahead_s)
{
    report_clock(&((struct node *)context)->report, ahead_s);
}

static void on_reached(void *context, unsigned number, const struct addr *list, unsigned count)
{
    struct node *n = context;
    addresses_set_server(&n->addresses, number, list, count, clock_monotonic_us());
}

static void on_uplink(void *context, unsigned number, bool up, uint32_t interface)
{
    mesh_on_uplink(((struct node *)context)->mesh, number, up, interface, clock_monotonic_us());
}

void control_events_stun_found(void *context, unsigned i, const struct addr *list, unsigned count)
{
    addresses_set_server(&((struct node *)context)->addresses, UPLINKS_MAX + i, list, count,
                         clock_monotonic_us());
}

static unsigned on_servers(void *context, struct addr out[2 * NAT_CHECK_SERVERS_MAX])
{
    return addresses_stun_servers(&((struct node *)context)->addresses, out, 2 * NAT_CHECK_SERVERS_MAX);
}

static void on_nat(void *context, unsigned family, const struct nat *nat)
{
    addresses_learn_nat(&((struct node *)context)->addresses, family, nat);
}

void control_events_of_nat_watch(struct node *n, struct nat_watch_config *out)
{
    *out = (struct nat_watch_config){.loop = &n->loop, .servers = on_servers, .found = on_nat, .context = n};
}

static const struct addr *on_server(void *context)
{
    return addresses_stun_server(&((struct node *)context)->addresses);
}

/* The worker reads it from now on. Where that cannot be, the path by it does not answer, and it is closed again. */
static void take_side(struct node *n, unsigned side, const struct udp_socket *socket)
{
    sides_add(&n->sides, side, socket);
    (void)!workers_watch_side(&n->workers, side);
}

static bool on_seen(void *context, uint32_t slot, const struct punch_seen *seen,
                    const struct udp_socket *first)
{
    struct node *n = context;
    struct punch_seen found = *seen;
    found.side = first ? (uint8_t)sides_free_number(&n->sides) : 0;
    if (!mesh_on_seen(n->mesh, slot, &found, clock_monotonic_us()))
        return false;
    take_side(n, found.side, first);
    return true;
}

void control_events_of_survey(struct node *n, struct survey_config *out)
{
    *out = (struct survey_config){.loop = &n->loop, .server = on_server, .seen = on_seen, .context = n};
}

static bool on_met(void *context, uint32_t slot, const struct udp_socket *socket, const struct udp_message *m)
{
    struct node *n = context;
    unsigned side = sides_free_number(&n->sides);
    const struct endpoint from = carrier_source(m, (uint8_t)side, 0);
    if (!side || !mesh_on_drawn(n->mesh, slot, &from, m->data, m->segment, clock_monotonic_us()))
        return false;
    take_side(n, side, socket);
    return true;
}

void control_events_of_draw(struct node *n, struct draw_config *out)
{
    *out = (struct draw_config){.loop = &n->loop, .met = on_met, .context = n};
}

static void on_paired(void *context, unsigned number, const struct node_id *id, bool on)
{
    mesh_on_paired(((struct node *)context)->mesh, number, id, on, clock_monotonic_us());
}

static void on_relayed(void *context, unsigned number, const struct node_id *id, const struct addr *relay,
                       uint32_t channel, const uint8_t *token)
{
    const struct mesh_channel granted = {*relay, channel, token};
    mesh_on_relayed(((struct node *)context)->mesh, number, id, &granted, clock_monotonic_us());
}

static void on_dropped(void *context, uint64_t datagrams)
{
    ((struct node *)context)->drops[DROP_BACKLOG] += datagrams;
}

struct backbones_events control_events_of_backbones(struct node *n)
{
    return (struct backbones_events){.describe = control_events_describe,
                                     .found = on_record,
                                     .missing = on_missing,
                                     .clock = on_clock,
                                     .reached = on_reached,
                                     .uplink = on_uplink,
                                     .paired = on_paired,
                                     .relayed = on_relayed,
                                     .dropped = on_dropped,
                                     .context = n};
}

/* ---- the router ---- */

static void on_mapped(void *context)
{
    addresses_announce(&((struct node *)context)->addresses, clock_monotonic_us());
}

void control_events_of_portmap(struct node *n, struct portmap_config *out)
{
    out->changed = on_mapped;
    out->context = n;
}

/* ---- workers ---- */

/* Every worker notices it. */
static void on_device_gone(struct node *n)
{
    if (!n->device_gone)
        log_warn("device %s was removed: stopping", device_tap(n->device)->name);
    n->device_gone = true;
    uv_stop(&n->loop);
}

static enum drop on_stun(struct node *n, const struct worker_event *e, uint64_t now_us)
{
    if (standbys_on_stun(&n->standbys, &e->from.remote, e->data, e->len, now_us))
        return DROP_NONE;
    return addresses_on_stun(&n->addresses, &e->from.remote, e->data, e->len, now_us);
}

static enum drop on_datagram(struct node *n, const struct worker_event *e, uint64_t now_us)
{
    if (e->slot == WORKER_NO_PEER && wire_classify(e->data, e->len) == WIRE_CLASS_RELAY)
        return mesh_on_relay_message(n->mesh, &e->from, e->data, e->len, now_us);
    if (e->slot == WORKER_NO_PEER)
        return on_stun(n, e, now_us);
    return mesh_on_opened(n->mesh, e->slot, &e->from, e->data, e->len, now_us);
}

static void on_worker_event(void *context, const struct worker_event *e)
{
    struct node *n = context;
    uint64_t now_us = clock_monotonic_us();
    switch (e->kind) {
    case WORKER_EVENT_DATAGRAM:
        n->drops[on_datagram(n, e, now_us)]++;
        break;
    case WORKER_EVENT_SOURCE:
        mesh_on_source(n->mesh, e->slot, &e->from, now_us);
        break;
    case WORKER_EVENT_TOO_BIG:
        mesh_on_too_big(n->mesh, e->slot, now_us);
        break;
    case WORKER_EVENT_LANES:
        mesh_on_lanes(n->mesh, e->slot, now_us);
        break;
    case WORKER_EVENT_CLAIM:
        report_claim(&n->report, e, now_us);
        break;
    case WORKER_EVENT_SOUGHT:
        mesh_on_sought(n->mesh, e->slot, now_us);
        break;
    case WORKER_EVENT_CIRCLE:
        report_circle(&n->report, device_tap(n->device)->name, now_us);
        break;
    case WORKER_EVENT_NEIGHBOUR:
        n->drops[shim_on_event(n->shim, e, now_us)]++;
        break;
    case WORKER_EVENT_TRACE:
        frame_log_tell(&n->frame_log, &e->trace);
        break;
    case WORKER_EVENT_DEVICE_GONE:
        on_device_gone(n);
        break;
    }
}

static void on_conflict(void *context, const struct addr *ours, const uint8_t mac[6])
{
    struct node *n = context;
    int slot = switch_find(n->workers.sw, mac, 0);
    report_conflict(&n->report, ours, mac, slot, clock_monotonic_us());
}

void control_events_machine(const struct node *n, struct shim_machine *out)
{
    out->addresses = device_own_addresses(n->device, &out->address_count);
    out->routes = device_routes(n->device, &out->route_count);
}

void control_events_of_shim(struct node *n, struct shim_config *out)
{
    out->conflict = on_conflict;
    out->context = n;
}

void control_events_of_workers(struct node *n)
{
    mesh_set_pressed(n->mesh, workers_pressed(&n->workers, clock_monotonic_us()));
    if (workers_take_events(&n->workers, EVENTS_MAX, on_worker_event, n))
        uv_async_send(&n->wake);
}

void control_events_wake(void *context)
{
    uv_async_send(&((struct node *)context)->wake);
}

/* ---- the machine ---- */

void control_events_resumed(void *context)
{
    mesh_rekey_all(((struct node *)context)->mesh, clock_monotonic_us());
}
