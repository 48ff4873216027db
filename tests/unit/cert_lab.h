/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network for tests: the keys of its CA, an issuer and a member, and certificates for them to be altered. */

#include "crypto/cert.h"

#include <stdlib.h>

#define LAB_NOW 1790000000ull /* seconds since 1970: 2026-09-21 */
#define LAB_DAY 86400ull

struct cert_lab {
    struct identity *ca, *issuer, *member, *other;
};

/* What cert_sign wrote. */
struct cert_bytes {
    uint8_t der[CERT_MAX];
    size_t len;
};

static inline void cert_lab_open(struct cert_lab *lab)
{
    if (identity_generate(&lab->ca) || identity_generate(&lab->issuer) || identity_generate(&lab->member) ||
        identity_generate(&lab->other))
        abort();
}

static inline void cert_lab_close(struct cert_lab *lab)
{
    identity_free(lab->ca);
    identity_free(lab->issuer);
    identity_free(lab->member);
    identity_free(lab->other);
}

static inline struct addr lab_addr(const char *text)
{
    struct addr a;

    if (addr_parse(text, 0, &a))
        abort();
    return a;
}

static inline struct addr_prefix lab_prefix(const char *text, uint8_t bits)
{
    return (struct addr_prefix){lab_addr(text), bits};
}

static inline struct cert lab_cert(enum cert_kind kind, const struct identity *subject,
                                   const struct identity *signer)
{
    struct cert c = {.kind = kind, .serial = {1, 2, 3, (uint8_t)kind}, .network = "lab"};

    c.issuer = *identity_id(signer);
    c.id = *identity_id(subject);
    memcpy(c.spki, identity_spki(subject), IDENTITY_SPKI_LEN);
    return c;
}

static inline struct cert lab_ca(const struct cert_lab *lab)
{
    struct cert c = lab_cert(CERT_CA, lab->ca, lab->ca);

    c.not_before = LAB_NOW - 400 * LAB_DAY;
    c.not_after = c.not_before + CERT_CA_LIFE;
    c.ranges[0] = lab_prefix("10.7.3.0", 24);
    c.ranges[1] = lab_prefix("fd12:3456:789a::", 64);
    c.range_count = 2;
    return c;
}

static inline struct cert lab_issuer(const struct cert_lab *lab)
{
    struct cert c = lab_cert(CERT_ISSUER, lab->issuer, lab->ca);

    c.not_before = LAB_NOW - 100 * LAB_DAY;
    c.not_after = c.not_before + CERT_ISSUER_LIFE;
    c.ranges[0] = lab_prefix("10.7.3.0", 24);
    c.ranges[1] = lab_prefix("fd12:3456:789a::", 64);
    c.range_count = 2;
    c.slices[0] = lab_prefix("10.7.3.64", 26);
    c.slices[1] = lab_prefix("fd12:3456:789a:0:1000::", 68);
    c.slice_count = 2;
    return c;
}

static inline struct cert lab_member(const struct cert_lab *lab)
{
    struct cert c = lab_cert(CERT_MEMBER, lab->member, lab->issuer);

    c.not_before = LAB_NOW - LAB_DAY;
    c.not_after = LAB_NOW + 29 * LAB_DAY;
    memcpy(c.name, "berlin", sizeof("berlin"));
    c.addresses[0] = lab_addr("10.7.3.65");
    c.addresses[1] = lab_addr("fd12:3456:789a:0:1000::41");
    c.address_count = 2;
    c.roles = CERT_ROLE_RELAY | CERT_ROLE_GATEWAY;
    c.vlans[0] = (struct cert_vlans){1, 1};
    c.vlans[1] = (struct cert_vlans){100, 4094};
    c.vlan_count = 2;
    c.macs[0] = (struct cert_mac){3, {0x02, 0x00, 0x5e}};
    c.mac_count = 1;
    c.routes[0] = lab_prefix("192.168.4.0", 22);
    c.routes[1] = lab_prefix("2001:db8::", 32);
    c.route_count = 2;
    return c;
}

static inline struct cert_bytes lab_sign(const struct cert *c, const struct identity *signer)
{
    struct cert_bytes out;

    if (cert_sign(c, signer, out.der, &out.len))
        abort();
    return out;
}

static inline struct slice lab_slice(const struct cert_bytes *b)
{
    return (struct slice){b->der, b->len};
}

/* Of all tests of a program. */
static struct cert_lab lab;

static inline int cert_lab_setup(void **state)
{
    (void)state;
    cert_lab_open(&lab);
    return 0;
}

static inline int cert_lab_teardown(void **state)
{
    (void)state;
    cert_lab_close(&lab);
    return 0;
}
