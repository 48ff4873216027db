/* SPDX-License-Identifier: Apache-2.0 */
/* A node without a network gets a certificate by a token, and a member its next one, over real channels; who has no token gets
 * nothing, and the channel that asks makes nobody a peer. docs/PROTOCOL.md §26. */

#include "base/clock.h"
#include "crypto/founding.h"
#include "proto/network/asking.h"
#include "proto/network/issuing.h"
#include "proto/network/serving.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC
#define NOW    1790000000ull /* seconds since 1970, all the time */

static const struct sim_weather fair = {.delay_us = 5000};

/* An issuer's node, and one that dials it. */
struct scene {
    struct sim *sim;
    struct sim_node *issuer, *joiner;
    struct identity *ca;
    struct founding_cert ca_cert, issuer_cert;
    struct issuing issuing;
    struct issued issued;
    struct serving_issuer serving;
    struct token token;
    struct asking *asking;
    unsigned written; /* how often the issuer's file would have been */
};

static void fill(void *context, void *out, size_t len)
{
    static uint8_t next;
    (void)context;
    memset(out, ++next, len);
}

static const struct random_source serials = {.fill = fill};

static bool is_nobody(void *context, const struct node_id *id)
{
    (void)context;
    (void)id;
    return false;
}

static bool is_no_name(void *context, const char *name, const struct node_id *but)
{
    (void)context;
    (void)name;
    (void)but;
    return false;
}

static int give(struct scene *s, int code, struct slice *out)
{
    *out = (struct slice){s->issued.der, s->issued.len};
    s->written += code == 0;
    return code;
}

static int redeem(void *context, const struct issuing_join *join, uint64_t now_us, struct slice *out)
{
    struct scene *s = context;
    return give(s, issuing_redeem(&s->issuing, join, NOW, now_us, &s->issued), out);
}

static int renew(void *context, const struct cert *shown, uint64_t now_us, struct slice *out)
{
    struct scene *s = context;
    (void)now_us;
    return give(s, issuing_renew(&s->issuing, shown, NOW, &s->issued), out);
}

static struct slice bytes_of(const struct founding_cert *c)
{
    return (struct slice){c->der, c->len};
}

static struct founding terms(void)
{
    struct founding f = {.network = "lab", .range_count = 1, .now = NOW - 3600, .random = &serials};
    f.ranges[0] = (struct addr_prefix){{.family = 4, .ip = {10, 7, 0, 0}}, 16};
    return f;
}

static void make_member(struct scene *s, struct sim_node *n, struct slice member)
{
    const struct membership_chain chain = {bytes_of(&s->ca_cert), bytes_of(&s->issuer_cert), member};
    enum membership_part part;
    enum cert_verdict why;
    assert_int_equal(membership_new(&chain, identity_spki(n->identity), &part, &why, &n->network), 0);
    membership_set_clock(n->network, NOW, sim_now(s->sim));
}

static void make_issuer(struct scene *s)
{
    const struct founding f = terms();
    const struct addr first = {0};
    struct founding_cert self;
    assert_int_equal(identity_generate(&s->ca), 0);
    assert_int_equal(founding_ca(&f, s->ca, &s->ca_cert), 0);
    assert_int_equal(founding_issuer(&f, s->ca, identity_spki(s->issuer->identity), 0, &s->issuer_cert), 0);
    assert_int_equal(founding_member(&f, &s->issuer_cert.cert, s->issuer->identity,
                                     identity_spki(s->issuer->identity), "hub", &first, &self),
                     0);
    const struct issuing_config config = {.me = s->issuer->identity,
                                          .ca = s->ca_cert.cert,
                                          .issuer = s->issuer_cert.cert,
                                          .life = ISSUING_LIFE,
                                          .random = serials,
                                          .is_revoked = is_nobody,
                                          .is_named = is_no_name};
    assert_int_equal(issuing_init(&s->issuing, &config), 0);
    assert_int_equal(issuing_adopt(&s->issuing, &self.cert), 0);
    make_member(s, s->issuer, bytes_of(&self));
    s->serving = (struct serving_issuer){bytes_of(&s->issuer_cert), redeem, renew, s};
    s->issuer->serving = &s->serving;
    sim_start_anew(s->issuer);
}

static void make_token(struct scene *s)
{
    struct invitation i = {.uses = 1, .made = NOW, .expires = NOW + 3600};
    struct identity *key;
    s->token = (struct token){
        .network = s->ca_cert.cert.id, .issuer = *identity_id(s->issuer->identity), .name = "lab"};
    memset(s->token.seed, 5, sizeof(s->token.seed));
    assert_int_equal(identity_from_seed(s->token.seed, &key), 0);
    const struct slice spki = {identity_spki(key), IDENTITY_SPKI_LEN};
    assert_int_equal(kdf_hash(&spki, 1, i.key), 0);
    assert_int_equal(invitations_add(s->issuing.invitations, &i, NOW), 0);
    identity_free(key);
}

static void open_scene(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->sim = sim_new(7, &fair);
    s->issuer = sim_add(s->sim, false, MESH_RATCHET_US, 3600 * SECOND);
    s->joiner = sim_add(s->sim, false, MESH_RATCHET_US, 3600 * SECOND);
    make_issuer(s);
    make_token(s);
}

static void close_scene(struct scene *s)
{
    sim_free(s->sim);
    asking_free(s->asking);
    issuing_fini(&s->issuing);
    identity_free(s->ca);
}

/* At its address, and at one where nobody is. */
static void dial_issuer(struct scene *s)
{
    struct addr control[] = {s->issuer->addr, s->issuer->addr};
    control[0].port = (uint16_t)(control[0].port - 1000);
    control[1].ip[3] = 250;
    assert_int_equal(mesh_connect(s->joiner->mesh, identity_id(s->issuer->identity)), 0);
    mesh_set_given_addresses(s->joiner->mesh, identity_id(s->issuer->identity), control, 2, sim_now(s->sim));
}

static void ask(struct scene *s)
{
    asking_set_clock(s->asking, NOW);
    assert_int_equal(mesh_ask(s->joiner->mesh, identity_id(s->issuer->identity), s->asking, sim_now(s->sim)),
                     0);
    sim_do_outputs(s->joiner);
}

static void join(struct scene *s)
{
    dial_issuer(s);
    assert_int_equal(asking_join(&s->token, s->joiner->identity, "berlin", &s->asking), 0);
    ask(s);
    sim_run(s->sim, 3 * SECOND, NULL, NULL);
}

static void token_leads_to_a_session_of_members(void **state)
{
    struct scene s;
    struct mesh_peer peer;
    (void)state;
    open_scene(&s);
    dial_issuer(&s);
    assert_int_equal(asking_join(&s.token, s.joiner->identity, "berlin", &s.asking), 0);
    ask(&s);
    while (asking_state(s.asking) != ASKING_DONE)
        sim_run(s.sim, SECOND / 100, NULL, NULL);
    make_member(&s, s.joiner, asking_chain(s.asking).member); /* as its node does, at once */
    mesh_set_network(s.joiner->mesh, s.joiner->network);
    assert_int_equal(s.issuer->in_count, 0); /* nobody was admitted by asking */
    sim_run(s.sim, SECOND / 2, NULL, NULL);  /* the next channel to it is opened at once */
    assert_true(sim_connected(s.joiner, s.issuer));
    assert_true(sim_connected(s.issuer, s.joiner));
    assert_true(sim_peer(s.issuer, s.joiner, &peer));
    assert_string_equal(peer.certificate->name, "berlin");
    assert_int_equal(s.written, 1);
    close_scene(&s);
}

static void who_has_no_good_token_is_told_and_gets_nothing(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    s.token.seed[7] ^= 0x10;
    join(&s);
    assert_int_equal(asking_state(s.asking), ASKING_REFUSED);
    assert_int_equal(asking_code(s.asking), REFUSE_TOKEN_UNKNOWN);
    assert_int_equal(s.joiner->notes[MESH_NOTICE_REFUSED_US], 1); /* told once, asked again and again */
    assert_non_null(strstr(s.joiner->last_note[MESH_NOTICE_REFUSED_US], "did not make this token"));
    assert_non_null(strstr(s.issuer->last_note[MESH_NOTICE_REFUSED], "did not make this token"));
    assert_int_equal(s.issuer->in_count + s.written, 0);
    close_scene(&s);
}

static void who_asks_nothing_is_a_stranger(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    dial_issuer(&s);
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    assert_false(sim_connected(s.joiner, s.issuer));
    assert_non_null(strstr(s.joiner->last_note[MESH_NOTICE_REFUSED_US], "for members of its network alone"));
    close_scene(&s);
}

/* The session goes on beside the channel that asks, and is renewed by the new certificate. */
static void member_is_renewed_beside_its_session(void **state)
{
    struct scene s;
    struct founding_cert old;
    struct founding f = terms();
    const struct addr ip = {.family = 4, .ip = {10, 7, 0, 9}};
    enum membership_part part;
    enum cert_verdict why;
    struct mesh_peer peer;
    (void)state;
    open_scene(&s);
    f.now = NOW - 3600;
    assert_int_equal(founding_member(&f, &s.issuer_cert.cert, s.issuer->identity,
                                     identity_spki(s.joiner->identity), "berlin", &ip, &old),
                     0);
    old.cert.not_after = NOW + 600;
    assert_int_equal(cert_sign(&old.cert, s.issuer->identity, old.der, &old.len), 0);
    make_member(&s, s.joiner, bytes_of(&old));
    sim_start_anew(s.joiner);
    dial_issuer(&s);
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(s.joiner, s.issuer));
    assert_int_equal(asking_renew(s.joiner->network, s.joiner->identity, &s.asking), 0);
    ask(&s);
    while (asking_state(s.asking) != ASKING_DONE) {
        sim_run(s.sim, SECOND / 100, NULL, NULL);
        assert_true(sim_connected(s.joiner, s.issuer));
    }
    const struct membership_chain chain = asking_chain(s.asking);
    assert_int_equal(membership_renew(s.joiner->network, &chain, &part, &why), 0);
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_peer(s.issuer, s.joiner, &peer));
    assert_int_equal(peer.certificate->not_after, NOW + ISSUING_LIFE); /* it was shown the new one */
    assert_true(addr_same_host(&peer.certificate->addresses[0], &ip));
    assert_true(sim_connected(s.issuer, s.joiner));
    close_scene(&s);
}

static void asking_is_given_up_when_it_is_told(void **state)
{
    struct scene s;
    (void)state;
    open_scene(&s);
    dial_issuer(&s);
    assert_int_equal(asking_join(&s.token, s.joiner->identity, "", &s.asking), 0);
    ask(&s);
    while (asking_state(s.asking) == ASKING_IDLE)
        sim_run(s.sim, SECOND / 1000, NULL, NULL);
    assert_int_equal(mesh_ask(s.joiner->mesh, NULL, NULL, sim_now(s.sim)), 0);
    assert_int_equal(asking_state(s.asking), ASKING_IDLE);
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    assert_int_equal(s.written, 0);
    assert_int_equal(mesh_ask(s.issuer->mesh, identity_id(s.joiner->identity), s.asking, sim_now(s.sim)),
                     ERR_NOT_FOUND);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_leads_to_a_session_of_members),
        cmocka_unit_test(who_has_no_good_token_is_told_and_gets_nothing),
        cmocka_unit_test(who_asks_nothing_is_a_stranger),
        cmocka_unit_test(member_is_renewed_beside_its_session),
        cmocka_unit_test(asking_is_given_up_when_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
