/* SPDX-License-Identifier: Apache-2.0 */
/* What an event, a turn of the loop, and telling workers of it cost does not grow with the number of peers: instructions at 4,000 peers against
 * those at 40. A tenth of the peers is connected, the others are wanted or may come. */

#include "base/clock.h"
#include "control_datagram.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "node/data/fwd.h"
#include "node/data/tables.h"
#include "proto/link/link_work.h"
#include "proto/mesh/mesh.h"
#include "proto/switch/switch.h"
#include "steps.h"
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FEW       40
#define MANY      4000
#define CONNECTED 10     /* of so many one */
#define MOST      500000 /* instructions of one measurement */

/* A mesh with many peers. Each is a whole mesh itself while it connects, and then stays away without a word; the last
 * one stays. */
struct hub {
    struct mesh *mesh;
    struct tables tables; /* its workers' */
    struct fwd *fwd;
    struct switch_table *sw;
    struct udp_socket socket;
    struct identity *me;
    uint64_t now_us;
    struct mesh *peer;
    struct identity *peer_me;
    struct addr peer_addr;
    uint64_t conn, peer_conn; /* the stream between the two, at either end */
    uint8_t bytes[65536];     /* what the peer sent last, while it is kept back */
    size_t len;
    bool keep;
};

static const struct addr hub_addr = {.family = 4, .ip = {198, 18, 0, 1}, .port = 9443};

static bool usable(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return true;
}

static struct mesh *start(const struct identity *me)
{
    struct mesh *m;
    const struct mesh_config config = {.me = me,
                                       .name = "node",
                                       .is_public = true,
                                       .lanes = 1,
                                       .mtu = 1500,
                                       .ratchet_us = MESH_RATCHET_US,
                                       .rehandshake_us = MESH_REHANDSHAKE_US,
                                       .local_max = 1472,
                                       .filter = {usable, usable, NULL},
                                       .random = secret_source};
    int err = mesh_new(&config, &m);
    assert(err == 0);
    (void)err;
    return m;
}

/* ---- between the two ---- */

static void work(struct mesh *m, struct link_work *w, const struct hub *h)
{
    link_work_run(w);
    mesh_on_worked(m, w, h->now_us);
}

static void for_workers(struct hub *h, const struct mesh_output *o)
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
        for_workers(h, o);
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

static void exchange(struct hub *h)
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

static void leave(struct hub *h)
{
    mesh_free(h->peer);
    identity_free(h->peer_me);
    h->peer = NULL;
}

static void connect_one(struct hub *h, unsigned number)
{
    int err = identity_generate(&h->peer_me);
    assert(err == 0);
    h->peer = start(h->peer_me);
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
    exchange(h);
}

static struct node_id somebody(unsigned number)
{
    return (struct node_id){{0xee, (uint8_t)(number >> 8), (uint8_t)number}};
}

static void count_connected(void *context, const struct mesh_peer *peer)
{
    *(unsigned *)context += peer->state == MESH_PEER_CONNECTED && peer->path.endpoint.carrier != CARRIER_NONE;
}

static void fill(struct hub *h, unsigned peers)
{
    unsigned connected = 0;
    for (unsigned i = 0; i < peers; i++) {
        const struct node_id id = somebody(i);
        if (i % CONNECTED) {
            int err = i % 2 ? mesh_connect(h->mesh, &id) : mesh_allow(h->mesh, &id);
            assert(err == 0);
            (void)err;
            continue;
        }
        if (h->peer)
            leave(h);
        connect_one(h, i);
    }
    mesh_peers(h->mesh, count_connected, &connected);
    assert(connected == peers / CONNECTED);
}

/* ---- what is measured ---- */

/* A turn of the loop behind an event. */
static void settle(struct hub *h)
{
    const struct mesh_output *o;
    while ((o = mesh_take_output(h->mesh)))
        for_workers(h, o);
    tables_publish(&h->tables);
    (void)mesh_next_deadline(h->mesh, h->now_us);
}

static void rest(struct hub *h)
{
    settle(h);
    while (mesh_next_deadline(h->mesh, h->now_us) <= h->now_us) {
        mesh_tick(h->mesh, h->now_us);
        settle(h);
    }
}

static uint32_t slot_of_peer(struct mesh *m, const struct identity *me)
{
    struct node_id id;
    const char *name;
    uint32_t slot = 0;
    while (!mesh_peer_name(m, slot, &id, &name) || id_compare(&id, identity_id(me)) != 0)
        slot++;
    return slot;
}

static void probe(struct hub *h)
{
    h->keep = true;
    int err = mesh_ping(h->peer, slot_of_peer(h->peer, h->me), 1, h->now_us);
    assert(err == 0);
    (void)err;
    exchange(h);
    const struct endpoint from = endpoint_udp(&h->peer_addr);
    steps_begin();
    control_datagram(h->mesh, &from, h->bytes, h->len, h->now_us);
    settle(h);
    steps_end();
}

static void message(struct hub *h)
{
    const struct candidate moved = {
        CANDIDATE_HOST, {.family = 4, .ip = {198, 19, 200, 1}, .port = 9443}, 8443};
    mesh_set_candidates(h->peer, &moved, 1, h->now_us);
    exchange(h);
    steps_begin();
    mesh_on_bytes(h->mesh, h->conn, h->bytes, h->len, h->now_us);
    settle(h);
    steps_end();
}

static void source(struct hub *h)
{
    const struct addr elsewhere = {.family = 4, .ip = {198, 19, 201, 1}, .port = 9443};
    const struct endpoint from = endpoint_udp(&elsewhere);
    uint32_t slot = slot_of_peer(h->mesh, h->peer_me);
    steps_begin();
    mesh_on_source(h->mesh, slot, &from, h->now_us);
    settle(h);
    steps_end();
}

/* The path of one peer carries less: its workers are told. */
static void smaller(struct hub *h)
{
    uint32_t slot = slot_of_peer(h->mesh, h->peer_me);
    const struct fwd_peer *before = fwd_peer(h->fwd, slot);
    assert(before && before->has_path);
    steps_begin();
    mesh_on_too_big(h->mesh, slot, h->now_us);
    settle(h);
    steps_end();
    assert(fwd_peer(h->fwd, slot)->size < 1472);
    (void)before;
}

static void stranger(struct hub *h)
{
    const struct target from = {TARGET_TCP, {.family = 4, .ip = {203, 0, 113, 1}, .port = 40000}};
    steps_begin();
    uint64_t conn = mesh_on_accept(h->mesh, &from, h->now_us);
    settle(h);
    mesh_on_closed(h->mesh, conn, "closed", h->now_us);
    settle(h);
    steps_end();
}

static void record(struct hub *h)
{
    const struct candidate there = {
        CANDIDATE_HOST, {.family = 4, .ip = {198, 19, 202, 1}, .port = 9443}, 8443};
    const struct node_id id = somebody(1);
    steps_begin();
    mesh_set_record(h->mesh, &id, "somebody", &there, 1, h->now_us);
    settle(h);
    steps_end();
}

static void newcomer(struct hub *h)
{
    const struct node_id id = somebody(MANY);
    steps_begin();
    int err = mesh_allow(h->mesh, &id);
    settle(h);
    steps_end();
    assert(err == 0);
    (void)err;
}

static void idle_turn(struct hub *h)
{
    steps_begin();
    mesh_tick(h->mesh, h->now_us);
    settle(h);
    steps_end();
}

/* Everybody is due. */
static void full_turn(struct hub *h)
{
    h->now_us += USEC_PER_SEC;
    settle(h);
    idle_turn(h);
}

static const struct {
    const char *name;
    void (*run)(struct hub *h);
} measures[] = {{"a probe", probe},          {"a message", message},      {"a source", source},
                {"a smaller path", smaller}, {"a stranger", stranger},    {"a record", record},
                {"a new peer", newcomer},    {"an idle turn", idle_turn}, {"a full turn", full_turn}};
#define MEASURES (sizeof(measures) / sizeof(measures[0]))

static void scenario(void *context)
{
    struct hub *h = calloc(1, sizeof(*h));
    assert(h);
    h->now_us = 1000 * USEC_PER_SEC;
    int err = identity_generate(&h->me);
    assert(err == 0);
    (void)err;
    h->mesh = start(h->me);
    err = fwd_new(&h->fwd);
    if (!err)
        err = switch_new(MESH_PEERS_MAX, 65536, &secret_source, &h->sw);
    assert(err == 0);
    tables_init(&h->tables, &(struct tables_config){h->mesh, h->fwd, h->sw, &h->socket});
    fill(h, *(const unsigned *)context);
    for (size_t i = 0; i < MEASURES; i++) {
        h->now_us += 20000;
        rest(h);
        measures[i].run(h);
    }
}

static void events_and_turns_cost_no_more_with_many_peers(void **state)
{
    (void)state;
    uint64_t few[MEASURES], many[MEASURES];
    assert_int_equal(steps_run(scenario, &(unsigned){FEW}, MOST, few, MEASURES), MEASURES);
    assert_int_equal(steps_run(scenario, &(unsigned){MANY}, MOST, many, MEASURES), MEASURES);
    for (size_t i = 0; i < MEASURES; i++) {
        print_message("%s: %llu instructions with %u peers, %llu with %u\n", measures[i].name,
                      (unsigned long long)few[i], FEW, (unsigned long long)many[i], MANY);
        /* An event is for one peer; a turn may find more of many peers due than of few. */
        assert_true(many[i] <= (measures[i].run == full_turn ? few[i] * 2 : few[i] * 5 / 4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_and_turns_cost_no_more_with_many_peers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
