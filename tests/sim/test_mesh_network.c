/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a network meet by their certificates alone; strangers, and members whose certificates do not hold, meet nobody.
 * docs/PROTOCOL.md §25. */

#include "base/clock.h"
#include "founded.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC

static const struct sim_weather fair = {.delay_us = 5000};
static unsigned checks; /* of signatures, but TLS's */

int __real_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);
int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);

int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len)
{
    checks++;
    return __real_identity_verify(spki, spki_len, context, message, len, signature, signature_len);
}

/* a and b, neither of them public; a dials. */
struct scene {
    struct sim *sim;
    struct founded net;
    struct sim_node *a, *b;
};

static struct scene open_lasting_scene(uint64_t rehandshake_us)
{
    struct scene s = {.sim = sim_new(7, &fair)};
    founded_open(&s.net, "lab");
    s.a = sim_add(s.sim, false, MESH_RATCHET_US, rehandshake_us);
    s.b = sim_add(s.sim, false, MESH_RATCHET_US, rehandshake_us);
    s.a->full_mesh = s.b->full_mesh = true;
    return s;
}

static struct scene open_scene(void)
{
    return open_lasting_scene(20 * SECOND);
}

static void close_scene(struct scene *s)
{
    sim_free(s->sim);
    founded_close(&s->net);
}

static void join(struct scene *s, struct sim_node *n, unsigned issuer)
{
    struct founding_cert c = founded_cert(&s->net, n, issuer);
    founded_join(&s->net, n, issuer, &c);
}

/* A roster names other, where it is is known, and somebody waits for it. */
static void enroll(struct sim_node *n, const struct sim_node *other)
{
    struct addr control = other->addr;
    struct mesh_peer peer;
    control.port = (uint16_t)(control.port - 1000);
    assert_int_equal(mesh_enroll(n->mesh, identity_id(other->identity)), 0);
    mesh_set_given_addresses(n->mesh, identity_id(other->identity), &control, 1, sim_now(n->sim));
    assert_true(sim_peer(n, other, &peer));
    mesh_on_demand(n->mesh, peer.slot, sim_now(n->sim));
    sim_do_outputs(n);
}

static void exchange(void *context)
{
    struct scene *s = context;
    sim_send_frame(s->a, s->b, 100);
    sim_send_frame(s->b, s->a, 100);
}

static void assert_meet(struct scene *s)
{
    sim_run(s->sim, 3 * SECOND, exchange, s);
    assert_true(sim_connected(s->a, s->b));
    assert_true(sim_connected(s->b, s->a));
    assert_true(s->a->frames_received > 100 && s->b->frames_received > 100);
}

/* Neither has keys for the other, and the side that refused says why; what it said before is no more than TLS takes. */
static void assert_apart(struct scene *s, struct sim_node *refuses, const char *why, const char *told)
{
    struct sim_node *other = refuses == s->a ? s->b : s->a;
    bool dialled = refuses == s->a;
    sim_run(s->sim, 3 * SECOND, exchange, s);
    assert_int_equal(s->a->frames_received + s->b->frames_received, 0);
    assert_int_equal(refuses->in_count + other->in_count, 0);
    enum mesh_notice notice = dialled ? MESH_NOTICE_FAILED : MESH_NOTICE_REFUSED;
    assert_true(refuses->notes[notice] >= 1);
    assert_non_null(strstr(refuses->last_note[notice], why));
    if (!told)
        return;
    assert_true(other->notes[MESH_NOTICE_REFUSED_US] >= 1);
    assert_non_null(strstr(other->last_note[MESH_NOTICE_REFUSED_US], told));
}

static void two_members_meet_without_a_list(void **state)
{
    (void)state;
    for (unsigned issuer = 0; issuer < FOUNDED_ISSUERS; issuer++) {
        struct scene s = open_scene();
        struct mesh_peer peer;
        join(&s, s.a, 0);
        join(&s, s.b, issuer);
        enroll(s.a, s.b);
        checks = 0;
        assert_meet(&s);
        assert_int_equal(checks, issuer ? 4 : 2); /* an issuer that is not known yet is one more, at both */
        assert_true(sim_peer(s.a, s.b, &peer));
        assert_string_equal(peer.name, "node-1");
        assert_string_equal(peer.certificate->name, "node-1");
        assert_true(sim_peer(s.b, s.a, &peer));
        assert_string_equal(peer.certificate->name, "node-0");
        close_scene(&s);
    }
}

/* b's clock, as it says, before a's. */
static bool knows_clock(const struct scene *s, int64_t *ahead_s)
{
    return mesh_knows_clock(s->a->mesh, identity_id(s->b->identity), sim_now(s->sim), ahead_s);
}

static void members_tell_what_runs_there_and_what_time_it_is(void **state)
{
    struct scene s = open_scene();
    struct mesh_peer peer;
    int64_t ahead_s, clocks[2];

    (void)state;
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    uint64_t now_us = sim_now(s.sim);
    membership_set_clock(s.b->network, FOUNDED_NOW + 2 * 86400, now_us);
    enroll(s.a, s.b);
    assert_meet(&s);
    assert_true(sim_peer(s.a, s.b, &peer));
    assert_string_equal(peer.version, SIM_VERSION);
    assert_true(peer.features & HELLO_FEATURE_ABOUT);
    assert_true(knows_clock(&s, &ahead_s));
    assert_true(llabs(ahead_s - 2 * 86400) <= 1);
    membership_set_clock(s.a->network, FOUNDED_NOW + 2 * 86400, now_us); /* somebody sets ours */
    assert_int_equal(mesh_clocks(s.a->mesh, sim_now(s.sim), clocks, 2), 1);
    assert_true(llabs(clocks[0]) <= 1);
    close_scene(&s);
}

static void an_older_member_is_told_nothing_of_it(void **state)
{
    struct scene s = open_scene();
    struct mesh_peer peer;
    int64_t ahead_s;

    (void)state;
    s.b->features_off = HELLO_FEATURE_ABOUT;
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    enroll(s.a, s.b);
    assert_meet(&s);
    assert_true(sim_peer(s.a, s.b, &peer));
    assert_string_equal(peer.version, "");
    assert_false(knows_clock(&s, &ahead_s));
    assert_true(sim_peer(s.b, s.a, &peer));
    assert_string_equal(peer.version, "");
    close_scene(&s);
}

static void a_later_handshake_costs_no_signature(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct mesh_peer peer;
    join(&s, s.a, 0);
    join(&s, s.b, 1);
    enroll(s.a, s.b);
    assert_meet(&s);
    checks = 0;
    sim_run(s.sim, 30 * SECOND, exchange, &s);
    assert_true(sim_peer(s.a, s.b, &peer));
    assert_true(peer.handshakes >= 2);
    assert_int_equal(checks, 0);
    assert_int_equal(s.a->notes[MESH_NOTICE_LOST] + s.b->notes[MESH_NOTICE_LOST], 0);
    close_scene(&s);
}

static void a_member_that_is_dialled_by_its_id_alone_needs_no_roster(void **state)
{
    (void)state;
    struct scene s = open_scene();
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    sim_connect(s.a, s.b, NULL);
    assert_meet(&s);
    close_scene(&s);
}

/* Both ways: whoever knows of no network skips MEMBER, as older nodes do, and both come to the same keys. */
static void a_node_without_a_network_and_a_member_meet_by_their_lists(void **state)
{
    (void)state;
    for (int member_dials = 0; member_dials < 2; member_dials++) {
        struct scene s = open_scene();
        join(&s, member_dials ? s.a : s.b, 0);
        assert_int_equal(mesh_allow(s.b->mesh, identity_id(s.a->identity)), 0);
        sim_connect(s.a, s.b, NULL);
        assert_meet(&s);
        close_scene(&s);
    }
}

/* A list admits it whatever its certificate says; what it is called, and may do, that says. */
static void a_member_that_a_list_names_shows_its_certificate_and_stays_behind_its_end(void **state)
{
    struct scene s = open_lasting_scene(1000 * SECOND);
    struct mesh_peer peer;

    (void)state;
    struct founding_cert mine = founded_cert(&s.net, s.a, 0), theirs = founded_cert(&s.net, s.b, 0);
    theirs.cert.not_after = FOUNDED_NOW + 5;
    founded_sign(&s.net, 0, &theirs);
    founded_join(&s.net, s.a, 0, &mine);
    founded_join(&s.net, s.b, 0, &theirs);
    assert_int_equal(mesh_allow(s.b->mesh, identity_id(s.a->identity)), 0);
    sim_connect(s.a, s.b, NULL);
    assert_meet(&s);
    assert_true(sim_peer(s.a, s.b, &peer));
    assert_string_equal(peer.certificate->name, "node-1");
    assert_true(sim_peer(s.b, s.a, &peer));
    assert_string_equal(peer.certificate->name, "node-0");
    sim_run(s.sim, 10 * SECOND, exchange, &s);
    assert_true(sim_connected(s.a, s.b) && sim_connected(s.b, s.a));
    assert_int_equal(s.a->notes[MESH_NOTICE_LOST], 0);
    close_scene(&s);
}

static void a_stranger_is_refused_and_learns_nothing_else(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct mesh_peer peer;
    join(&s, s.b, 0);
    sim_connect(s.a, s.b, NULL);
    checks = 0;
    sim_run(s.sim, SECOND / 10, NULL, NULL);
    assert_in_range(s.b->stream_bytes, 5000, 12000); /* what TLS takes, and a refusal */
    assert_apart(&s, s.b, "it shows no certificate, and is in no -connect or -allow of ours",
                 "it is for members of its network alone");
    assert_int_equal(checks, 0);
    assert_false(sim_peer(s.b, s.a, &peer));
    close_scene(&s);
}

static void a_member_of_another_network_is_refused(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct founded other;
    founded_open(&other, "lab"); /* another CA's, of the same name */
    struct founding_cert c = founded_cert(&other, s.a, 0);
    founded_join(&other, s.a, 0, &c);
    join(&s, s.b, 0);
    sim_connect(s.a, s.b, NULL);
    assert_apart(&s, s.b, "its certificate is of another network or issuer",
                 "our certificate is of another network or issuer");
    founded_close(&other);
    close_scene(&s);
}

/* a took b's certificate off the wire, and shows it as its own to c. */
static void a_copied_certificate_is_for_another_key(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct sim_node *thief = s.a, *victim = sim_add(s.sim, false, MESH_RATCHET_US, 20 * SECOND);
    struct identity *own = thief->identity;
    join(&s, s.b, 0);
    struct founding_cert c = founded_cert(&s.net, victim, 0);
    thief->identity = victim->identity; /* as founded_join wants it; the thief does not have that key … */
    founded_join(&s.net, thief, 0, &c);
    thief->identity = own; /* … and proves its own in TLS */
    sim_start_anew(thief);
    sim_connect(thief, s.b, NULL);
    assert_apart(&s, s.b, "its certificate is for another key", "our certificate does not hold");
    close_scene(&s);
}

static void show(struct scene *s, struct sim_node *n, struct founding_cert *c)
{
    founded_sign(&s->net, 0, c);
    founded_join(&s->net, n, 0, c);
}

static void a_certificate_whose_time_is_over_or_not_come_is_refused(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct founding_cert c = founded_cert(&s.net, s.a, 0);
    c.cert.not_after = FOUNDED_NOW - 3 * 3600 / 4;
    show(&s, s.a, &c);
    join(&s, s.b, 0);
    sim_connect(s.a, s.b, NULL);
    assert_apart(&s, s.b, "its certificate (node-0) has expired and must be renewed: it ended",
                 "our certificate has expired");
    close_scene(&s);
    s = open_scene();
    c = founded_cert(&s.net, s.a, 0);
    c.cert.not_before = FOUNDED_NOW + 2 * 86400;
    show(&s, s.a, &c);
    join(&s, s.b, 0);
    sim_connect(s.a, s.b, NULL);
    assert_apart(&s, s.b, "is not valid yet: a clock is wrong, here or there",
                 "is not valid yet: a clock is wrong, here or there");
    close_scene(&s);
}

/* b admits a by its list; a knows b of a roster, and takes no keys with it. */
static void an_acceptor_whose_certificate_does_not_hold_gets_no_keys(void **state)
{
    (void)state;
    for (int shows = 0; shows < 2; shows++) {
        struct scene s = open_scene();
        struct founding_cert c = founded_cert(&s.net, s.b, 0);
        join(&s, s.a, 0);
        c.cert.not_after = FOUNDED_NOW - 1800;
        if (shows)
            show(&s, s.b, &c);
        assert_int_equal(mesh_allow(s.b->mesh, identity_id(s.a->identity)), 0);
        enroll(s.a, s.b);
        assert_apart(&s, s.a, shows ? "(node-1) has expired" : "it shows no certificate",
                     shows ? "our certificate has expired" : "members of its network alone");
        close_scene(&s);
    }
}

static void a_session_ends_with_the_certificate_that_admitted_it(void **state)
{
    (void)state;
    struct scene s = open_scene();
    struct founding_cert c = founded_cert(&s.net, s.a, 0);
    c.cert.not_after = FOUNDED_NOW + 10;
    show(&s, s.a, &c);
    join(&s, s.b, 0);
    enroll(s.a, s.b);
    assert_meet(&s);
    sim_run(s.sim, 7 * SECOND, exchange, &s); /* until 10 */
    assert_true(sim_connected(s.b, s.a));
    sim_run(s.sim, 2 * SECOND, exchange, &s); /* it is good for all of its last second */
    assert_false(sim_connected(s.b, s.a));
    assert_false(sim_connected(s.a, s.b));
    assert_int_equal(s.b->notes[MESH_NOTICE_LOST], 1);
    assert_non_null(strstr(s.b->last_note[MESH_NOTICE_LOST], "its certificate has expired"));
    assert_non_null(strstr(s.a->last_note[MESH_NOTICE_LOST], "it admits us no longer"));
    sim_run(s.sim, 20 * SECOND, NULL, NULL);
    assert_non_null(strstr(s.a->last_note[MESH_NOTICE_REFUSED_US], "our certificate has expired"));
    close_scene(&s);
}

/* Certificates of 20 s, and a handshake by itself each hour: whose was renewed shows it, whoever dialled. */
static void twenty_renewals_lose_nothing(void **state)
{
    (void)state;
    struct scene s = open_lasting_scene(MESH_REHANDSHAKE_US);
    struct sim_node *both[] = {s.a, s.b};
    for (unsigned i = 0; i < 2; i++) {
        struct founding_cert c = founded_cert(&s.net, both[i], 0);
        c.cert.not_after = FOUNDED_NOW + 20;
        show(&s, both[i], &c);
    }
    enroll(s.b, s.a);
    enroll(s.a, s.b);
    assert_meet(&s);
    for (unsigned i = 0; i < 20; i++) {
        struct founding_cert c = founded_cert(&s.net, both[i % 2], 0);
        c.cert.not_before = FOUNDED_NOW + 3 + 7 * i;
        c.cert.not_after = c.cert.not_before + 20;
        founded_sign(&s.net, 0, &c);
        founded_renew(&s.net, both[i % 2], 0, &c);
        mesh_on_renewed(both[i % 2]->mesh, sim_now(s.sim));
        sim_do_outputs(both[i % 2]);
        sim_run(s.sim, 7 * SECOND, exchange, &s);
    }
    sim_run(s.sim, SECOND, NULL, NULL);
    assert_true(s.a->frames_sent >= 20 * 700);
    assert_int_equal(s.a->frames_received, s.b->frames_sent);
    assert_int_equal(s.b->frames_received, s.a->frames_sent);
    assert_int_equal(s.a->notes[MESH_NOTICE_LOST] + s.b->notes[MESH_NOTICE_LOST], 0);
    close_scene(&s);
}

/* What has long to go is shown by the next handshake, as always. */
static void a_renewal_long_before_the_end_makes_no_handshake(void **state)
{
    (void)state;
    struct scene s = open_lasting_scene(MESH_REHANDSHAKE_US);
    struct founding_cert c = founded_cert(&s.net, s.a, 0);
    struct mesh_peer peer;
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    enroll(s.a, s.b);
    assert_meet(&s);
    founded_renew(&s.net, s.a, 0, &c);
    mesh_on_renewed(s.a->mesh, sim_now(s.sim));
    sim_run(s.sim, 60 * SECOND, exchange, &s);
    assert_true(sim_peer(s.a, s.b, &peer));
    assert_int_equal(peer.handshakes, 1);
    close_scene(&s);
}

static struct node_id shut_out;

static bool is_shut_out(const void *context, const struct node_id *key, enum cert_kind kind)
{
    (void)context;
    return kind == CERT_MEMBER && id_compare(key, &shut_out) == 0;
}

static void a_member_that_is_shut_out_loses_its_session_and_comes_back_no_more(void **state)
{
    (void)state;
    struct scene s = open_scene();
    const struct membership_revoked revoked = {is_shut_out, NULL};
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    enroll(s.a, s.b);
    shut_out = (struct node_id){0};
    membership_set_revoked(s.b->network, &revoked);
    assert_meet(&s);
    mesh_judge_members(s.b->mesh, sim_now(s.sim));
    sim_do_outputs(s.b);
    assert_true(sim_connected(s.b, s.a));
    shut_out = *identity_id(s.a->identity);
    mesh_judge_members(s.b->mesh, sim_now(s.sim));
    sim_do_outputs(s.b);
    assert_false(sim_connected(s.b, s.a));
    assert_non_null(strstr(s.b->last_note[MESH_NOTICE_LOST], "its certificate is revoked"));
    sim_run(s.sim, 10 * SECOND, exchange, &s);
    assert_false(sim_connected(s.a, s.b));
    assert_non_null(strstr(s.a->last_note[MESH_NOTICE_REFUSED_US], "our certificate is revoked"));
    close_scene(&s);
}

/* Of the goodbye nothing arrives. */
static void a_refusal_ends_the_session_that_the_refused_still_has(void **state)
{
    (void)state;
    struct scene s = open_scene();
    const struct membership_revoked revoked = {is_shut_out, NULL};
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    enroll(s.a, s.b);
    membership_set_revoked(s.b->network, &revoked);
    shut_out = (struct node_id){0};
    assert_meet(&s);
    shut_out = *identity_id(s.a->identity);
    sim_cut_streams(s.sim);
    s.b->mute = true;
    mesh_judge_members(s.b->mesh, sim_now(s.sim));
    sim_do_outputs(s.b);
    assert_int_equal(s.a->in_count, 1);
    sim_run(s.sim, 5 * SECOND, NULL, NULL);
    assert_int_equal(s.a->in_count, 0);
    assert_non_null(strstr(s.a->last_note[MESH_NOTICE_LOST], "it refused us"));
    close_scene(&s);
}

/* A person's word: neither does a roster take it back, nor does a certificate. */
static void whoever_was_disallowed_by_hand_stays_out(void **state)
{
    (void)state;
    struct scene s = open_scene();
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    assert_int_equal(mesh_disallow(s.b->mesh, identity_id(s.a->identity), sim_now(s.sim)), 0);
    enroll(s.b, s.a);
    enroll(s.a, s.b);
    assert_apart(&s, s.b, "it was disallowed here", "taken off my lists");
    close_scene(&s);
}

static void whom_no_roster_names_any_more_is_dialled_no_more(void **state)
{
    (void)state;
    struct scene s = open_scene();
    unsigned members, connected;
    join(&s, s.a, 0);
    join(&s, s.b, 0);
    assert_int_equal(mesh_enroll(s.a->mesh, identity_id(s.b->identity)), 0);
    mesh_members(s.a->mesh, &members, &connected);
    assert_int_equal(members, 1);
    assert_int_equal(mesh_withdraw(s.a->mesh, identity_id(s.b->identity), sim_now(s.sim)), ERR_NOT_FOUND);
    mesh_unenroll(s.a->mesh, identity_id(s.b->identity), sim_now(s.sim));
    sim_do_outputs(s.a);
    mesh_members(s.a->mesh, &members, &connected);
    assert_int_equal(members, 0);
    sim_run(s.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(sim_dialled(s.sim), 0);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_meet_without_a_list),
        cmocka_unit_test(members_tell_what_runs_there_and_what_time_it_is),
        cmocka_unit_test(an_older_member_is_told_nothing_of_it),
        cmocka_unit_test(a_later_handshake_costs_no_signature),
        cmocka_unit_test(a_member_that_is_dialled_by_its_id_alone_needs_no_roster),
        cmocka_unit_test(a_node_without_a_network_and_a_member_meet_by_their_lists),
        cmocka_unit_test(a_member_that_a_list_names_shows_its_certificate_and_stays_behind_its_end),
        cmocka_unit_test(a_stranger_is_refused_and_learns_nothing_else),
        cmocka_unit_test(a_member_of_another_network_is_refused),
        cmocka_unit_test(a_copied_certificate_is_for_another_key),
        cmocka_unit_test(a_certificate_whose_time_is_over_or_not_come_is_refused),
        cmocka_unit_test(an_acceptor_whose_certificate_does_not_hold_gets_no_keys),
        cmocka_unit_test(a_session_ends_with_the_certificate_that_admitted_it),
        cmocka_unit_test(twenty_renewals_lose_nothing),
        cmocka_unit_test(a_renewal_long_before_the_end_makes_no_handshake),
        cmocka_unit_test(a_member_that_is_shut_out_loses_its_session_and_comes_back_no_more),
        cmocka_unit_test(a_refusal_ends_the_session_that_the_refused_still_has),
        cmocka_unit_test(whoever_was_disallowed_by_hand_stays_out),
        cmocka_unit_test(whom_no_roster_names_any_more_is_dialled_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
