/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include "base/clock.h"
#include "control_datagram.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "node/data/fwd.h"
#include "proto/link/link_work.h"
#include "proto/switch/switch.h"
#include <assert.h>
#include <string.h>

static const struct addr hub_addr = {.family = 4, .ip = {198, 18, 0, 1}, .port = 9443};

static bool usable(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return true;
}

static uint32_t interface_of(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return 1;
}

static bool in_scope(const void *context, const struct addr *a, const struct candidate *list, unsigned count)
{
    (void)context, (void)a, (void)list, (void)count;
    return true;
}

struct mesh *hub_start(const struct identity *me, uint8_t lanes)
{
    struct mesh *m;
    const struct mesh_config config = {.me = me,
                                       .name = "node",
                                       .is_public = true,
                                       .lanes = lanes,
                                       .mtu = 1500,
                                       .ratchet_us = MESH_RATCHET_US,
                                       .rehandshake_us = MESH_REHANDSHAKE_US,
                                       .local_max = 1472,
                                       .filter = {usable, in_scope, interface_of, NULL},
                                       .random = secret_source};
    int err = mesh_new(&config, &m);
    assert(err == 0);
    (void)err;
    return m;
}

void hub_init(struct hub *h, uint8_t lanes)
{
    *h = (struct hub){.now_us = 1000 * USEC_PER_SEC};
    int err = identity_generate(&h->me);
    assert(err == 0);
    (void)err;
    h->mesh = hub_start(h->me, lanes);
    err = fwd_new(&h->fwd);
    if (!err)
        err = switch_new(MESH_PEERS_MAX, 65536, &secret_source, &h->sw);
    assert(err == 0);
    tables_init(&h->tables, &(struct tables_config){h->mesh, h->fwd, h->sw, &h->socket});
}

void hub_fini(struct hub *h)
{
    mesh_free(h->mesh);
    tables_fini(&h->tables);
    fwd_free(h->fwd);
    switch_free(h->sw);
    identity_free(h->me);
}

/* ---- between the two ---- */

static void work(struct mesh *m, struct link_work *w, const struct hub *h)
{
    link_work_run(w);
    mesh_on_worked(m, w, h->now_us);
}

void hub_for_workers(struct hub *h, const struct mesh_output *o)
{
    if (o->kind == MESH_OUTPUT_PUBLISH)
        tables_change(&h->tables, o->slot);
    else if (o->kind == MESH_OUTPUT_RETIRE)
        tables_retire(&h->tables, o->session);
    else if (o->kind == MESH_OUTPUT_GONE)
        tables_forget(&h->tables, o->slot);
}

static void from_hub(struct hub *h, const struct mesh_output *o)
{
    const struct endpoint from = endpoint_udp(&hub_addr);
    const struct target hub = target_tcp(&hub_addr);
    if (o->kind == MESH_OUTPUT_DIAL && addr_same_host(&o->target.addr, &h->peer_addr)) {
        h->conn = o->conn;
        h->peer_conn = mesh_on_accept(h->peer, &hub, h->now_us);
        mesh_on_connected(h->mesh, h->conn, h->now_us);
    } else if (o->kind == MESH_OUTPUT_STREAM_SEND && o->conn == h->conn) {
        mesh_on_bytes(h->peer, h->peer_conn, o->payload, o->len, h->now_us);
    } else if (o->kind == MESH_OUTPUT_DATAGRAM && addr_equal(&o->endpoint.remote, &h->peer_addr)) {
        control_datagram(h->peer, &from, o->payload, o->len, h->now_us);
    } else if (o->kind == MESH_OUTPUT_WORK) {
        work(h->mesh, o->work, h);
    } else {
        hub_for_workers(h, o);
    }
}

static void from_peer(struct hub *h, const struct mesh_output *o)
{
    const struct endpoint from = endpoint_udp(&h->peer_addr);
    bool sent = o->kind == MESH_OUTPUT_STREAM_SEND || o->kind == MESH_OUTPUT_DATAGRAM;
    if (o->kind == MESH_OUTPUT_RETIRE)
        session_free(o->session);
    if (o->kind == MESH_OUTPUT_WORK)
        work(h->peer, o->work, h);
    if (sent && h->keep) {
        assert(o->len <= sizeof(h->bytes));
        memcpy(h->bytes, o->payload, o->len);
        h->len = o->len;
    } else if (o->kind == MESH_OUTPUT_STREAM_SEND) {
        mesh_on_bytes(h->mesh, h->conn, o->payload, o->len, h->now_us);
    } else if (o->kind == MESH_OUTPUT_DATAGRAM) {
        control_datagram(h->mesh, &from, o->payload, o->len, h->now_us);
    }
}

void hub_exchange(struct hub *h)
{
    const struct mesh_output *o;
    bool more = true;
    while (more) {
        more = false;
        for (; (o = mesh_take_output(h->mesh)); more = true)
            from_hub(h, o);
        tables_publish(&h->tables);
        for (; (o = mesh_take_output(h->peer)); more = true)
            from_peer(h, o);
    }
}

/* ---- the crowd ---- */

void hub_leave(struct hub *h)
{
    mesh_free(h->peer);
    identity_free(h->peer_me);
    h->peer = NULL;
}

void hub_connect(struct hub *h, unsigned number, uint8_t lanes)
{
    int err = identity_generate(&h->peer_me);
    assert(err == 0);
    h->peer = hub_start(h->peer_me, lanes);
    h->peer_addr = hub_addr;
    h->peer_addr.ip[1] = 19;
    h->peer_addr.ip[2] = (uint8_t)(number >> 8);
    h->peer_addr.ip[3] = (uint8_t)number;
    const struct addr control = h->peer_addr;
    const struct candidate here = {CANDIDATE_HOST, h->peer_addr, control.port};
    mesh_set_candidates(h->peer, &here, 1, h->now_us);
    err = mesh_connect(h->mesh, identity_id(h->peer_me));
    assert(err == 0);
    (void)err;
    mesh_set_given_addresses(h->mesh, identity_id(h->peer_me), &control, 1, h->now_us);
    hub_exchange(h);
}
