/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's certificates: X.509 v3 with ML-DSA-87 (RFC 5280, RFC 9881) in one profile of ours, as values. A value has
 * exactly one encoding, and what is not that encoding is no certificate. The library's reader takes more than one and
 * keeps quiet about it, so the bytes are ours and only the signatures are OpenSSL's. Any thread. docs/PROTOCOL.md §22. */

#include "base/addr.h"
#include "base/bytes.h"
#include "crypto/identity.h"

#define CERT_MAX           8000 /* bytes of a certificate: a control message holds one */
#define CERT_SERIAL_LEN    16
#define CERT_LABEL_MAX     64 /* an LDH label of at most 63 characters, and a NUL */
#define CERT_RANGES_MAX    8
#define CERT_ADDRESSES_MAX 8
#define CERT_VLANS_MAX     16
#define CERT_MACS_MAX      8
#define CERT_ROUTES_MAX    16

#define CERT_CA_LIFE     (uint64_t)(7305 * 86400) /* seconds: 20 years */
#define CERT_ISSUER_LIFE (uint64_t)(366 * 86400)
#define CERT_MEMBER_LIFE (uint64_t)(31 * 86400)

enum cert_kind {
    CERT_CA,     /* signs itself and issuers */
    CERT_ISSUER, /* signs members */
    CERT_MEMBER,
};

/* What a member may besides exchanging frames. Other bits are kept and mean nothing. */
enum cert_role {
    CERT_ROLE_RELAY = 1 << 0,
    CERT_ROLE_GATEWAY = 1 << 1, /* bridges: speaks for more MAC addresses than its own */
    CERT_ROLE_DHCP = 1 << 2,
    CERT_ROLE_ROUTER = 1 << 3, /* sends router advertisements */
};

struct cert_vlans {
    uint16_t first, last; /* 1 to 4094, both included */
};

struct cert_mac {
    uint8_t len; /* 1 to 6 */
    uint8_t bytes[6];
};

/* Lists are in ascending order and have nothing twice; addresses are without port and scope, IPv4 before IPv6. */
struct cert {
    enum cert_kind kind;
    uint8_t serial[CERT_SERIAL_LEN]; /* random, but that the first byte is 1 to 0x7f */
    struct node_id issuer;           /* of the key that signs; a CA's own */
    struct node_id id;               /* of the key below; cert_sign does not read it */
    uint64_t not_before, not_after;  /* seconds since 1970, both included */
    char network[CERT_LABEL_MAX];
    char name[CERT_LABEL_MAX]; /* a member's; empty otherwise */
    uint8_t spki[IDENTITY_SPKI_LEN];

    /* Of a CA: the network's subnets. Of an issuer: those whose addresses it may certify, so that it can renew what another
     * one gave; and its slices of them, from which it gives addresses itself. */
    struct addr_prefix ranges[CERT_RANGES_MAX];
    struct addr_prefix slices[CERT_RANGES_MAX];
    /* Of a member alone, like all that follows. A list of limits that is empty sets none. */
    struct addr addresses[CERT_ADDRESSES_MAX];
    struct cert_vlans vlans[CERT_VLANS_MAX];    /* which it may use; ranges do not touch */
    struct cert_mac macs[CERT_MACS_MAX];        /* prefixes of those that it may claim */
    struct addr_prefix routes[CERT_ROUTES_MAX]; /* subnets behind it */
    uint8_t range_count, slice_count, address_count, vlan_count, mac_count, route_count;
    uint16_t roles; /* enum cert_role */
};

/* Writes the certificate with the signature of signer, whose id is cert->issuer (else ERR_MISMATCH). ERR_ARGUMENT when
 * the value breaks a rule of the profile, ERR_SPACE when it were longer than CERT_MAX: fewer routes, VLANs or MACs. */
int cert_sign(const struct cert *cert, const struct identity *signer, uint8_t out[CERT_MAX],
              size_t *len) must_check;

/* Reads a certificate and judges its form, not its signature nor its time. ERR_FORMAT when it is not exactly what
 * cert_sign writes; then out is zeroed. */
int cert_decode(const uint8_t *der, size_t len, struct cert *out) must_check;

/* 0 when the key spki signed this certificate, which cert_decode took; ERR_CRYPTO when not. */
int cert_verify(const uint8_t *der, size_t len, const uint8_t spki[IDENTITY_SPKI_LEN]) must_check;

/* True when a network may be called so: an LDH label (RFC 5890 §2.3.1) in lower case, which a name service takes as it
 * stands. At most CERT_LABEL_MAX bytes of text are read. */
bool cert_label_ok(const char *text);

/* True when a member may, too: a name that looks like an id would stand for somebody else, as commands take either. */
bool cert_name_ok(const char *text);
