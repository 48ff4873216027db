/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The first certificates of a network: its CA's, an issuer's, a member's, from their keys. Any thread. docs/PROTOCOL.md
 * §22. */

#include "crypto/cert.h"

struct random_source;

#define FOUNDING_SLICES      8  /* issuers that find room in a range */
#define FOUNDING_IPV4_MIN    8  /* bits of a range */
#define FOUNDING_IPV4_MAX    28 /* … of which the first issuer's slice has eight addresses */
#define FOUNDING_IPV6_MAX    112
#define FOUNDING_MEMBER_LIFE (uint64_t)(30 * 86400) /* seconds from now */
#define FOUNDING_CLOCK_SLACK                                                                                 \
    3600 /* seconds that a certificate begins before now, for clocks that are behind */

/* What all certificates of a network have in common. */
struct founding {
    const char *network; /* an LDH label */
    struct addr_prefix ranges[CERT_RANGES_MAX];
    uint8_t range_count;                /* IPv4 before IPv6, as cert.h wants it */
    uint64_t now;                       /* seconds since 1970 */
    const struct random_source *random; /* of serial numbers */
};

/* A certificate as a value and as bytes. */
struct founding_cert {
    struct cert cert;
    size_t len;
    uint8_t der[CERT_MAX];
};

/* A random 10.x.y.0/24 that overlaps none of those that are taken; a taken one of 8 bits or fewer, as a default route is,
 * does not count. ERR_SPACE when none was found. */
int founding_range(const struct random_source *random, const struct addr_prefix *taken, size_t count,
                   struct addr_prefix *out) must_check;

/* The /64 of unique local addresses (RFC 4193) whose 40 random bits are the first of the id of the CA's key. */
struct addr_prefix founding_ula(const struct node_id *ca);

/* True when a range can be a network's. */
bool founding_range_ok(const struct addr_prefix *range);

/* The part of a range from which the issuer of this number, below FOUNDING_SLICES, gives addresses. ERR_SPACE when the
 * range is too small to have it. */
int founding_slice(const struct addr_prefix *range, unsigned number, struct addr_prefix *out) must_check;

/* Each returns ERR_ARGUMENT when a label or a range breaks a rule of the profile, or what cert_sign does. */

int founding_ca(const struct founding *f, const struct identity *ca, struct founding_cert *out) must_check;

/* Of the key spki, with its slice of each range; ERR_SPACE as founding_slice. f->ranges are those of the CA. */
int founding_issuer(const struct founding *f, const struct identity *ca,
                    const uint8_t spki[IDENTITY_SPKI_LEN], unsigned number,
                    struct founding_cert *out) must_check;

/* Of an issuer that the CA has certified before, once more: its key and its slices, a year from now on. */
int founding_issuer_again(const struct founding *f, const struct identity *ca, const struct cert *last,
                          struct founding_cert *out) must_check;

/* Of the key spki, with an address of each of the issuer's slices, all of the same number in it: that of ip, which is IPv4 or
 * IPv6, or 1 when its family is 0. ERR_SPACE when ip is none that the issuer gives. */
int founding_member(const struct founding *f, const struct cert *issuer, const struct identity *issuer_key,
                    const uint8_t spki[IDENTITY_SPKI_LEN], const char *name, const struct addr *ip,
                    struct founding_cert *out) must_check;
