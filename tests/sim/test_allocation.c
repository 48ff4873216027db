/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail, one in each run: of a mesh's start, of a handshake, key changes and a stop. Nothing crashes or
 * leaks (the build with ASan tells), and once there is memory again the pair connects and carries frames. */

#include "failing_memory.h"
#include "founded.h"
#include "sim.h"

#include "base/clock.h"
#include "crypto/library.h"
#include "crypto/secret.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOUR_US      (3600 * USEC_PER_SEC)
#define EPISODE_US   (3 * USEC_PER_SEC) /* a handshake and ratchets */
#define RATCHET_US   USEC_PER_SEC
#define RECOVERY_US  (180 * USEC_PER_SEC)
#define STEP_US      USEC_PER_SEC
#define LIBRARY_RUNS 40 /* of the thousands of OpenSSL's allocations, evenly spread */

static struct failing_memory memory;

/* ---- a start ---- */

static bool anything(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return true;
}

static uint32_t interface_of(const void *context, const struct addr *a)
{
    (void)context, (void)a;
    return 1;
}

static bool anywhere(const void *context, const struct addr *a, const struct candidate *list, unsigned count)
{
    (void)context, (void)a, (void)list, (void)count;
    return true;
}

/* As a node's: a mesh, whom it connects to and where, and its own addresses. */
static int start_mesh(struct identity *me, const struct node_id *peer, struct mesh **out)
{
    const struct mesh_config config = {.me = me,
                                       .name = "starting",
                                       .lanes = 1,
                                       .mtu = 1500,
                                       .ratchet_us = HOUR_US,
                                       .rehandshake_us = HOUR_US,
                                       .local_max = 1472,
                                       .filter = {anything, anywhere, interface_of, NULL},
                                       .random = secret_source};
    const struct addr given = {.family = 4, .port = 8443, .ip = {192, 0, 2, 1}};
    const struct candidate here = {CANDIDATE_HOST, {.family = 4, .port = 9443, .ip = {192, 0, 2, 2}}, 8443};
    int err = mesh_new(&config, out);
    if (err)
        return err;
    err = mesh_connect(*out, peer);
    if (err) {
        mesh_free(*out);
        return err;
    }
    mesh_set_given_addresses(*out, peer, &given, 1, 1);
    mesh_set_candidates(*out, &here, 1, 1);
    return 0;
}

static void start_succeeds_or_says_that_memory_is_out(void **state)
{
    struct identity *me, *other;
    unsigned long n = 0;
    bool failed = true;
    (void)state;
    assert_int_equal(identity_generate(&me), 0);
    assert_int_equal(identity_generate(&other), 0);
    while (failed) {
        struct mesh *m = NULL;
        memory_arm(&memory, MEMORY_OURS, ++n);
        int err = start_mesh(me, identity_id(other), &m);
        failed = memory_disarm(&memory, MEMORY_OURS);
        if (err && (!failed || err != ERR_NOMEM))
            fail_msg("allocation %lu: error %d, %s", n, err, failed ? "failed" : "none failed");
        if (!err)
            mesh_free(m);
    }
    assert_true(n > 5);
    identity_free(me);
    identity_free(other);
}

/* ---- a pair ---- */

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
};

static void stop(struct sim_node *n)
{
    mesh_shutdown(n->mesh, sim_now(n->sim));
    sim_do_outputs(n);
}

static bool carries(struct sim_node *from, struct sim_node *to)
{
    uint64_t before = to->frames_received;
    bool sent = sim_send_frame(from, to, 500);
    sim_run(from->sim, USEC_PER_SEC, NULL, NULL);
    return sent && to->frames_received == before + 1;
}

static bool recovers(struct pair *p)
{
    for (uint64_t at = 0; at < RECOVERY_US; at += STEP_US) {
        if (sim_connected(p->a, p->b) && sim_connected(p->b, p->a) && carries(p->a, p->b) &&
            carries(p->b, p->a))
            return true;
        sim_run(p->sim, STEP_US, NULL, NULL);
    }
    return false;
}

/* Of the allocations that fail: a sanitizer has time for one in five. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EACH 5
#else
#define EACH 1
#endif

enum route {
    STRAIGHT,
    BY_UPLINK,       /* joined by uplinks alone */
    OVER_SESSION,    /* connected before, and then joined by nothing but that */
    BY_CERTIFICATES, /* … of issuers that the other side has to ask for */
    WAYS
};

static struct founded network;

static void join(struct sim_node *n, unsigned issuer)
{
    const struct founding_cert c = founded_cert(&network, n, issuer);
    founded_join(&network, n, issuer, &c);
}

static void connect_before(struct pair *p)
{
    sim_run(p->sim, EPISODE_US, NULL, NULL);
    p->a->deaf = p->b->deaf = true;
    sim_cut_streams(p->sim);
}

/* One life of a pair in which the n-th allocation fails; how many there were, until then or in all. */
static unsigned long live(enum memory_source source, enum route way, unsigned long n)
{
    const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 10000};
    struct pair p = {.sim = sim_new(n + 1, &weather)};
    p.a = sim_add(p.sim, way != BY_CERTIFICATES, RATCHET_US, HOUR_US);
    p.b = sim_add(p.sim, way != BY_CERTIFICATES, RATCHET_US, HOUR_US);
    if (way == BY_CERTIFICATES) {
        join(p.a, 0);
        join(p.b, 1);
    }
    p.a->shut = p.b->shut = way == BY_UPLINK;
    sim_connect(p.a, p.b, NULL);
    if (way == OVER_SESSION)
        connect_before(&p);
    memory_arm(&memory, source, n);
    sim_uplink(p.a, way == BY_UPLINK);
    sim_uplink(p.b, way == BY_UPLINK);
    sim_run(p.sim, EPISODE_US, NULL, NULL);
    memory.armed = false;
    p.a->deaf = p.b->deaf = false;
    if (!recovers(&p))
        fail_msg("allocation %lu fails once, and the pair never carries frames again", n);
    memory.armed = true;
    stop(p.a);
    stop(p.b);
    sim_run(p.sim, USEC_PER_SEC, NULL, NULL);
    memory.armed = false;
    sim_free(p.sim);
    return memory.counted[source];
}

static void pair_outlives_any_allocation_of_ours_that_fails(void **state)
{
    (void)state;
    founded_open(&network, "lab");
    for (enum route way = STRAIGHT; way < WAYS; way++) {
        unsigned long n = 1, step = way == BY_CERTIFICATES ? 3 * EACH : EACH; /* most are as by another way */
        while (live(MEMORY_OURS, way, n) >= n)
            n += step;
        assert_true(n > 100);
    }
    founded_close(&network);
}

static void pair_outlives_allocations_of_the_library_that_fail(void **state)
{
    (void)state;
#ifdef __s390x__
    skip(); /* OpenSSL allocates before main there (tests/unit/test_library.c) */
#endif
    unsigned long all = live(MEMORY_LIBRARY, STRAIGHT, 0);
    assert_true(all > LIBRARY_RUNS);
    for (unsigned long i = 0; i < LIBRARY_RUNS; i++)
        live(MEMORY_LIBRARY, STRAIGHT, 1 + i * all / LIBRARY_RUNS);
}

/* b's stream to a is aborted when what it says finds no room; that is no stranger's end. */
static void peer_whose_stream_ends_for_want_of_memory_is_no_stranger(void **state)
{
    const struct sim_weather weather = {.delay_us = 5000};
    struct pair p = {.sim = sim_new(1, &weather)};
    struct candidate here = {CANDIDATE_HOST, {.family = 4, .ip = {192, 0, 2, 2}}, 8443};
    bool failed = true;
    (void)state;
    p.a = sim_add(p.sim, true, HOUR_US, HOUR_US);
    p.b = sim_add(p.sim, true, HOUR_US, HOUR_US);
    sim_connect(p.b, p.a, NULL);
    for (uint16_t n = 1; failed; n++) {
        sim_run(p.sim, 30 * USEC_PER_SEC, NULL, NULL);
        here.addr.port = n;
        memory_arm(&memory, MEMORY_OURS, n);
        mesh_set_candidates(p.b->mesh, &here, 1, sim_now(p.sim));
        failed = memory_disarm(&memory, MEMORY_OURS);
        sim_do_outputs(p.b);
    }
    assert_true(p.b->aborted > 0);
    assert_int_equal(p.b->drops[DROP_STRANGER], 0);
    sim_free(p.sim);
}

/* a and b meet at the backbone's relay alone. */
static struct pair asking_pair(void)
{
    static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 10000};
    struct pair p = {.sim = sim_new(1, &weather)};
    sim_backbone(p.sim)->relays = true;
    p.a = sim_add(p.sim, true, HOUR_US, HOUR_US);
    p.b = sim_add(p.sim, true, HOUR_US, HOUR_US);
    p.a->shut = p.b->shut = true;
    sim_uplink(p.a, true);
    sim_uplink(p.b, true);
    sim_want(p.b, p.a);
    return p;
}

static enum relay_end_state end_of(const struct sim_node *n, const struct sim_node *other)
{
    return mesh_find_peer(n->mesh, identity_id(other->identity))->relays[0].state;
}

static bool is_relayed(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    return sim_peer(n, other, &peer) && peer.path.endpoint.carrier == CARRIER_RELAY;
}

static void channel_that_is_bound_while_memory_is_short_becomes_a_path(void **state)
{
    bool failed = true;
    (void)state;
    for (unsigned long n = 1; failed; n++) {
        struct pair p = asking_pair();
        do
            sim_run(p.sim, 1000, NULL, NULL);
        while (end_of(p.b, p.a) != RELAY_END_BINDING);
        memory_arm(&memory, MEMORY_OURS, n);
        while (end_of(p.b, p.a) != RELAY_END_BOUND)
            sim_run(p.sim, 1000, NULL, NULL);
        failed = memory_disarm(&memory, MEMORY_OURS);
        sim_run(p.sim, 20 * USEC_PER_SEC, NULL, NULL);
        if (!is_relayed(p.b, p.a))
            fail_msg("allocation %lu fails once, and nothing goes by the relay", n);
        sim_free(p.sim);
    }
}

/* A test that fails leaves memory as it was. */
static int restore(void **state)
{
    (void)state;
    memory.armed = false;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(start_succeeds_or_says_that_memory_is_out, restore),
        cmocka_unit_test_teardown(peer_whose_stream_ends_for_want_of_memory_is_no_stranger, restore),
        cmocka_unit_test_teardown(channel_that_is_bound_while_memory_is_short_becomes_a_path, restore),
        cmocka_unit_test_teardown(pair_outlives_any_allocation_of_ours_that_fails, restore),
        cmocka_unit_test_teardown(pair_outlives_allocations_of_the_library_that_fail, restore),
    };
#ifdef __SANITIZE_THREAD__
    return 0; /* one thread has no races, and takes minutes */
#endif
    (void)library_context();
    memory_use(&memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
