/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/issuing: a certificate for who has the token, and a verdict for each way in which one has not. */

#include "proto/network/issuing.h"

#include "crypto/cert_chain.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "cert_lab.h"

#define HOUR   3600ull
#define SECOND 1000000ull

static struct identity *token, *other_token;
static unsigned checks, random_byte;
static struct node_id shut_out; /* the network revoked it */
static char named[CERT_LABEL_MAX];

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

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    memset(out, (int)(0x80 + random_byte++), len);
}

static bool is_revoked(void *context, const struct node_id *id)
{
    (void)context;
    return id_compare(id, &shut_out) == 0;
}

static bool is_named(void *context, const char *name, const struct node_id *but)
{
    (void)context;
    (void)but;
    return strcmp(name, named) == 0;
}

static int setup(void **state)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = {1}, other_seed[IDENTITY_SEED_LEN] = {2};

    cert_lab_setup(state);
    return identity_from_seed(seed, &token) || identity_from_seed(other_seed, &other_token);
}

static int teardown(void **state)
{
    identity_free(token);
    identity_free(other_token);
    return cert_lab_teardown(state);
}

/* An issuer at work, a channel, and who is at its other end. */
struct scene {
    struct issuing issuing;
    struct issued issued;
    uint64_t now, now_us;
    uint8_t exporter[KDF_LEN], signature[IDENTITY_SIGNATURE_LEN];
    const struct identity *joiner;
    struct message_join said;
};

static struct invitation invitation_of(const struct identity *key)
{
    struct invitation i = {.uses = 1, .made = LAB_NOW, .expires = LAB_NOW + HOUR};
    const struct slice spki = {identity_spki(key), IDENTITY_SPKI_LEN};

    assert_int_equal(kdf_hash(&spki, 1, i.key), 0);
    return i;
}

static void open_scene(struct scene *s)
{
    const struct issuing_config config = {.me = lab.issuer,
                                          .ca = lab_ca(&lab),
                                          .issuer = lab_issuer(&lab),
                                          .life = ISSUING_LIFE,
                                          .random = {fill, NULL},
                                          .is_revoked = is_revoked,
                                          .is_named = is_named};

    memset(s, 0, sizeof(*s));
    memset(&shut_out, 0xff, sizeof(shut_out));
    named[0] = '\0';
    s->now = LAB_NOW;
    s->now_us = SECOND;
    s->joiner = lab.member;
    memset(s->exporter, 0x77, sizeof(s->exporter));
    assert_int_equal(issuing_init(&s->issuing, &config), 0);
    checks = 0;
}

static void invite(struct scene *s, const struct invitation *i)
{
    assert_int_equal(invitations_add(s->issuing.invitations, i, s->now), 0);
}

static void open_with_invitation(struct scene *s)
{
    struct invitation i = invitation_of(token);

    open_scene(s);
    invite(s, &i);
}

/* What an honest joiner says with a key of a token. */
static void prove(struct scene *s, const struct identity *key)
{
    uint8_t proof[ISSUING_PROOF_LEN];

    issuing_proof(s->exporter, identity_id(s->joiner), identity_id(lab.ca), proof);
    assert_int_equal(identity_sign(key, issuing_context, proof, sizeof(proof), s->signature), 0);
    s->said.key = (struct slice){identity_spki(key), IDENTITY_SPKI_LEN};
    s->said.signature = (struct slice){s->signature, sizeof(s->signature)};
}

static int redeem(struct scene *s)
{
    const struct issuing_join join = {&s->said, identity_spki(s->joiner), s->exporter};

    return issuing_redeem(&s->issuing, &join, s->now, s->now_us, &s->issued);
}

static int join_with(struct scene *s, const struct identity *key)
{
    prove(s, key);
    return redeem(s);
}

static void close_scene(struct scene *s)
{
    issuing_fini(&s->issuing);
}

/* What was issued, as a peer that holds CA and issuer judges it. */
static struct cert judged(const struct scene *s)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), c;
    const struct slice der = {s->issued.der, s->issued.len};

    assert_int_equal(cert_chain_member(&ca, &issuer, der, identity_spki(s->joiner), s->now, &c), CERT_OK);
    return c;
}

/* Nothing was written down, and nothing is there to be sent. */
static void assert_nothing_given(const struct scene *s)
{
    assert_null(ledger_at(s->issuing.ledger, 0));
    assert_int_equal(s->issued.len, 0);
}

static void assert_address(const struct addr *a, const char *text)
{
    const struct addr wanted = lab_addr(text);

    assert_true(addr_equal(a, &wanted));
}

static void who_has_the_token_gets_a_certificate(void **state)
{
    struct scene s;
    struct cert c;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, token), 0);
    c = judged(&s);
    assert_int_equal(checks, 2); /* the proof; the judge's is the other */
    assert_int_equal(c.address_count, 2);
    assert_address(&c.addresses[0], "10.7.3.65");
    assert_address(&c.addresses[1], "fd12:3456:789a:0:1000::1");
    assert_int_equal(c.not_before, LAB_NOW - HOUR);
    assert_int_equal(c.not_after, LAB_NOW + ISSUING_LIFE);
    assert_int_equal(c.roles, 0);
    assert_memory_equal(c.name, "node-", 5);
    assert_int_equal(strlen(c.name), 13);
    assert_string_equal(ledger_find(s.issuing.ledger, identity_id(lab.member))->name, c.name);
    close_scene(&s);
}

static void name_is_the_tokens_or_else_the_joiners(void **state)
{
    struct invitation i = invitation_of(token);
    struct scene s;

    (void)state;
    open_scene(&s);
    invite(&s, &i);
    snprintf(s.said.name, sizeof(s.said.name), "berlin");
    assert_int_equal(join_with(&s, token), 0);
    assert_string_equal(judged(&s).name, "berlin");
    close_scene(&s);

    open_scene(&s);
    snprintf(i.name, sizeof(i.name), "paris");
    i.roles = CERT_ROLE_RELAY;
    invite(&s, &i);
    snprintf(s.said.name, sizeof(s.said.name), "berlin");
    assert_int_equal(join_with(&s, token), 0);
    assert_string_equal(judged(&s).name, "paris");
    assert_int_equal(judged(&s).roles, CERT_ROLE_RELAY);
    close_scene(&s);
}

static void unknown_token_costs_no_signatures_check(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, other_token), REFUSE_TOKEN_UNKNOWN);
    assert_int_equal(checks, 0);
    assert_nothing_given(&s);
    close_scene(&s);
}

static void expired_token_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    s.now = LAB_NOW + HOUR;
    assert_int_equal(join_with(&s, token), REFUSE_TOKEN_EXPIRED);
    assert_int_equal(checks, 0);
    assert_nothing_given(&s);
    s.now--;
    assert_int_equal(redeem(&s), 0);
    close_scene(&s);
}

static void revoked_token_is_refused(void **state)
{
    struct invitation i = invitation_of(token);
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(invitations_revoke(s.issuing.invitations, i.key), 0);
    assert_int_equal(join_with(&s, token), REFUSE_TOKEN_REVOKED);
    assert_nothing_given(&s);
    close_scene(&s);
}

static void used_token_is_refused_to_another_key(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, token), 0);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), REFUSE_TOKEN_USED);
    assert_null(ledger_find(s.issuing.ledger, identity_id(lab.other)));
    close_scene(&s);
}

static void token_of_several_uses_is_used_so_often(void **state)
{
    struct invitation i = invitation_of(token);
    struct scene s;

    (void)state;
    open_scene(&s);
    i.uses = 2;
    invite(&s, &i);
    assert_int_equal(join_with(&s, token), 0);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), 0);
    assert_address(&judged(&s).addresses[0], "10.7.3.66");
    s.joiner = lab.ca;
    assert_int_equal(join_with(&s, token), REFUSE_TOKEN_USED);
    close_scene(&s);
}

static void proof_of_another_secret_channel_or_joiner_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    prove(&s, other_token);
    s.said.key = (struct slice){identity_spki(token), IDENTITY_SPKI_LEN};
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    prove(&s, token);
    s.exporter[0] ^= 1;
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    s.exporter[0] ^= 1;
    s.joiner = lab.other; /* it heard the proof of another one */
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    s.joiner = lab.member;
    s.signature[9] ^= 4;
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    assert_nothing_given(&s);
    s.signature[9] ^= 4;
    assert_int_equal(redeem(&s), 0);
    close_scene(&s);
}

static void proof_for_another_network_is_refused(void **state)
{
    uint8_t proof[ISSUING_PROOF_LEN];
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    prove(&s, token);
    issuing_proof(s.exporter, identity_id(s.joiner), identity_id(lab.other), proof);
    assert_int_equal(identity_sign(token, issuing_context, proof, sizeof(proof), s.signature), 0);
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    close_scene(&s);
}

static void revoked_key_never_joins(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    shut_out = *identity_id(lab.member);
    assert_int_equal(join_with(&s, token), REFUSE_REVOKED);
    assert_nothing_given(&s);
    close_scene(&s);
}

/* It never comes back, so its place is another's; a node that is taken in again has another key. */
static void name_and_addresses_of_a_revoked_member_are_free(void **state)
{
    struct invitation i = invitation_of(other_token);
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    invite(&s, &i);
    snprintf(s.said.name, sizeof(s.said.name), "berlin");
    assert_int_equal(join_with(&s, token), 0);
    shut_out = *identity_id(lab.member);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, other_token), 0);
    assert_string_equal(judged(&s).name, "berlin");
    assert_address(&judged(&s).addresses[0], "10.7.3.65");
    assert_null(ledger_find(s.issuing.ledger, identity_id(lab.member)));
    close_scene(&s);
}

static void name_that_is_none_or_anothers_is_refused(void **state)
{
    struct invitation i = invitation_of(other_token);
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    invite(&s, &i);
    snprintf(s.said.name, sizeof(s.said.name), "Ber lin");
    assert_int_equal(join_with(&s, token), REFUSE_NAME);
    snprintf(s.said.name, sizeof(s.said.name), "berlin");
    snprintf(named, sizeof(named), "berlin"); /* another issuer's member */
    assert_int_equal(redeem(&s), REFUSE_NAME_TAKEN);
    assert_nothing_given(&s);
    named[0] = '\0';
    assert_int_equal(redeem(&s), 0);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, other_token), REFUSE_NAME_TAKEN);
    snprintf(s.said.name, sizeof(s.said.name), "paris"); /* nothing was used up meanwhile */
    assert_int_equal(redeem(&s), 0);
    close_scene(&s);
}

static void full_slice_is_told(void **state)
{
    struct invitation i = invitation_of(token);
    struct scene s;

    (void)state;
    open_scene(&s);
    i.uses = 2;
    invite(&s, &i);
    s.issuing.config.issuer.slices[0] = lab_prefix("10.7.3.252", 30); /* .255 is nobody's */
    assert_int_equal(
        ledger_put(s.issuing.ledger, &(struct ledger_member){.name = "a",
                                                             .addresses = {lab_addr("10.7.3.253")},
                                                             .address_count = 1,
                                                             .not_after = LAB_NOW + LAB_DAY}),
        0);
    assert_int_equal(join_with(&s, token), 0);
    assert_address(&judged(&s).addresses[0], "10.7.3.254");
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), REFUSE_ADDRESSES);
    assert_null(ledger_at(s.issuing.ledger, 2));
    close_scene(&s);
}

static void joiner_waits_for_approval(void **state)
{
    struct invitation i = invitation_of(token);
    const struct invitation_waiting *w;
    struct scene s;

    (void)state;
    open_scene(&s);
    i.approve = true;
    invite(&s, &i);
    snprintf(s.said.name, sizeof(s.said.name), "berlin");
    assert_int_equal(join_with(&s, token), REFUSE_WAITS);
    assert_nothing_given(&s);
    w = invitations_waiting_at(s.issuing.invitations, 0);
    assert_string_equal(w->name, "berlin");
    assert_int_equal(id_compare(&w->id, identity_id(lab.member)), 0);
    assert_int_equal(invitations_approve(s.issuing.invitations, identity_id(lab.other)), ERR_NOT_FOUND);
    assert_int_equal(redeem(&s), REFUSE_WAITS);
    assert_int_equal(invitations_approve(s.issuing.invitations, identity_id(lab.member)), 0);
    snprintf(s.said.name, sizeof(s.said.name), "paris"); /* approved was another name */
    assert_int_equal(redeem(&s), REFUSE_WAITS);
    assert_int_equal(invitations_approve(s.issuing.invitations, identity_id(lab.member)), 0);
    assert_int_equal(redeem(&s), 0);
    assert_null(invitations_waiting_at(s.issuing.invitations, 0));
    close_scene(&s);
}

/* The answer was lost: the same key comes again. */
static void who_comes_again_gets_the_same_and_uses_nothing_up(void **state)
{
    struct invitation i = invitation_of(token);
    struct ledger_member first;
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, token), 0);
    first = s.issued.member;
    s.now += 60;
    snprintf(s.said.name, sizeof(s.said.name), "paris");
    assert_int_equal(join_with(&s, token), 0);
    assert_string_equal(s.issued.member.name, first.name);
    assert_true(addr_equal(&s.issued.member.addresses[0], &first.addresses[0]));
    assert_memory_not_equal(s.issued.member.serial, first.serial, sizeof(first.serial));
    assert_null(ledger_at(s.issuing.ledger, 1));
    assert_int_equal(invitations_find(s.issuing.invitations, i.key)->used, 1);
    close_scene(&s);
}

/* By its second token it frees no use of the first. */
static void member_that_joins_by_another_token_keeps_its_place(void **state)
{
    struct invitation i = invitation_of(other_token);
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    i.roles = CERT_ROLE_GATEWAY;
    invite(&s, &i);
    assert_int_equal(join_with(&s, token), 0);
    assert_int_equal(join_with(&s, other_token), 0);
    assert_address(&judged(&s).addresses[0], "10.7.3.65");
    assert_int_equal(judged(&s).roles, CERT_ROLE_GATEWAY);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), REFUSE_TOKEN_USED);
    assert_int_equal(join_with(&s, other_token), REFUSE_TOKEN_USED);
    close_scene(&s);
}

static void what_could_not_be_written_down_is_undone(void **state)
{
    uint8_t before[4096], after[4096];
    struct writer b = writer_init(before, sizeof(before)), a = writer_init(after, sizeof(after));
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    issuing_encode(&s.issuing, &b);
    assert_int_equal(join_with(&s, token), 0);
    issuing_undo(&s.issuing, &s.issued);
    issuing_encode(&s.issuing, &a);
    assert_int_equal(writer_len(&a), writer_len(&b));
    assert_memory_equal(after, before, writer_len(&b));
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), 0);
    assert_address(&judged(&s).addresses[0], "10.7.3.65");
    close_scene(&s);
}

static void proofs_are_checked_so_many_a_second(void **state)
{
    struct scene s;
    unsigned refused = 0;

    (void)state;
    open_with_invitation(&s);
    prove(&s, token);
    s.signature[9] ^= 4;
    for (unsigned i = 0; i < 80; i++)
        refused += redeem(&s) == REFUSE_LATER;
    assert_int_equal(refused, 16);
    assert_int_equal(checks, 64);
    s.now_us += SECOND;
    assert_int_equal(redeem(&s), REFUSE_TOKEN_FORGED);
    close_scene(&s);
}

static void issuer_whose_own_time_is_over_gives_nothing(void **state)
{
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    s.now = s.issuing.config.issuer.not_after;
    assert_int_equal(join_with(&s, token), REFUSE_NO_ISSUER);
    s.now = s.issuing.config.issuer.not_before - 1;
    assert_int_equal(redeem(&s), REFUSE_NO_ISSUER);
    assert_nothing_given(&s);
    close_scene(&s);
}

static void no_certificate_outlives_its_issuer(void **state)
{
    struct invitation i = invitation_of(token);
    struct scene s;

    (void)state;
    open_scene(&s);
    s.now = s.issuing.config.issuer.not_after - LAB_DAY;
    i.made = s.now - HOUR;
    i.expires = s.now + HOUR;
    invite(&s, &i);
    assert_int_equal(join_with(&s, token), 0);
    assert_int_equal(judged(&s).not_after, s.issuing.config.issuer.not_after);
    close_scene(&s);

    open_scene(&s);
    s.now = s.issuing.config.issuer.not_before + 5;
    i.made = s.now;
    i.expires = s.now + HOUR;
    invite(&s, &i);
    assert_int_equal(join_with(&s, token), 0);
    assert_int_equal(judged(&s).not_before, s.issuing.config.issuer.not_before);
    close_scene(&s);
}

/* ---- renewing ---- */

static void member_is_renewed_from_half_its_life_on(void **state)
{
    struct scene s;
    struct cert first, second;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, token), 0);
    first = judged(&s);
    assert_int_equal(issuing_renew(&s.issuing, &first, s.now, &s.issued), REFUSE_LATER);
    s.now += 15 * LAB_DAY;
    assert_int_equal(issuing_renew(&s.issuing, &first, s.now, &s.issued), 0);
    second = judged(&s);
    assert_string_equal(second.name, first.name);
    assert_true(addr_equal(&second.addresses[1], &first.addresses[1]));
    assert_int_equal(second.not_after, s.now + ISSUING_LIFE);
    assert_int_equal(ledger_find(s.issuing.ledger, &first.id)->not_after, second.not_after);
    assert_int_equal(issuing_renew(&s.issuing, &first, s.now + 59, &s.issued), REFUSE_LATER);
    assert_int_equal(issuing_renew(&s.issuing, &first, s.now + 60, &s.issued), 0); /* the answer was lost */
    close_scene(&s);
}

/* Whoever certified it: its first issuer may be gone. */
static void member_of_another_issuer_is_renewed_with_its_rights(void **state)
{
    struct cert shown = lab_member(&lab), c;
    struct scene s;

    (void)state;
    open_scene(&s);
    shown.id = *identity_id(lab.member);
    shown.issuer = *identity_id(lab.other);
    shown.addresses[0] = lab_addr("10.7.3.200");
    s.now += 20 * LAB_DAY;
    assert_int_equal(issuing_renew(&s.issuing, &shown, s.now, &s.issued), 0);
    c = judged(&s);
    assert_string_equal(c.name, "berlin");
    assert_address(&c.addresses[0], "10.7.3.200");
    assert_int_equal(c.roles, shown.roles);
    assert_int_equal(c.vlan_count, 2);
    assert_int_equal(c.mac_count, 1);
    assert_int_equal(c.route_count, 2);
    assert_non_null(ledger_named(s.issuing.ledger, "berlin"));
    close_scene(&s);
}

static void expired_member_is_renewed_and_a_revoked_one_is_not(void **state)
{
    struct cert shown = lab_member(&lab);
    struct scene s;

    (void)state;
    open_scene(&s);
    shown.id = *identity_id(lab.member);
    s.now = shown.not_after + 60 * LAB_DAY;
    shut_out = shown.id;
    assert_int_equal(issuing_renew(&s.issuing, &shown, s.now, &s.issued), REFUSE_REVOKED);
    assert_nothing_given(&s);
    memset(&shut_out, 0xff, sizeof(shut_out));
    assert_int_equal(issuing_renew(&s.issuing, &shown, s.now, &s.issued), 0);
    assert_int_equal(judged(&s).not_after, s.now + ISSUING_LIFE);
    close_scene(&s);
}

static void nobody_is_renewed_into_anothers_name_or_address(void **state)
{
    struct cert shown = lab_member(&lab);
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, token), 0);
    shown.id = *identity_id(lab.member);
    shown.addresses[0] = s.issued.member.addresses[0];
    s.now += 20 * LAB_DAY;
    assert_int_equal(issuing_renew(&s.issuing, &shown, s.now, &s.issued), REFUSE_NAME_TAKEN);
    assert_null(ledger_at(s.issuing.ledger, 1));
    close_scene(&s);
}

static void short_lives_are_renewed_as_long_ones(void **state)
{
    struct scene s;
    struct cert c;

    (void)state;
    open_with_invitation(&s);
    s.issuing.config.life = 16;
    assert_int_equal(join_with(&s, token), 0);
    c = judged(&s);
    assert_int_equal(c.not_before, s.now - 2);
    assert_int_equal(c.not_after, s.now + 16);
    s.now += 8;
    assert_int_equal(issuing_renew(&s.issuing, &c, s.now, &s.issued), 0);
    close_scene(&s);
}

/* ---- the file ---- */

static void state_is_read_as_it_was_written(void **state)
{
    uint8_t once[8192], again[8192];
    struct writer a = writer_init(once, sizeof(once)), b = writer_init(again, sizeof(again));
    struct invitation i = invitation_of(other_token);
    struct scene s, read;

    (void)state;
    open_with_invitation(&s);
    i.approve = true;
    i.uses = 3;
    invite(&s, &i);
    assert_int_equal(join_with(&s, token), 0);
    s.joiner = lab.other;
    assert_int_equal(join_with(&s, other_token), REFUSE_WAITS);
    issuing_encode(&s.issuing, &a);
    open_scene(&read);
    assert_int_equal(issuing_decode(&read.issuing, once, writer_len(&a)), 0);
    issuing_encode(&read.issuing, &b);
    assert_int_equal(writer_len(&b), writer_len(&a));
    assert_memory_equal(again, once, writer_len(&a));
    read.joiner = lab.other;
    assert_int_equal(join_with(&read, token), REFUSE_TOKEN_USED);
    assert_int_equal(invitations_approve(read.issuing.invitations, identity_id(lab.other)), 0);
    assert_int_equal(join_with(&read, other_token), 0);
    assert_address(&judged(&read).addresses[0], "10.7.3.66");
    close_scene(&read);
    close_scene(&s);
}

static void file_that_is_cut_or_longer_is_refused(void **state)
{
    uint8_t file[4096];
    struct writer w = writer_init(file, sizeof(file));
    struct scene s, read;

    (void)state;
    open_with_invitation(&s);
    assert_int_equal(join_with(&s, token), 0);
    issuing_encode(&s.issuing, &w);
    file[writer_len(&w)] = 0;
    for (size_t len = 0; len <= writer_len(&w) + 1; len++) {
        open_scene(&read);
        assert_int_equal(issuing_decode(&read.issuing, file, len), len == writer_len(&w) ? 0 : ERR_FORMAT);
        close_scene(&read);
    }
    close_scene(&s);
}

/* A thief takes each 32 bytes of it for a token's seed, and joins with none. */
static void what_an_issuer_keeps_joins_nobody(void **state)
{
    uint8_t file[1024];
    struct writer w = writer_init(file, sizeof(file));
    struct scene s;

    (void)state;
    open_with_invitation(&s);
    issuing_encode(&s.issuing, &w);
    for (size_t at = 0; at + IDENTITY_SEED_LEN <= writer_len(&w); at++) {
        struct identity *guess;
        assert_int_equal(identity_from_seed(file + at, &guess), 0);
        assert_int_equal(join_with(&s, guess), REFUSE_TOKEN_UNKNOWN);
        identity_free(guess);
    }
    assert_true(writer_len(&w) > KDF_LEN); /* the hash of the token's key is among it */
    assert_int_equal(join_with(&s, token), 0);
    close_scene(&s);
}

static void every_refusal_has_its_line(void **state)
{
    (void)state;
    for (int code = REFUSE_NO_ISSUER; code <= REFUSE_LATER; code++)
        for (int other = REFUSE_NO_ISSUER; other < code; other++)
            assert_string_not_equal(issuing_refusal((enum refuse_code)code),
                                    issuing_refusal((enum refuse_code)other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_token_gets_a_certificate),
        cmocka_unit_test(name_is_the_tokens_or_else_the_joiners),
        cmocka_unit_test(unknown_token_costs_no_signatures_check),
        cmocka_unit_test(expired_token_is_refused),
        cmocka_unit_test(revoked_token_is_refused),
        cmocka_unit_test(used_token_is_refused_to_another_key),
        cmocka_unit_test(token_of_several_uses_is_used_so_often),
        cmocka_unit_test(proof_of_another_secret_channel_or_joiner_is_refused),
        cmocka_unit_test(proof_for_another_network_is_refused),
        cmocka_unit_test(revoked_key_never_joins),
        cmocka_unit_test(name_and_addresses_of_a_revoked_member_are_free),
        cmocka_unit_test(name_that_is_none_or_anothers_is_refused),
        cmocka_unit_test(full_slice_is_told),
        cmocka_unit_test(joiner_waits_for_approval),
        cmocka_unit_test(who_comes_again_gets_the_same_and_uses_nothing_up),
        cmocka_unit_test(member_that_joins_by_another_token_keeps_its_place),
        cmocka_unit_test(what_could_not_be_written_down_is_undone),
        cmocka_unit_test(proofs_are_checked_so_many_a_second),
        cmocka_unit_test(issuer_whose_own_time_is_over_gives_nothing),
        cmocka_unit_test(no_certificate_outlives_its_issuer),
        cmocka_unit_test(member_is_renewed_from_half_its_life_on),
        cmocka_unit_test(member_of_another_issuer_is_renewed_with_its_rights),
        cmocka_unit_test(expired_member_is_renewed_and_a_revoked_one_is_not),
        cmocka_unit_test(nobody_is_renewed_into_anothers_name_or_address),
        cmocka_unit_test(short_lives_are_renewed_as_long_ones),
        cmocka_unit_test(state_is_read_as_it_was_written),
        cmocka_unit_test(file_that_is_cut_or_longer_is_refused),
        cmocka_unit_test(what_an_issuer_keeps_joins_nobody),
        cmocka_unit_test(every_refusal_has_its_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
