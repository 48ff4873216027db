/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/membership: every verdict of a peer's certificate, what it costs, and what is kept of issuers. */

#include "proto/network/membership.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "cert_lab.h"

#define NOW_US (7 * USEC_PER_SEC)

static const struct cert none;
static unsigned checks;

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

/* Our own chain: the member of the lab, by its issuer. */
struct own {
    struct cert_bytes ca, issuer, member;
};

static struct own own_chain(void)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);

    issuer.ranges[1] = issuer.slices[1]; /* less than the network's */
    return (struct own){lab_sign(&ca, lab.ca), lab_sign(&issuer, lab.ca), lab_sign(&member, lab.issuer)};
}

static struct membership_chain chain_of(const struct own *own)
{
    return (struct membership_chain){lab_slice(&own->ca), lab_slice(&own->issuer), lab_slice(&own->member)};
}

static struct membership *open_membership(void)
{
    struct own own = own_chain();
    struct membership_chain chain = chain_of(&own);
    enum membership_part part;
    enum cert_verdict why;
    struct membership *ms;

    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &ms), 0);
    membership_set_clock(ms, LAB_NOW, NOW_US);
    checks = 0;
    return ms;
}

/* The peer: another key of the same issuer. */
static struct cert peer_cert(void)
{
    struct cert c = lab_member(&lab);

    c.id = *identity_id(lab.other);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    memcpy(c.name, "athens", sizeof("athens"));
    c.serial[1] = 9;
    return c;
}

static enum cert_verdict judge(struct membership *ms, const struct cert_bytes *b,
                               struct membership_seen *seen, struct cert *out)
{
    return membership_judge(ms, lab_slice(b), identity_spki(lab.other), NOW_US, seen, out);
}

static enum cert_verdict verdict_of(struct membership *ms, const struct cert *c,
                                    const struct identity *signer)
{
    struct cert_bytes b = lab_sign(c, signer);
    struct membership_seen seen = {0};
    struct cert out;
    enum cert_verdict verdict = judge(ms, &b, &seen, &out);

    if (verdict == CERT_OK || verdict >= CERT_NOT_YET)
        assert_string_equal(out.name, c->name);
    else if (verdict == CERT_UNKNOWN_ISSUER || verdict == CERT_OUTSIDE)
        assert_int_equal(id_compare(&out.issuer, &c->issuer), 0);
    else
        assert_memory_equal(&out, &none, sizeof(out));
    return verdict;
}

static void a_member_costs_one_signature_and_the_same_one_none(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert(), out;
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    struct membership_seen seen = {0};

    (void)state;
    checks = 0;
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_OK);
    assert_int_equal(checks, 1);
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_OK);
    assert_string_equal(out.name, "athens");
    assert_int_equal(checks, 1);
    c.serial[1]++;
    b = lab_sign(&c, lab.issuer);
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_OK);
    assert_int_equal(checks, 2);
    membership_free(ms);
}

/* What was seen spares the signature alone: the key, the time and the lists are looked at each time. */
static void what_was_seen_is_judged_again(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert(), out;
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    struct membership_seen seen = {0};

    (void)state;
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_OK);
    assert_int_equal(membership_judge(ms, lab_slice(&b), identity_spki(lab.member), NOW_US, &seen, &out),
                     CERT_WRONG_KEY);
    membership_set_clock(ms, c.not_after + 1, NOW_US);
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_RENEWABLE);
    membership_free(ms);
}

static void each_fault_has_its_verdict(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert(), out;
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    struct membership_seen seen = {0};

    (void)state;
    b.der[b.len - 1000] ^= 1;
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_FORGED);
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_FORGED); /* it was not seen to be good */
    b.len--;
    assert_int_equal(judge(ms, &b, &seen, &out), CERT_MALFORMED);
    c = lab_issuer(&lab);
    assert_int_equal(verdict_of(ms, &c, lab.ca), CERT_WRONG_KIND);
    c = peer_cert();
    memcpy(c.network, "other", sizeof("other"));
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_WRONG_CA);
    c = lab_member(&lab);
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_WRONG_KEY);
    c = peer_cert();
    c.issuer = *identity_id(lab.other);
    assert_int_equal(verdict_of(ms, &c, lab.other), CERT_UNKNOWN_ISSUER);
    c = peer_cert();
    c.addresses[0] = lab_addr("192.0.2.1");
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_OUTSIDE);
    membership_free(ms);
}

static void time_decides_last(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert();

    (void)state;
    membership_set_clock(ms, c.not_before - 1, NOW_US);
    assert_int_equal(verdict_of(ms, &c, lab.issuer),
                     CERT_OK); /* our own is as old: a clock behind it is ours */
    c.not_before += 10;
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_NOT_YET);
    membership_set_clock(ms, c.not_after, NOW_US);
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_OK);
    membership_set_clock(ms, c.not_after, NOW_US - USEC_PER_SEC);
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_RENEWABLE);
    membership_set_clock(ms, c.not_after + CERT_RENEWAL + 1, NOW_US);
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_EXPIRED);
    membership_free(ms);
}

static void our_own_certificate_ends_when_it_says(void **state)
{
    struct membership *ms = open_membership();
    const struct cert *me = membership_me(ms);
    uint64_t end_us = membership_end_us(ms, me);

    (void)state;
    assert_int_equal(membership_own(ms, end_us - 1), CERT_OK);
    assert_int_equal(membership_own(ms, end_us), CERT_RENEWABLE);
    membership_set_clock(ms, me->not_after + 5, NOW_US);
    assert_true(membership_end_us(ms, me) <= NOW_US);
    membership_free(ms);
}

static void time_goes_on_from_what_was_signed_last(void **state)
{
    struct membership *ms = open_membership();
    const struct cert *me = membership_me(ms);
    uint64_t signed_s = me->not_before + LAB_DAY;

    (void)state;
    membership_set_clock(ms, 1000, NOW_US); /* a board without a clock */
    assert_int_equal(membership_now(ms, NOW_US + 5 * USEC_PER_SEC), me->not_before);
    membership_set_floor(ms, signed_s, NOW_US);
    assert_int_equal(membership_now(ms, NOW_US + 5 * USEC_PER_SEC), signed_s + 5);
    assert_int_equal(membership_clock(ms, NOW_US + 5 * USEC_PER_SEC), 1005);
    assert_int_equal(membership_end_us(ms, me), NOW_US + (me->not_after + 1 - signed_s) * USEC_PER_SEC);
    membership_set_floor(ms, signed_s, NOW_US + USEC_PER_SEC); /* after the clock was told */
    assert_int_equal(membership_end_us(ms, me), NOW_US + (me->not_after + 2 - signed_s) * USEC_PER_SEC);
    assert_int_equal(membership_now(ms, NOW_US), signed_s);
    membership_set_clock(ms, signed_s + 100, NOW_US); /* somebody sets it */
    assert_int_equal(membership_now(ms, NOW_US), signed_s + 100);
    membership_free(ms);
}

static void a_renewed_certificate_of_ours_ends_no_other_sooner(void **state)
{
    struct own own = own_chain();
    struct membership_chain chain = chain_of(&own);
    struct membership *ms = open_membership();
    struct cert later = *membership_me(ms), other = *membership_me(ms);
    uint64_t end_us = membership_end_us(ms, &other);
    enum membership_part part;
    enum cert_verdict why;

    (void)state;
    later.not_before = LAB_NOW + 5; /* five seconds after the clock was told */
    struct cert_bytes bytes = lab_sign(&later, lab.issuer);
    chain.member = lab_slice(&bytes);
    assert_int_equal(membership_renew(ms, &chain, &part, &why), 0);
    assert_int_equal(membership_end_us(ms, &other), end_us);
    membership_free(ms);
}

static void no_signed_time_ends_our_own_certificate(void **state)
{
    struct membership *ms = open_membership();

    (void)state;
    membership_set_floor(ms, membership_me(ms)->not_after + 365 * LAB_DAY, NOW_US);
    assert_int_equal(membership_own(ms, NOW_US), CERT_OK);
    membership_free(ms);
}

/* ---- revoked ---- */

static struct node_id shut_out;
static enum cert_kind shut_out_as;

static bool is_shut_out(const void *context, const struct node_id *key, enum cert_kind kind)
{
    (void)context;
    return kind == shut_out_as && id_compare(key, &shut_out) == 0;
}

static void whoever_is_shut_out_or_whose_issuer_is_has_no_good_certificate(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert();
    struct own own = own_chain();
    const struct membership_revoked revoked = {is_shut_out, NULL};

    (void)state;
    membership_set_revoked(ms, &revoked);
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_OK);
    assert_int_equal(membership_still(ms, &c, NOW_US), CERT_OK);
    shut_out = c.id;
    shut_out_as = CERT_MEMBER;
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_REVOKED);
    assert_int_equal(membership_still(ms, &c, NOW_US), CERT_REVOKED);
    shut_out = c.issuer;
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_OK); /* the issuer's key as a member */
    shut_out_as = CERT_ISSUER;
    assert_int_equal(verdict_of(ms, &c, lab.issuer), CERT_REVOKED);
    assert_int_equal(membership_learn(ms, lab_slice(&own.issuer), NOW_US), CERT_REVOKED);
    membership_free(ms);
}

/* ---- issuers ---- */

/* Another issuer of the CA, with a key that is made here. */
static struct cert_bytes another_issuer(struct identity **key, struct cert *c)
{
    assert_int_equal(identity_generate(key), 0);
    *c = lab_issuer(&lab);
    c->id = *identity_id(*key);
    memcpy(c->spki, identity_spki(*key), sizeof(c->spki));
    return lab_sign(c, lab.ca);
}

static void an_issuer_is_learned_once(void **state)
{
    struct membership *ms = open_membership();
    struct cert c = peer_cert(), issuer;
    struct identity *key;
    struct cert_bytes b = another_issuer(&key, &issuer);

    (void)state;
    c.issuer = *identity_id(key);
    assert_int_equal(verdict_of(ms, &c, key), CERT_UNKNOWN_ISSUER);
    checks = 0;
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    assert_int_equal(checks, 1);
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    assert_int_equal(checks, 1);
    assert_int_equal(verdict_of(ms, &c, key), CERT_OK);
    assert_int_equal(checks, 2);
    b.der[b.len - 1000] ^= 1;
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_FORGED);
    identity_free(key);
    membership_free(ms);
}

/* The issuer's new certificate begins later than its members' that are still good, and permits more. */
static void both_certificates_of_an_issuer_count(void **state)
{
    struct membership *ms = open_membership();
    struct cert older = peer_cert(), newer = peer_cert(), issuer = lab_issuer(&lab);
    struct cert_bytes b;

    (void)state;
    issuer.not_before = LAB_NOW - 10;
    issuer.not_after = issuer.not_before + CERT_ISSUER_LIFE;
    b = lab_sign(&issuer, lab.ca);
    newer.not_before = LAB_NOW - 5;
    newer.addresses[1] = lab_addr("fd12:3456:789a::7");
    assert_int_equal(verdict_of(ms, &newer, lab.issuer), CERT_OUTSIDE);
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    assert_int_equal(verdict_of(ms, &newer, lab.issuer), CERT_OK);
    assert_int_equal(verdict_of(ms, &older, lab.issuer), CERT_OK);
    membership_free(ms);
}

static void our_own_issuer_is_asked_first(void **state)
{
    struct membership *ms = open_membership();
    struct cert issuer, again = lab_issuer(&lab);
    struct identity *key;
    struct cert_bytes b = another_issuer(&key, &issuer), c;

    (void)state;
    again.serial[1] ^= 1; /* its next certificate makes it no other issuer */
    c = lab_sign(&again, lab.ca);
    assert_int_equal(membership_learn(ms, lab_slice(&c), NOW_US), CERT_OK);
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    assert_int_equal(id_compare(membership_issuer(ms, 0), identity_id(lab.issuer)), 0);
    assert_int_equal(id_compare(membership_issuer(ms, 1), identity_id(key)), 0);
    assert_null(membership_issuer(ms, 2));
    identity_free(key);
    membership_free(ms);
}

/* Our own stays, and so does whoever was met of late; others' places are taken. */
static void so_many_issuers_are_kept(void **state)
{
    struct membership *ms = open_membership();
    struct cert issuer = lab_issuer(&lab), ours = peer_cert();
    struct cert_bytes first = lab_sign(&issuer, lab.ca), b;

    (void)state;
    for (unsigned i = 0; i <= MEMBERSHIP_ISSUERS_MAX; i++) {
        issuer.serial[1] = (uint8_t)(100 + i);
        b = lab_sign(&issuer, lab.ca);
        if (i == 0)
            first = b;
        assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    }
    checks = 0;
    assert_int_equal(membership_learn(ms, lab_slice(&b), NOW_US), CERT_OK);
    assert_int_equal(checks, 0);
    assert_int_equal(membership_learn(ms, lab_slice(&first), NOW_US), CERT_OK);
    assert_int_equal(checks, 1);
    assert_int_equal(verdict_of(ms, &ours, lab.issuer), CERT_OK);
    membership_free(ms);
}

/* ---- our own chain ---- */

static void a_chain_that_does_not_hold_is_refused_by_its_part(void **state)
{
    struct own own = own_chain();
    struct membership_chain chain = chain_of(&own);
    struct membership *ms;
    enum membership_part part;
    enum cert_verdict why;

    (void)state;
    assert_int_equal(membership_new(&chain, identity_spki(lab.other), &part, &why, &ms), ERR_CRYPTO);
    assert_int_equal(part, MEMBERSHIP_MEMBER);
    assert_int_equal(why, CERT_WRONG_KEY);
    chain.issuer = chain.member;
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &ms), ERR_CRYPTO);
    assert_int_equal(part, MEMBERSHIP_ISSUER);
    assert_int_equal(why, CERT_WRONG_KIND);
    chain.ca.len--;
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &ms), ERR_CRYPTO);
    assert_int_equal(part, MEMBERSHIP_CA);
    assert_int_equal(why, CERT_MALFORMED);
}

static void a_renewed_certificate_takes_the_place_of_ours(void **state)
{
    struct membership *ms = open_membership();
    struct own own = own_chain();
    struct cert c = lab_member(&lab);
    enum membership_part part;
    enum cert_verdict why;

    (void)state;
    c.not_after += LAB_DAY;
    own.member = lab_sign(&c, lab.issuer);
    struct membership_chain chain = chain_of(&own);
    assert_int_equal(membership_renew(ms, &chain, &part, &why), 0);
    assert_int_equal(membership_me(ms)->not_after, c.not_after);
    assert_int_equal(membership_bytes(ms, MEMBERSHIP_MEMBER).len, own.member.len);
    assert_memory_equal(membership_bytes(ms, MEMBERSHIP_MEMBER).data, own.member.der, own.member.len);
    c.id = *identity_id(lab.other);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    own.member = lab_sign(&c, lab.issuer);
    chain = chain_of(&own);
    assert_int_equal(membership_renew(ms, &chain, &part, &why), ERR_CRYPTO);
    assert_int_equal(why, CERT_WRONG_KEY);
    assert_int_equal(id_compare(&membership_me(ms)->id, identity_id(lab.member)), 0);
    membership_free(ms);
}

static void the_chain_of_another_network_renews_nothing(void **state)
{
    struct membership *ms = open_membership();
    struct cert ca = lab_cert(CERT_CA, lab.other, lab.other), issuer = lab_issuer(&lab);
    struct own own = own_chain();
    enum membership_part part;
    enum cert_verdict why;

    (void)state;
    ca.not_before = LAB_NOW - 400 * LAB_DAY;
    ca.not_after = ca.not_before + CERT_CA_LIFE;
    memcpy(ca.ranges, lab_ca(&lab).ranges, sizeof(ca.ranges));
    ca.range_count = 2;
    issuer.issuer = ca.id;
    own.ca = lab_sign(&ca, lab.other);
    own.issuer = lab_sign(&issuer, lab.other);
    struct membership_chain chain = chain_of(&own);
    assert_int_equal(membership_renew(ms, &chain, &part, &why), ERR_CRYPTO);
    assert_int_equal(part, MEMBERSHIP_CA);
    assert_int_equal(why, CERT_WRONG_CA);
    membership_free(ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_costs_one_signature_and_the_same_one_none),
        cmocka_unit_test(what_was_seen_is_judged_again),
        cmocka_unit_test(each_fault_has_its_verdict),
        cmocka_unit_test(time_decides_last),
        cmocka_unit_test(our_own_certificate_ends_when_it_says),
        cmocka_unit_test(time_goes_on_from_what_was_signed_last),
        cmocka_unit_test(a_renewed_certificate_of_ours_ends_no_other_sooner),
        cmocka_unit_test(no_signed_time_ends_our_own_certificate),
        cmocka_unit_test(whoever_is_shut_out_or_whose_issuer_is_has_no_good_certificate),
        cmocka_unit_test(an_issuer_is_learned_once),
        cmocka_unit_test(both_certificates_of_an_issuer_count),
        cmocka_unit_test(our_own_issuer_is_asked_first),
        cmocka_unit_test(so_many_issuers_are_kept),
        cmocka_unit_test(a_chain_that_does_not_hold_is_refused_by_its_part),
        cmocka_unit_test(a_renewed_certificate_takes_the_place_of_ours),
        cmocka_unit_test(the_chain_of_another_network_renews_nothing),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
