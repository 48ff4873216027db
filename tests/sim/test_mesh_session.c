/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that carry their own control, and peers that abuse that. Times are virtual. */

#include "base/clock.h"
#include "proto/mesh/mesh_state.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND    USEC_PER_SEC
#define HANDSHAKE (60 * SECOND) /* for the hour … */
#define HARD_AGE  (65 * SECOND) /* … and five minutes */
#define IDLE      (5 * SECOND)
#define FRAME_LEN 100

static const struct sim_weather fair = {.delay_us = 5000, .uplink_us = 30000};
static const struct sim_weather foul = {.delay_us = 20000, .jitter_us = 15000, .loss = 0.3};

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
};

static struct sim_node *add(struct sim *sim, bool is_public)
{
    struct sim_node *n = sim_add(sim, is_public, MESH_RATCHET_US, HANDSHAKE);
    n->control_idle_us = IDLE;
    sim_start_anew(n);
    return n;
}

/* b has dialled a. */
static struct pair connected_pair(uint64_t seed, const struct sim_weather *weather)
{
    struct pair p = {.sim = sim_new(seed, weather)};
    p.a = add(p.sim, true);
    p.b = add(p.sim, false);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    return p;
}

/* The TCP port of neither can be reached any more. */
static struct pair deaf_pair(uint64_t seed, const struct sim_weather *weather)
{
    struct pair p = connected_pair(seed, weather);
    p.a->deaf = p.b->deaf = true;
    sim_cut_streams(p.sim);
    return p;
}

static void exchange(void *context)
{
    struct pair *p = context;
    sim_send_frame(p->a, p->b, FRAME_LEN);
    sim_send_frame(p->b, p->a, FRAME_LEN);
}

static enum mesh_control control_of(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    return sim_peer(n, other, &peer) ? peer.control : MESH_CONTROL_NONE;
}

static void assert_control(const struct pair *p, enum mesh_control control)
{
    assert_int_equal(control_of(p->a, p->b), control);
    assert_int_equal(control_of(p->b, p->a), control);
}

static unsigned guests(const struct sim_node *n)
{
    return n->mesh->session_guests;
}

/* n finds its handshake with other too old. */
static void hasten(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    peer_rehandshake(n->mesh->peers[peer.slot], sim_now(n->sim));
    mesh_touch(n->mesh, n->mesh->peers[peer.slot]);
}

static void an_idle_connection_ends_at_both_sides_and_nothing_with_it(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    assert_control(&p, MESH_CONTROL_TCP);
    unsigned dialled = sim_dialled(p.sim);
    (void)mesh_streams_ended(p.a->mesh);
    sim_run(p.sim, IDLE + 2 * SECOND, exchange, &p);
    assert_control(&p, MESH_CONTROL_IDLE);
    assert_true(mesh_streams_ended(p.a->mesh));
    assert_false(mesh_streams_ended(p.a->mesh));
    assert_int_equal(p.a->closed + p.b->closed, 2);
    sim_run(p.sim, 30 * SECOND, exchange, &p);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    assert_int_equal(p.b->frames_received, p.a->frames_sent);
    assert_int_equal(sim_dialled(p.sim), dialled);
    sim_free(p.sim);
}

/* Neither bit: nothing ends, and a connection that broke is dialled again. */
static void with_an_earlier_version_the_connection_stays(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair p = {.sim = sim_new(1, &fair)};
        p.a = add(p.sim, true);
        p.b = add(p.sim, false);
        struct sim_node *earlier = who ? p.a : p.b;
        earlier->features_off = HELLO_FEATURE_SESSION;
        sim_start_anew(earlier);
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 20 * SECOND, exchange, &p);
        assert_control(&p, MESH_CONTROL_TCP);
        unsigned dialled = sim_dialled(p.sim);
        sim_cut_streams(p.sim);
        sim_run(p.sim, 5 * SECOND, exchange, &p);
        assert_control(&p, MESH_CONTROL_TCP);
        assert_int_equal(sim_dialled(p.sim), dialled + 1);
        sim_run(p.sim, 2 * HARD_AGE, exchange, &p);
        assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
        assert_int_equal(p.a->opened + p.b->opened, 0);
        sim_free(p.sim);
    }
}

static void a_session_survives_five_hard_ages_by_itself(void **state)
{
    (void)state;
    struct pair p = deaf_pair(1, &fair);
    unsigned dialled = sim_dialled(p.sim);
    sim_run(p.sim, SECOND, NULL, NULL);
    sim_run(p.sim, 5 * HARD_AGE, exchange, &p);
    sim_run(p.sim, SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_in_range(peer.handshakes, 6, 8);
    assert_int_equal(peer.state, MESH_PEER_CONNECTED);
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    assert_int_equal(p.b->frames_received, p.a->frames_sent);
    assert_in_range(p.a->frames_sent, 5 * HARD_AGE / 10000 - 10, UINT64_MAX);
    assert_int_equal(sim_dialled(p.sim), dialled);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    assert_non_null(strstr(p.b->last_note[MESH_NOTICE_HANDSHAKE], "dialled through the session, "));
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_HANDSHAKE], "accepted through the session, "));
    sim_free(p.sim);
}

static void handshakes_over_the_session_survive_a_third_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct pair p = deaf_pair(seed, &fair);
        *sim_weather(p.sim) = foul;
        sim_run(p.sim, 5 * HARD_AGE, exchange, &p);
        struct mesh_peer peer;
        assert_true(sim_peer(p.a, p.b, &peer));
        assert_true(peer.handshakes >= 5);
        assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
        assert_int_equal(p.a->drops[DROP_AUTH] + p.b->drops[DROP_AUTH], 0);
        sim_free(p.sim);
    }
}

static void a_path_of_the_least_size_carries_handshakes(void **state)
{
    (void)state;
    const struct sim_weather narrow = {.delay_us = 5000, .size_max = WIRE_LEAST_SIZE};
    struct pair p = deaf_pair(1, &narrow);
    sim_run(p.sim, 2 * HARD_AGE, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_int_equal(peer.path.size, WIRE_LEAST_SIZE);
    assert_true(peer.handshakes >= 3);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

/* Nobody can be dialled: the first handshake came by a stream of the uplink, its datagrams carry the others. */
static void a_session_by_the_uplink_carries_handshakes(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(1, &fair)};
    p.a = add(p.sim, true);
    p.b = add(p.sim, false);
    p.a->shut = p.b->shut = true;
    sim_uplink(p.a, true);
    sim_uplink(p.b, true);
    sim_want(p.b, p.a);
    sim_run(p.sim, 2 * SECOND, exchange, &p);
    assert_control(&p, MESH_CONTROL_UPLINK);
    sim_run(p.sim, IDLE + SECOND, exchange, &p);
    assert_control(&p, MESH_CONTROL_IDLE);
    unsigned opened = p.b->opened;
    sim_run(p.sim, 2 * HARD_AGE, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_true(peer.handshakes >= 3);
    assert_int_equal(p.b->opened, opened);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

/* Each handshakes anew over its session as its connection breaks: thirty at once, and again. */
static void handshakes_of_all_peers_at_once_lose_no_session(void **state)
{
    (void)state;
    enum { N = 30, STORMS = 4 };
    struct sim *sim = sim_new(1, &fair);
    struct sim_node *hub = add(sim, true), *nodes[N];
    struct mesh_peer peer;
    for (unsigned i = 0; i < N; i++) {
        nodes[i] = add(sim, false);
        sim_connect(nodes[i], hub, NULL);
        sim_run(sim, SECOND / 4, NULL, NULL);
    }
    *sim_weather(sim) = foul;
    hub->deaf = true;
    for (unsigned storm = 0; storm < STORMS; storm++) {
        sim_cut_streams(sim);
        for (unsigned i = 0; storm && i < N; i++)
            hasten(nodes[i], hub);
        sim_run(sim, 12 * SECOND, NULL, NULL);
    }
    for (unsigned i = 0; i < N; i++) {
        assert_true(sim_peer(hub, nodes[i], &peer));
        assert_int_equal(peer.state, MESH_PEER_CONNECTED);
        assert_true(peer.handshakes >= STORMS);
    }
    assert_int_equal(hub->notes[MESH_NOTICE_LOST], 0);
    assert_true(guests(hub) <= N);
    sim_free(sim);
}

/* The connection that the handshake came by is gone before anything else is said. */
static void where_the_session_fails_the_address_is_dialled(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    sim_run(p.sim, IDLE + 2 * SECOND, exchange, &p);
    assert_control(&p, MESH_CONTROL_IDLE);
    unsigned dialled = sim_dialled(p.sim);
    sim_weather(p.sim)->size_max = 400; /* no path: neither probes nor segments pass */
    sim_run(p.sim, 20 * SECOND, exchange, &p);
    sim_weather(p.sim)->size_max = 0;
    assert_true(sim_dialled(p.sim) > dialled);
    sim_run(p.sim, 20 * SECOND, exchange, &p);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
}

/* a computes nothing any more, so no handshake ends. */
static void a_session_whose_key_is_not_proven_anew_ends_at_both_ends(void **state)
{
    (void)state;
    struct pair p = deaf_pair(1, &fair);
    p.a->holds_work = true;
    sim_run(p.sim, HARD_AGE - 4 * SECOND, exchange, &p);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    sim_run(p.sim, 4 * SECOND, exchange, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 1);
    assert_int_equal(p.b->notes[MESH_NOTICE_LOST], 1);
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_LOST], "proven its key"));
    assert_false(sim_connected(p.a, p.b));
    assert_false(sim_connected(p.b, p.a));
    sim_give_work_back(p.a);
    sim_free(p.sim);
}

/* Its opener has another idea of an hour. */
static void an_opener_that_never_handshakes_anew_loses_the_session(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(1, &fair)};
    p.a = add(p.sim, true);
    p.b = sim_add(p.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, HARD_AGE - SECOND, exchange, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 0);
    sim_run(p.sim, 2 * SECOND, exchange, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 1);
    assert_int_equal(p.a->notes[MESH_NOTICE_STALE], 0);
    sim_run(p.sim, 10 * SECOND, exchange, &p); /* it proves its key when it comes again */
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
}

static void a_peer_without_a_connection_hears_of_new_addresses(void **state)
{
    (void)state;
    struct pair p = deaf_pair(1, &fair);
    sim_run(p.sim, SECOND, exchange, &p);
    const struct candidate news[] = {
        {CANDIDATE_HOST, p.a->addr, 0},
        {CANDIDATE_HOST, {.family = 4, .ip = {203, 0, 113, 9}, .port = 9443}, 0}};
    sim_weather(p.sim)->loss = 0.5;
    mesh_set_candidates(p.a->mesh, news, 2, sim_now(p.sim));
    sim_do_outputs(p.a);
    sim_run(p.sim, 6 * SECOND, exchange, &p);
    struct mesh_peer peer;
    bool heard = false;
    assert_true(sim_peer(p.b, p.a, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        heard |= addr_equal(&peer.paths[i].endpoint.remote, &news[1].addr);
    assert_true(heard);
    sim_free(p.sim);
}

/* A connection that was idle did not break. */
static void what_is_said_of_a_dark_peer_is_true_of_its_connection(void **state)
{
    (void)state;
    for (int idle = 0; idle < 2; idle++) {
        struct pair p = connected_pair(1, &fair);
        sim_run(p.sim, idle ? IDLE + 2 * SECOND : 0, exchange, &p);
        sim_kill(p.b);
        sim_run(p.sim, 10 * SECOND, NULL, NULL);
        struct mesh_peer peer;
        assert_true(sim_peer(p.a, p.b, &peer));
        assert_int_equal(peer.state, MESH_PEER_NO_PATH);
        assert_int_equal(strstr(peer.error, "its control connection broke, too") == NULL, idle);
        sim_free(p.sim);
    }
}

/* As another host with its key is. */
static void who_took_our_place_is_told_where_no_connection_is(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    sim_run(p.sim, IDLE + 2 * SECOND, exchange, &p);
    assert_control(&p, MESH_CONTROL_IDLE);
    struct sim_node *copy = sim_add_copy(p.b);
    sim_connect(copy, p.a, NULL);
    sim_run(p.sim, 3 * SECOND, NULL, NULL);
    assert_int_equal(p.b->notes[MESH_NOTICE_OWN_KEY], 1);
    assert_true(sim_connected(copy, p.a));
    sim_free(p.sim);
}

static void a_goodbye_reaches_who_has_no_connection(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    sim_run(p.sim, IDLE + 2 * SECOND, exchange, &p);
    mesh_shutdown(p.a->mesh, sim_now(p.sim));
    sim_do_outputs(p.a);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(p.b->notes[MESH_NOTICE_LOST], 1);
    sim_free(p.sim);
}

/* ---- liars ---- */

static uint32_t number_of(const struct sim_node *liar, const struct sim_node *other, uint32_t n)
{
    bool odd = id_compare(identity_id(liar->identity), identity_id(other->identity)) > 0;
    return n * 2 + odd;
}

static struct message opening(uint32_t number)
{
    struct message m = {.type = MESSAGE_STREAM,
                        .segment = {.stream = number, .flags = SEGMENT_FIRST, .len = 1}};
    m.segment.data[0] = 22; /* of TLS, a handshake */
    return m;
}

struct storm {
    struct pair *p;
    uint32_t next;
    unsigned most;
};

static void open_more(void *context)
{
    struct storm *s = context;
    const struct message m = opening(number_of(s->p->b, s->p->a, ++s->next));
    sim_say(s->p->b, s->p->a, &m);
    unsigned now = guests(s->p->a);
    assert_true(now <= STREAM_SET_THEIRS + 1); /* and c's */
    s->most = now > s->most ? now : s->most;
}

static void who_opens_streams_for_ever_gets_few_and_harms_nobody(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    struct sim_node *c = add(p.sim, false);
    sim_connect(c, p.a, NULL);
    sim_run(p.sim, IDLE + 2 * SECOND, NULL, NULL);
    struct storm storm = {.p = &p};
    p.b->mute = true;
    sim_run(p.sim, 2 * HARD_AGE, open_more, &storm);
    assert_true(storm.next > 10000 && storm.most >= 2);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, c, &peer));
    assert_true(peer.handshakes >= 3); /* c's go on */
    assert_int_equal(peer.state, MESH_PEER_CONNECTED);
    for (unsigned i = 0; i < 20 && guests(p.a); i++)
        sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(guests(p.a), 0);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

static void numbers_that_are_not_its_own_open_nothing(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    const struct message ours = opening(number_of(p.a, p.b, 5));
    sim_say(p.b, p.a, &ours);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(guests(p.a), 0);
    struct message later = opening(number_of(p.b, p.a, 6));
    later.segment.flags = 0; /* of a stream that is over */
    sim_say(p.b, p.a, &later);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(guests(p.a), 0);
    sim_free(p.sim);
}

/* b lends its session to c. */
static void who_is_not_whose_session_it_is_is_refused(void **state)
{
    (void)state;
    struct pair p = deaf_pair(1, &fair);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    struct sim_node *c = add(p.sim, false);
    struct tls_context *own = p.b->mesh->tls;
    struct mesh_peer peer;
    assert_int_equal(tls_context_new(c->identity, &p.b->mesh->tls), 0);
    hasten(p.b, p.a);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(p.a->notes[MESH_NOTICE_REFUSED], 1);
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_REFUSED], "the session is another node's"));
    assert_int_equal(p.b->notes[MESH_NOTICE_REFUSED_US], 1);
    assert_false(sim_peer(p.a, c, &peer));
    tls_context_free(p.b->mesh->tls);
    p.b->mesh->tls = own;
    sim_free(p.sim);
}

static void forged_offsets_end_their_stream_alone(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    struct message m = opening(number_of(p.b, p.a, 5));
    p.b->mute = true;
    sim_say(p.b, p.a, &m);
    sim_run(p.sim, SECOND / 10, NULL, NULL);
    assert_int_equal(guests(p.a), 1);
    m.segment.offset = UINT64_MAX - 1;
    sim_say(p.b, p.a, &m);
    sim_run(p.sim, SECOND / 10, NULL, NULL);
    assert_int_equal(guests(p.a), 0);
    assert_int_equal(p.a->drops[DROP_INNER], 1);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    assert_control(&p, MESH_CONTROL_TCP);
    sim_free(p.sim);
}

static void an_answer_to_nothing_ends_no_handshake_of_others(void **state)
{
    (void)state;
    struct pair p = deaf_pair(1, &fair);
    for (uint32_t n = 0; n < 100; n++) {
        const struct message lie = {.type = MESSAGE_STREAM_ANSWER, .answered = {n, UINT64_MAX, UINT64_MAX}};
        const struct message reset = {.type = MESSAGE_STREAM_RESET, .reset = {n}};
        sim_say(p.b, p.a, &lie);
        sim_say(p.b, p.a, &reset);
        sim_run(p.sim, SECOND, exchange, &p);
    }
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_true(peer.handshakes >= 2);
    assert_int_equal(p.a->frames_received + 1 >= p.b->frames_sent, true);
    sim_free(p.sim);
}

/* It says ClientHello, hears the answer, and never says that it did. */
static void who_never_answers_is_sent_little(void **state)
{
    (void)state;
    struct pair p = connected_pair(1, &fair);
    uint8_t hello[4096];
    size_t len = sim_client_hello(p.b, hello, sizeof(hello));
    struct message m = opening(number_of(p.b, p.a, 9));
    for (size_t at = 0; at < len; at += m.segment.len) {
        m.segment.offset = at;
        m.segment.len = (uint16_t)(len - at < 1000 ? len - at : 1000);
        memcpy(m.segment.data, hello + at, m.segment.len);
        sim_say(p.b, p.a, &m);
    }
    p.b->mute = true;
    uint64_t before = p.a->datagrams;
    sim_run(p.sim, 30 * SECOND, NULL, NULL);
    assert_in_range(p.a->datagrams - before, 9, 400);
    assert_int_equal(guests(p.a), 0);
    sim_free(p.sim);
}

/* It stopped without a word while there was no connection, so nothing but silence tells of it. */
static void who_forgot_the_session_is_dialled_however_late_it_is_back(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(31, &fair)};
    struct sim_node **nodes[] = {&p.a, &p.b};
    for (unsigned i = 0; i < 2; i++) {
        *nodes[i] = sim_add(p.sim, i == 0, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        (*nodes[i])->control_idle_us = IDLE;
        sim_start_anew(*nodes[i]);
    }
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 2 * IDLE, NULL, NULL);
    assert_control(&p, MESH_CONTROL_IDLE);
    sim_kill(p.a);
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    sim_restart(p.a);
    sim_run(p.sim, 20 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.b, p.a) && sim_connected(p.a, p.b));
    sim_free(p.sim);
}

/* Datagrams pass no more, while handshakes do. */
static void handshakes_that_mend_nothing_end(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(32, &fair)};
    p.a = sim_add_carried(p.sim, CARRIERS_UDP);
    p.b = sim_add_carried(p.sim, CARRIERS_UDP);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b));
    sim_weather(p.sim)->no_udp = true;
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    unsigned before = sim_dialled(p.sim);
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    assert_int_equal(sim_dialled(p.sim), before);
    sim_free(p.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_ends_at_both_sides_and_nothing_with_it),
        cmocka_unit_test(with_an_earlier_version_the_connection_stays),
        cmocka_unit_test(a_session_survives_five_hard_ages_by_itself),
        cmocka_unit_test(handshakes_over_the_session_survive_a_third_lost),
        cmocka_unit_test(a_path_of_the_least_size_carries_handshakes),
        cmocka_unit_test(a_session_by_the_uplink_carries_handshakes),
        cmocka_unit_test(handshakes_of_all_peers_at_once_lose_no_session),
        cmocka_unit_test(where_the_session_fails_the_address_is_dialled),
        cmocka_unit_test(a_session_whose_key_is_not_proven_anew_ends_at_both_ends),
        cmocka_unit_test(an_opener_that_never_handshakes_anew_loses_the_session),
        cmocka_unit_test(a_peer_without_a_connection_hears_of_new_addresses),
        cmocka_unit_test(what_is_said_of_a_dark_peer_is_true_of_its_connection),
        cmocka_unit_test(who_took_our_place_is_told_where_no_connection_is),
        cmocka_unit_test(a_goodbye_reaches_who_has_no_connection),
        cmocka_unit_test(who_opens_streams_for_ever_gets_few_and_harms_nobody),
        cmocka_unit_test(numbers_that_are_not_its_own_open_nothing),
        cmocka_unit_test(who_is_not_whose_session_it_is_is_refused),
        cmocka_unit_test(forged_offsets_end_their_stream_alone),
        cmocka_unit_test(an_answer_to_nothing_ends_no_handshake_of_others),
        cmocka_unit_test(who_never_answers_is_sent_little),
        cmocka_unit_test(who_forgot_the_session_is_dialled_however_late_it_is_back),
        cmocka_unit_test(handshakes_that_mend_nothing_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
