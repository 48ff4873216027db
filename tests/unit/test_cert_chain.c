/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict for each way in which a chain can be wrong, and for each time. */

#include "crypto/cert_chain.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static const struct cert none;

static enum cert_verdict judge_ca(const struct cert_bytes *b, uint64_t now, struct cert *out)
{
    return cert_chain_ca(lab_slice(b), identity_id(lab.ca), now, out);
}

/* A CA's and an issuer's certificate that a node holds. */
struct held {
    struct cert ca, issuer;
};

static struct held held(void)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab);
    struct cert_bytes ca_bytes = lab_sign(&ca, lab.ca), issuer_bytes = lab_sign(&issuer, lab.ca);
    struct held h;

    assert_int_equal(judge_ca(&ca_bytes, LAB_NOW, &h.ca), CERT_OK);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&issuer_bytes), LAB_NOW, &h.issuer), CERT_OK);
    return h;
}

static enum cert_verdict judge_issuer(const struct cert *c, uint64_t now)
{
    struct held h = held();
    struct cert_bytes b = lab_sign(c, lab.ca);
    struct cert out;

    return cert_chain_issuer(&h.ca, lab_slice(&b), now, &out);
}

static enum cert_verdict judge_member(const struct cert *c, uint64_t now)
{
    struct held h = held();
    struct cert_bytes b = lab_sign(c, lab.issuer);
    struct cert out;
    enum cert_verdict verdict =
        cert_chain_member(&h.ca, &h.issuer, lab_slice(&b), identity_spki(lab.member), now, &out);

    /* What is refused for good leaves nothing; what only time refuses is there to be read. */
    if (verdict == CERT_OK || verdict >= CERT_NOT_YET)
        assert_string_equal(out.name, c->name);
    else
        assert_memory_equal(&out, &none, sizeof(out));
    return verdict;
}

static void member_of_an_issuer_of_the_ca_is_valid(void **state)
{
    struct cert member = lab_member(&lab);

    (void)state;
    assert_int_equal(judge_member(&member, LAB_NOW), CERT_OK);
}

static void ca_of_another_network_is_refused(void **state)
{
    struct cert ca = lab_ca(&lab), out;
    struct cert_bytes b = lab_sign(&ca, lab.ca);

    (void)state;
    assert_int_equal(cert_chain_ca(lab_slice(&b), identity_id(lab.other), LAB_NOW, &out), CERT_WRONG_CA);
    assert_memory_equal(&out, &none, sizeof(out));
}

static void ca_that_its_key_did_not_sign_is_refused(void **state)
{
    struct cert ca = lab_ca(&lab), out;
    struct cert_bytes b = lab_sign(&ca, lab.ca);

    (void)state;
    b.der[b.len - 1000] ^= 1;
    assert_int_equal(judge_ca(&b, LAB_NOW, &out), CERT_FORGED);
}

static void certificate_of_another_kind_is_refused(void **state)
{
    struct held h = held();
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab), out;
    struct cert_bytes root = lab_sign(&ca, lab.ca), middle = lab_sign(&issuer, lab.ca),
                      leaf = lab_sign(&member, lab.issuer);
    const uint8_t *spki = identity_spki(lab.issuer);

    (void)state;
    assert_int_equal(judge_ca(&middle, LAB_NOW, &out), CERT_WRONG_KIND);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&root), LAB_NOW, &out), CERT_WRONG_KIND);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&leaf), LAB_NOW, &out), CERT_WRONG_KIND);
    assert_int_equal(cert_chain_member(&h.ca, &h.issuer, lab_slice(&middle), spki, LAB_NOW, &out),
                     CERT_WRONG_KIND);
}

/* A member's key signs a certificate as if it were an issuer: there is no issuer's certificate for it. */
static void member_cannot_issue(void **state)
{
    struct held h = held();
    struct cert member = lab_cert(CERT_MEMBER, lab.other, lab.member), out;
    struct cert_bytes b;

    (void)state;
    member.not_before = LAB_NOW - 1;
    member.not_after = LAB_NOW + 1;
    memcpy(member.name, "guest", sizeof("guest"));
    b = lab_sign(&member, lab.member);
    assert_int_equal(
        cert_chain_member(&h.ca, &h.issuer, lab_slice(&b), identity_spki(lab.other), LAB_NOW, &out),
        CERT_WRONG_CA);
}

static void issuer_of_another_ca_is_refused(void **state)
{
    struct held h = held();
    struct cert issuer = lab_issuer(&lab), out;
    struct cert_bytes b;

    (void)state;
    issuer.issuer = *identity_id(lab.other);
    b = lab_sign(&issuer, lab.other);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&b), LAB_NOW, &out), CERT_WRONG_CA);
}

/* One key may be the CA of two networks: what it says of one is nothing in the other. */
static void certificate_of_another_network_is_refused(void **state)
{
    struct cert issuer = lab_issuer(&lab), member = lab_member(&lab);

    (void)state;
    memcpy(issuer.network, "bal", 3);
    assert_int_equal(judge_issuer(&issuer, LAB_NOW), CERT_WRONG_CA);
    memcpy(member.network, "bal", 3);
    assert_int_equal(judge_member(&member, LAB_NOW), CERT_WRONG_CA);
}

static void signature_of_another_key_is_refused(void **state)
{
    struct held h = held();
    struct cert member = lab_member(&lab), out;
    struct cert_bytes b = lab_sign(&member, lab.issuer);

    (void)state;
    memcpy(h.issuer.spki, identity_spki(lab.other), IDENTITY_SPKI_LEN); /* as if ids collided */
    assert_int_equal(
        cert_chain_member(&h.ca, &h.issuer, lab_slice(&b), identity_spki(lab.member), LAB_NOW, &out),
        CERT_FORGED);
}

static void certificate_of_another_peer_is_refused(void **state)
{
    struct held h = held();
    struct cert member = lab_member(&lab), out;
    struct cert_bytes b = lab_sign(&member, lab.issuer);

    (void)state;
    assert_int_equal(
        cert_chain_member(&h.ca, &h.issuer, lab_slice(&b), identity_spki(lab.other), LAB_NOW, &out),
        CERT_WRONG_KEY);
}

static void what_is_no_certificate_is_refused(void **state)
{
    struct held h = held();
    struct slice nothing = {NULL, 0}, text = {(const uint8_t *)"certificate", 11};
    struct cert out;

    (void)state;
    assert_int_equal(cert_chain_issuer(&h.ca, nothing, LAB_NOW, &out), CERT_MALFORMED);
    assert_int_equal(cert_chain_issuer(&h.ca, text, LAB_NOW, &out), CERT_MALFORMED);
}

static void issuer_outside_the_networks_range_is_refused(void **state)
{
    struct cert wide = lab_issuer(&lab), beside = wide, longer = wide, earlier = wide;

    (void)state;
    assert_int_equal(judge_issuer(&wide, LAB_NOW), CERT_OK); /* all of it is not outside */
    wide.ranges[0] = lab_prefix("10.7.2.0", 23);
    assert_int_equal(judge_issuer(&wide, LAB_NOW), CERT_OUTSIDE);
    beside.ranges[1] = beside.slices[1] = lab_prefix("fd12:3456:789b::", 68);
    assert_int_equal(judge_issuer(&beside, LAB_NOW), CERT_OUTSIDE);
    longer.not_before = LAB_NOW + CERT_CA_LIFE - 410 * LAB_DAY;
    longer.not_after = LAB_NOW + CERT_CA_LIFE - 399 * LAB_DAY;
    assert_int_equal(judge_issuer(&longer, LAB_NOW), CERT_OUTSIDE);
    earlier.not_before = LAB_NOW - 401 * LAB_DAY;
    earlier.not_after = earlier.not_before + LAB_DAY;
    assert_int_equal(judge_issuer(&earlier, earlier.not_before), CERT_OUTSIDE);
}

/* Whichever issuer gave an address, each may renew it. */
static void member_outside_its_issuers_range_is_refused(void **state)
{
    struct cert member = lab_member(&lab);

    (void)state;
    member.addresses[0] = lab_addr("10.7.3.128"); /* of another issuer's slice */
    assert_int_equal(judge_member(&member, LAB_NOW), CERT_OK);
    member.addresses[0] = lab_addr("10.7.4.1");
    assert_int_equal(judge_member(&member, LAB_NOW), CERT_OUTSIDE);
    member = lab_member(&lab);
    member.addresses[1] = lab_addr("fd12:3456:789b:0:1000::41");
    assert_int_equal(judge_member(&member, LAB_NOW), CERT_OUTSIDE);
}

static void member_that_outlives_its_issuer_is_refused(void **state)
{
    struct cert member = lab_member(&lab);

    (void)state;
    member.not_after = LAB_NOW - 100 * LAB_DAY + CERT_ISSUER_LIFE;
    member.not_before = member.not_after - 20 * LAB_DAY;
    assert_int_equal(judge_member(&member, member.not_before), CERT_OK);
    member.not_after++;
    assert_int_equal(judge_member(&member, member.not_before), CERT_OUTSIDE);
    member = lab_member(&lab);
    member.not_before = LAB_NOW - 100 * LAB_DAY - 1;
    member.not_after = member.not_before + LAB_DAY;
    assert_int_equal(judge_member(&member, member.not_before), CERT_OUTSIDE);
}

static void both_ends_of_a_life_are_included(void **state)
{
    struct cert member = lab_member(&lab), issuer = lab_issuer(&lab);

    (void)state;
    assert_int_equal(judge_member(&member, member.not_before - 1), CERT_NOT_YET);
    assert_int_equal(judge_member(&member, member.not_before), CERT_OK);
    assert_int_equal(judge_member(&member, member.not_after), CERT_OK);
    assert_int_equal(judge_member(&member, member.not_after + 1), CERT_RENEWABLE);
    assert_int_equal(judge_member(&member, member.not_after + CERT_RENEWAL), CERT_RENEWABLE);
    assert_int_equal(judge_member(&member, member.not_after + CERT_RENEWAL + 1), CERT_EXPIRED);
    assert_int_equal(judge_member(&member, 0), CERT_NOT_YET);
    assert_int_equal(judge_member(&member, UINT64_MAX), CERT_EXPIRED);
    assert_int_equal(judge_issuer(&issuer, issuer.not_before - 1), CERT_NOT_YET);
    assert_int_equal(judge_issuer(&issuer, issuer.not_after), CERT_OK);
    assert_int_equal(judge_issuer(&issuer, issuer.not_after + 1), CERT_RENEWABLE);
    assert_int_equal(judge_issuer(&issuer, issuer.not_after + CERT_RENEWAL + 1), CERT_EXPIRED);
}

static void nothing_is_renewed_after_the_end_of_the_ca(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab), out;
    struct cert_bytes b;
    struct held h;

    (void)state;
    ca.not_before = issuer.not_before;
    ca.not_after = issuer.not_after = member.not_after;
    b = lab_sign(&ca, lab.ca);
    assert_int_equal(judge_ca(&b, ca.not_after, &h.ca), CERT_OK);
    assert_int_equal(judge_ca(&b, ca.not_after + 1, &out), CERT_EXPIRED);
    b = lab_sign(&issuer, lab.ca);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&b), LAB_NOW, &h.issuer), CERT_OK);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&b), ca.not_after, &out), CERT_OK);
    assert_int_equal(cert_chain_issuer(&h.ca, lab_slice(&b), ca.not_after + 1, &out), CERT_EXPIRED);
    b = lab_sign(&member, lab.issuer);
    for (unsigned late = 0; late < 2; late++)
        assert_int_equal(cert_chain_member(&h.ca, &h.issuer, lab_slice(&b), identity_spki(lab.member),
                                           ca.not_after + late, &out),
                         late ? CERT_EXPIRED : CERT_OK);
}

static void every_verdict_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (enum cert_verdict a = CERT_OK; a <= CERT_EXPIRED; a++)
        for (enum cert_verdict b = CERT_OK; b < a; b++)
            assert_string_not_equal(cert_verdict_str(a), cert_verdict_str(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_of_an_issuer_of_the_ca_is_valid),
        cmocka_unit_test(ca_of_another_network_is_refused),
        cmocka_unit_test(ca_that_its_key_did_not_sign_is_refused),
        cmocka_unit_test(certificate_of_another_kind_is_refused),
        cmocka_unit_test(member_cannot_issue),
        cmocka_unit_test(issuer_of_another_ca_is_refused),
        cmocka_unit_test(certificate_of_another_network_is_refused),
        cmocka_unit_test(signature_of_another_key_is_refused),
        cmocka_unit_test(certificate_of_another_peer_is_refused),
        cmocka_unit_test(what_is_no_certificate_is_refused),
        cmocka_unit_test(issuer_outside_the_networks_range_is_refused),
        cmocka_unit_test(member_outside_its_issuers_range_is_refused),
        cmocka_unit_test(member_that_outlives_its_issuer_is_refused),
        cmocka_unit_test(both_ends_of_a_life_are_included),
        cmocka_unit_test(nothing_is_renewed_after_the_end_of_the_ca),
        cmocka_unit_test(every_verdict_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
