/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: one encoding of a value, and nothing else is read. The rules for values are test_cert_rules.c's, what
 * other programs make of them is test_cert_x509.c's. */

#include "crypto/cert.h"

#include "crypto/der.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static void assert_prefixes_equal(const struct addr_prefix *a, const struct addr_prefix *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(addr_equal(&a[i].addr, &b[i].addr) && a[i].bits == b[i].bits);
}

static void assert_same(const struct cert *a, const struct cert *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_memory_equal(a->serial, b->serial, sizeof(a->serial));
    assert_int_equal(id_compare(&a->issuer, &b->issuer), 0);
    assert_int_equal(id_compare(&a->id, &b->id), 0);
    assert_true(a->not_before == b->not_before && a->not_after == b->not_after);
    assert_string_equal(a->network, b->network);
    assert_string_equal(a->name, b->name);
    assert_memory_equal(a->spki, b->spki, sizeof(a->spki));
    assert_int_equal(a->range_count, b->range_count);
    assert_prefixes_equal(a->ranges, b->ranges, a->range_count);
    assert_int_equal(a->slice_count, b->slice_count);
    assert_prefixes_equal(a->slices, b->slices, a->slice_count);
    assert_int_equal(a->address_count, b->address_count);
    for (size_t i = 0; i < a->address_count; i++)
        assert_true(addr_equal(&a->addresses[i], &b->addresses[i]));
    assert_int_equal(a->roles, b->roles);
    assert_int_equal(a->vlan_count, b->vlan_count);
    assert_memory_equal(a->vlans, b->vlans, sizeof(a->vlans));
    assert_int_equal(a->mac_count, b->mac_count);
    assert_memory_equal(a->macs, b->macs, sizeof(a->macs));
    assert_int_equal(a->route_count, b->route_count);
    assert_prefixes_equal(a->routes, b->routes, a->route_count);
}

static void assert_read_as_made(const struct cert *c, const struct identity *signer)
{
    struct cert_bytes b = lab_sign(c, signer);
    struct cert read;

    assert_int_equal(cert_decode(b.der, b.len, &read), 0);
    assert_same(c, &read);
    assert_int_equal(cert_verify(b.der, b.len, identity_spki(signer)), 0);
    assert_int_equal(cert_verify(b.der, b.len, identity_spki(lab.other)), ERR_CRYPTO);
}

static void each_kind_is_read_as_it_was_made(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);

    (void)state;
    assert_read_as_made(&ca, lab.ca);
    assert_read_as_made(&issuer, lab.ca);
    assert_read_as_made(&member, lab.issuer);
}

static void a_member_without_any_right_is_read_as_it_was_made(void **state)
{
    struct cert full = lab_member(&lab), bare = lab_cert(CERT_MEMBER, lab.member, lab.issuer);

    (void)state;
    bare.not_before = full.not_before;
    bare.not_after = full.not_after;
    memcpy(bare.name, "a", 2);
    assert_read_as_made(&bare, lab.issuer);
}

/* A later version's role is no reason for this one to shut a member out: it grants nothing that is known here. */
static void unknown_roles_are_kept(void **state)
{
    struct cert c = lab_member(&lab);

    (void)state;
    c.roles = 0xffff;
    assert_read_as_made(&c, lab.issuer);
}

static void an_issuer_may_certify_its_own_key_as_a_member(void **state)
{
    struct cert c = lab_member(&lab);

    (void)state;
    memcpy(c.spki, identity_spki(lab.issuer), sizeof(c.spki));
    c.id = *identity_id(lab.issuer);
    assert_read_as_made(&c, lab.issuer);
}

/* The longest of everything, at times with four digits of the year. */
static struct cert largest_member(void)
{
    struct cert c = lab_member(&lab);

    c.not_before += 80 * 365 * LAB_DAY;
    c.not_after += 80 * 365 * LAB_DAY;
    memset(c.network, 'n', CERT_LABEL_MAX - 1);
    memset(c.name, 'm', CERT_LABEL_MAX - 1);
    c.roles = 0xffff;
    for (unsigned i = 0; i < CERT_ADDRESSES_MAX; i++) {
        c.addresses[i] = lab_addr("fd00::1");
        c.addresses[i].ip[14] = (uint8_t)i;
    }
    for (unsigned i = 0; i < CERT_VLANS_MAX; i++)
        c.vlans[i] = (struct cert_vlans){(uint16_t)(1000 + 3 * i), (uint16_t)(1001 + 3 * i)};
    for (unsigned i = 0; i < CERT_MACS_MAX; i++)
        c.macs[i] = (struct cert_mac){6, {2, 0, 0, 0, 0, (uint8_t)i}};
    for (unsigned i = 0; i < CERT_ROUTES_MAX; i++) {
        c.routes[i] = lab_prefix("2001:db8::", 128);
        c.routes[i].addr.ip[15] = (uint8_t)i;
    }
    c.address_count = CERT_ADDRESSES_MAX;
    c.vlan_count = CERT_VLANS_MAX;
    c.mac_count = CERT_MACS_MAX;
    c.route_count = CERT_ROUTES_MAX;
    return c;
}

/* Not all lists at their limits, behind the longest names: a control message holds one of them. */
static void the_largest_certificate_fits_a_message(void **state)
{
    struct cert c = largest_member();
    struct cert_bytes b;

    (void)state;
    assert_int_equal(cert_sign(&c, lab.issuer, b.der, &b.len), ERR_SPACE);
    assert_int_equal(b.len, 0);
    memset(c.network + 20, 0, CERT_LABEL_MAX - 20);
    memset(c.name + 20, 0, CERT_LABEL_MAX - 20);
    memset(c.vlans, 0, sizeof(c.vlans));
    c.vlan_count = 0;
    while (c.route_count && cert_sign(&c, lab.issuer, b.der, &b.len) == ERR_SPACE)
        c.routes[--c.route_count] = (struct addr_prefix){0};
    print_message("# the largest certificate has %zu bytes and %u routes\n", b.len, c.route_count);
    assert_true(b.len <= CERT_MAX && c.route_count >= 4);
    assert_read_as_made(&c, lab.issuer);
}

static void whoever_does_not_have_the_issuers_key_signs_nothing(void **state)
{
    struct cert c = lab_member(&lab);
    struct cert_bytes b;

    (void)state;
    assert_int_equal(cert_sign(&c, lab.other, b.der, &b.len), ERR_MISMATCH);
    assert_int_equal(b.len, 0);
}

static bool is_accepted(const struct cert_bytes *b, const struct identity *signer)
{
    struct cert read;

    return cert_decode(b->der, b->len, &read) == 0 && cert_verify(b->der, b->len, identity_spki(signer)) == 0;
}

/* Every bit of what is ours; of key and signature, which only the signature's check sees, one in each seventh byte. */
static void one_altered_bit_anywhere_is_refused(void **state)
{
    struct cert c = lab_member(&lab);
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    uint8_t *key = memmem(b.der, b.len, c.spki, sizeof(c.spki));
    size_t signature = b.len - IDENTITY_SIGNATURE_LEN, keyed = (size_t)(key - b.der);

    (void)state;
    assert_non_null(key);
    for (size_t i = 0; i < b.len; i++) {
        bool random = i >= signature || (i >= keyed + 22 && i < keyed + IDENTITY_SPKI_LEN);
        for (unsigned bit = 0; bit < 8; bit++) {
            if (random && (i % 7 != 0 || bit != i % 8))
                continue;
            b.der[i] ^= (uint8_t)(1 << bit);
            if (is_accepted(&b, lab.issuer))
                fail_msg("bit %u of byte %zu", bit, i);
            b.der[i] ^= (uint8_t)(1 << bit);
        }
    }
    assert_true(is_accepted(&b, lab.issuer));
}

static void what_is_cut_or_longer_is_refused(void **state)
{
    struct cert c = lab_member(&lab), read;
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    static const uint8_t huge[CERT_MAX + 1] = {DER_SEQUENCE, 0x82, 0x23, 0xfd};

    (void)state;
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = malloc(len ? len : 1); /* just as long, for the sanitizer */
        memcpy(cut, b.der, len);
        assert_int_equal(cert_decode(cut, len, &read), ERR_FORMAT);
        free(cut);
    }
    b.der[b.len] = 0;
    assert_int_equal(cert_decode(b.der, b.len + 1, &read), ERR_FORMAT);
    assert_int_equal(cert_decode(huge, sizeof(huge), &read), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_read_as_it_was_made),
        cmocka_unit_test(a_member_without_any_right_is_read_as_it_was_made),
        cmocka_unit_test(unknown_roles_are_kept),
        cmocka_unit_test(an_issuer_may_certify_its_own_key_as_a_member),
        cmocka_unit_test(the_largest_certificate_fits_a_message),
        cmocka_unit_test(whoever_does_not_have_the_issuers_key_signs_nothing),
        cmocka_unit_test(one_altered_bit_anywhere_is_refused),
        cmocka_unit_test(what_is_cut_or_longer_is_refused),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
