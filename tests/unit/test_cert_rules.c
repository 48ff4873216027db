/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the profile: what breaks one is neither signed nor, when somebody signed it anyway, read. */

#include "crypto/cert_rules.h"

#include "crypto/cert_tbs.h"
#include "crypto/der.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

/* Each makes one thing of a certificate wrong. */
struct breach {
    const char *what;
    enum cert_kind kind;
    void (*commit)(struct cert *c);
};

#define BREACH(name, statement)                                                                              \
    static void name(struct cert *c)                                                                         \
    {                                                                                                        \
        statement;                                                                                           \
    }
#define SET(field, text) memcpy(field, text, sizeof(text))

BREACH(serial_zero, c->serial[0] = 0)
BREACH(serial_negative, c->serial[0] = 0x80)
BREACH(ends_before_it_begins, c->not_after = c->not_before)
BREACH(lives_too_long, c->not_after = c->not_before + CERT_MEMBER_LIFE + 1)
BREACH(issuer_lives_too_long, c->not_after = c->not_before + CERT_ISSUER_LIFE + 1)
BREACH(ca_lives_too_long, c->not_after = c->not_before + CERT_CA_LIFE + 1)
BREACH(name_empty, c->name[0] = '\0')
BREACH(name_upper, SET(c->name, "Berlin"))
BREACH(name_dotted, SET(c->name, "a.b"))
BREACH(name_dash_first, SET(c->name, "-a"))
BREACH(name_dash_last, SET(c->name, "a-"))
BREACH(name_is_id, SET(c->name, "0123456789012345678901234567890123456789"))
BREACH(network_empty, c->network[0] = '\0')
BREACH(network_spaced, SET(c->network, "l b"))
BREACH(key_of_another_kind, c->spki[12]--)
BREACH(member_with_range, c->ranges[c->range_count++] = lab_prefix("10.0.0.0", 8))
BREACH(ca_of_another, c->issuer.bytes[0] ^= 1)
BREACH(issuer_of_itself, c->issuer = c->id)
BREACH(no_range, c->range_count = 0)
BREACH(range_with_host, c->ranges[0].addr.ip[3] |= 1)
BREACH(ranges_twice, c->ranges[1] = c->ranges[0])
BREACH(ranges_unordered, c->ranges[1] = lab_prefix("10.0.0.0", 24))
BREACH(no_slice, c->slice_count = 0)
BREACH(slice_with_host, c->slices[0].addr.ip[3] |= 1)
BREACH(slices_twice, c->slices[1] = c->slices[0])
BREACH(slice_beside_the_ranges, c->slices[0] = lab_prefix("10.7.4.0", 26))
BREACH(slice_around_a_range, c->slices[0] = lab_prefix("10.7.2.0", 23))
BREACH(addresses_twice, c->addresses[1] = c->addresses[0])
BREACH(addresses_unordered, c->addresses[1] = lab_addr("1.1.1.1"))
BREACH(vlan_zero, c->vlans[0].first = 0)
BREACH(vlan_high, c->vlans[1].last = 4095)
BREACH(vlans_backward, c->vlans[1].last = 99)
BREACH(vlans_touch, c->vlans[0].last = 99)
BREACH(mac_empty, c->macs[0].len = 0)
BREACH(macs_within, c->macs[c->mac_count++] = ((struct cert_mac){4, {0x02, 0x00, 0x5e, 0x01}}))
BREACH(macs_unordered, c->macs[c->mac_count++] = ((struct cert_mac){1, {0x01}}))
BREACH(route_with_host, c->routes[0].addr.ip[2] |= 1)
BREACH(route_too_narrow, c->routes[0] = lab_prefix("192.168.4.0", 33))
BREACH(routes_twice, c->routes[1] = c->routes[0])

#define ROW(kind, commit)                                                                                    \
    {                                                                                                        \
#commit, kind, commit                                                                                \
    }
static const struct breach breaches[] = {
    ROW(CERT_MEMBER, serial_zero),
    ROW(CERT_MEMBER, serial_negative),
    ROW(CERT_MEMBER, ends_before_it_begins),
    ROW(CERT_MEMBER, lives_too_long),
    ROW(CERT_ISSUER, issuer_lives_too_long),
    ROW(CERT_CA, ca_lives_too_long),
    ROW(CERT_MEMBER, name_empty),
    ROW(CERT_MEMBER, name_upper),
    ROW(CERT_MEMBER, name_dotted),
    ROW(CERT_MEMBER, name_dash_first),
    ROW(CERT_MEMBER, name_dash_last),
    ROW(CERT_MEMBER, name_is_id),
    ROW(CERT_CA, network_empty),
    ROW(CERT_MEMBER, network_spaced),
    ROW(CERT_ISSUER, key_of_another_kind),
    ROW(CERT_CA, ca_of_another),
    ROW(CERT_ISSUER, issuer_of_itself),
    ROW(CERT_ISSUER, no_range),
    ROW(CERT_CA, range_with_host),
    ROW(CERT_ISSUER, ranges_twice),
    ROW(CERT_CA, ranges_unordered),
    ROW(CERT_ISSUER, no_slice),
    ROW(CERT_ISSUER, slice_with_host),
    ROW(CERT_ISSUER, slices_twice),
    ROW(CERT_ISSUER, slice_beside_the_ranges),
    ROW(CERT_ISSUER, slice_around_a_range),
    ROW(CERT_MEMBER, addresses_twice),
    ROW(CERT_MEMBER, addresses_unordered),
    ROW(CERT_MEMBER, vlan_zero),
    ROW(CERT_MEMBER, vlan_high),
    ROW(CERT_MEMBER, vlans_backward),
    ROW(CERT_MEMBER, vlans_touch),
    ROW(CERT_MEMBER, mac_empty),
    ROW(CERT_MEMBER, macs_within),
    ROW(CERT_MEMBER, macs_unordered),
    ROW(CERT_MEMBER, route_with_host),
    ROW(CERT_MEMBER, route_too_narrow),
    ROW(CERT_MEMBER, routes_twice),
};

static struct cert sound(enum cert_kind kind)
{
    switch (kind) {
    case CERT_CA:
        return lab_ca(&lab);
    case CERT_ISSUER:
        return lab_issuer(&lab);
    case CERT_MEMBER:
        return lab_member(&lab);
    }
    abort();
}

static void refuse_to_sign(const struct breach *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct breach *b = &list[i];
        struct cert c = sound(b->kind);
        struct cert_bytes out;
        b->commit(&c);
        if (cert_sign(&c, b->kind == CERT_MEMBER ? lab.issuer : lab.ca, out.der, &out.len) != ERR_ARGUMENT)
            fail_msg("%s was signed", b->what);
    }
}

static void what_breaks_a_rule_is_not_signed(void **state)
{
    (void)state;
    refuse_to_sign(breaches, sizeof(breaches) / sizeof(breaches[0]));
}

/* A certificate that nobody checked before it was signed. */
static struct cert_bytes sign_unchecked(const struct cert *c, const struct identity *signer)
{
    uint8_t tbs[CERT_MAX], signature[IDENTITY_SIGNATURE_LEN];
    struct writer inner = writer_init(tbs, sizeof(tbs)), w;
    struct cert_bytes out;
    size_t whole, bits;

    cert_tbs_put(c, &inner);
    assert_false(inner.bad);
    assert_int_equal(identity_sign(signer, "", tbs, writer_len(&inner), signature), 0);
    w = writer_init(out.der, sizeof(out.der));
    whole = der_open(&w, DER_SEQUENCE);
    writer_put(&w, tbs, writer_len(&inner));
    cert_tbs_put_algorithm(&w);
    bits = der_open(&w, DER_BIT_STRING);
    writer_u8(&w, 0);
    writer_put(&w, signature, sizeof(signature));
    der_close(&w, bits);
    der_close(&w, whole);
    out.len = writer_len(&w);
    return out;
}

static void what_breaks_a_rule_is_not_read(void **state)
{
    struct cert member = lab_member(&lab), read;
    struct cert_bytes out = sign_unchecked(&member, lab.issuer);

    (void)state;
    assert_int_equal(cert_decode(out.der, out.len, &read), 0); /* this way of making one is right by itself */
    for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
        const struct breach *b = &breaches[i];
        struct cert c = sound(b->kind);
        b->commit(&c);
        out = sign_unchecked(&c, b->kind == CERT_MEMBER ? lab.issuer : lab.ca);
        if (cert_decode(out.der, out.len, &read) != ERR_FORMAT)
            fail_msg("%s was read", b->what);
        assert_int_equal(read.serial[0] | read.network[0] | read.spki[0], 0);
    }
}

/* What has no place in a certificate is not lost without a word. */
BREACH(name_without_end, memset(c->name, 'a', CERT_LABEL_MAX))
BREACH(address_with_port, c->addresses[0].port = 1)
BREACH(address_with_scope, c->addresses[1].scope = 1)
BREACH(address_of_no_family, c->addresses[0].family = 0)
BREACH(route_with_port, c->routes[0].addr.port = 1)
BREACH(too_many_addresses, c->address_count = CERT_ADDRESSES_MAX + 1)
BREACH(too_many_ranges, c->range_count = CERT_RANGES_MAX + 1)
BREACH(too_many_slices, c->slice_count = CERT_RANGES_MAX + 1)
BREACH(with_slice, c->slices[c->slice_count++] = lab_prefix("10.7.3.64", 26))
BREACH(too_many_vlans, c->vlan_count = CERT_VLANS_MAX + 1)
BREACH(too_many_macs, c->mac_count = CERT_MACS_MAX + 1)
BREACH(too_many_routes, c->route_count = CERT_ROUTES_MAX + 1)
BREACH(mac_too_long, c->macs[0].len = 7)
BREACH(ends_after_all_years, (c->not_before = DER_TIME_MAX, c->not_after = DER_TIME_MAX + 1))
BREACH(issuer_with_name, SET(c->name, "hub"))
BREACH(issuer_with_role, c->roles = CERT_ROLE_RELAY)
BREACH(issuer_with_address, c->addresses[c->address_count++] = lab_addr("10.7.3.65"))
BREACH(ca_with_vlan, c->vlans[c->vlan_count++] = ((struct cert_vlans){1, 1}))
BREACH(ca_with_mac, c->macs[c->mac_count++] = ((struct cert_mac){1, {2}}))
BREACH(ca_with_route, c->routes[c->route_count++] = lab_prefix("10.0.0.0", 8))

static const struct breach unwritable[] = {
    ROW(CERT_MEMBER, name_without_end),
    ROW(CERT_MEMBER, address_with_port),
    ROW(CERT_MEMBER, address_with_scope),
    ROW(CERT_MEMBER, address_of_no_family),
    ROW(CERT_MEMBER, route_with_port),
    ROW(CERT_MEMBER, too_many_addresses),
    ROW(CERT_ISSUER, too_many_ranges),
    ROW(CERT_MEMBER, too_many_vlans),
    ROW(CERT_MEMBER, too_many_macs),
    ROW(CERT_MEMBER, too_many_routes),
    ROW(CERT_MEMBER, mac_too_long),
    ROW(CERT_MEMBER, ends_after_all_years),
    ROW(CERT_MEMBER, member_with_range),
    ROW(CERT_ISSUER, issuer_with_name),
    ROW(CERT_ISSUER, issuer_with_role),
    ROW(CERT_ISSUER, issuer_with_address),
    ROW(CERT_CA, ca_with_vlan),
    ROW(CERT_CA, ca_with_mac),
    ROW(CERT_CA, ca_with_route),
    ROW(CERT_ISSUER, too_many_slices),
    ROW(CERT_CA, with_slice),
    ROW(CERT_MEMBER, with_slice),
};

static void what_has_no_encoding_is_not_signed(void **state)
{
    (void)state;
    refuse_to_sign(unwritable, sizeof(unwritable) / sizeof(unwritable[0]));
}

static void names_may_have_letters_digits_and_dashes(void **state)
{
    static const char *const names[] = {
        "a", "z", "0", "9", "a--z", "0-9", "123456789012345678901234567890123456789"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct cert c = lab_member(&lab);
        snprintf(c.name, sizeof(c.name), "%s", names[i]);
        assert_true(cert_rules_hold(&c));
    }
}

static void values_at_their_limits_are_sound(void **state)
{
    struct cert c = lab_member(&lab);

    (void)state;
    c.serial[0] = 0x7f;
    c.not_after = DER_TIME_MAX;
    c.not_before = DER_TIME_MAX - CERT_MEMBER_LIFE;
    c.macs[0].len = 6;
    c.vlans[0].last = 98;
    c.routes[0] = lab_prefix("0.0.0.0", 0);
    c.routes[1] = lab_prefix("2001:db8::1", 128);
    assert_true(cert_rules_hold(&c));
    assert_false(c.not_after - c.not_before < CERT_MEMBER_LIFE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_a_rule_is_not_signed),
        cmocka_unit_test(what_breaks_a_rule_is_not_read),
        cmocka_unit_test(what_has_no_encoding_is_not_signed),
        cmocka_unit_test(names_may_have_letters_digits_and_dashes),
        cmocka_unit_test(values_at_their_limits_are_sound),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
