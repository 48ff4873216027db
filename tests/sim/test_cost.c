/* SPDX-License-Identifier: Apache-2.0 */
/* What an event, a turn of the loop, and telling workers of it cost does not grow with the number of peers: instructions at 4,000 peers against
 * those at 40. A tenth of the peers is connected, the others are wanted or may come. */

#include "base/clock.h"
#include "control_datagram.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "node/data/fwd.h"
#include "proto/switch/switch.h"
#include "hub.h"
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
            hub_leave(h);
        hub_connect(h, i, 1);
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
        hub_for_workers(h, o);
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
    hub_exchange(h);
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
    hub_exchange(h);
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
    hub_init(h, 1);
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
