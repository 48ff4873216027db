/* SPDX-License-Identifier: Apache-2.0 */
/* TBSCertificate (RFC 5280 §4.1) with the extensions of our profile. Writing is strict, and reading takes each field in
 * its place: what it passes over is judged by writing it again (cert.c). Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert_tbs.h"

#include "crypto/cert.h"
#include "crypto/cert_rights.h"
#include "crypto/der.h"

#define VERSION_3  2
#define DNS_SUFFIX ".internal"
#define SAN_DNS    2 /* RFC 5280 §4.2.1.6: the numbers of GeneralName */
#define SAN_IP     7
#define IP_LEN(a)  ((a)->family == 4 ? 4u : 16u)
#define CA_PATHLEN 1 /* certificates of authorities that may stand between it and a member */

static const uint8_t mldsa87[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13}; /* RFC 9881 §2 */
static const uint8_t common_name[] = {0x55, 0x04, 0x03}, organization[] = {0x55, 0x04, 0x0a};

static const struct slice basic_constraints = {(const uint8_t[]){0x55, 0x1d, 0x13}, 3},
                          key_usage = {(const uint8_t[]){0x55, 0x1d, 0x0f}, 3},
                          subject_key_id = {(const uint8_t[]){0x55, 0x1d, 0x0e}, 3},
                          authority_key_id = {(const uint8_t[]){0x55, 0x1d, 0x23}, 3},
                          name_constraints = {(const uint8_t[]){0x55, 0x1d, 0x1e}, 3},
                          subject_alt_name = {(const uint8_t[]){0x55, 0x1d, 0x11}, 3};
/* 2.25 with the UUID 1b523cb6-ba31-4308-9658-46c8879b86d9 (ITU-T X.667), and a number below it. */
#define OURS(number)                                                                                         \
    {                                                                                                        \
        (const uint8_t[]){0x69, 0xb6, 0xd2, 0x9e, 0xad, 0xd7, 0xa3, 0x8a, 0x8c, 0x91,                        \
                          0x96, 0xac, 0x91, 0xd9, 0x88, 0xbc, 0xee, 0x8d, 0x59, number},                     \
            20                                                                                               \
    }
static const struct slice member_rights = OURS(1), issuer_rights = OURS(2);

void cert_tbs_put_algorithm(struct writer *w)
{
    size_t opened = der_open(w, DER_SEQUENCE);

    der_put(w, DER_OID, mldsa87, sizeof(mldsa87));
    der_close(w, opened);
}

static void put_attribute(struct writer *w, const uint8_t type[3], const char *value)
{
    size_t set = der_open(w, DER_SET), pair = der_open(w, DER_SEQUENCE);

    der_put(w, DER_OID, type, 3);
    der_put(w, DER_UTF8_STRING, value, strlen(value));
    der_close(w, pair);
    der_close(w, set);
}

/* A member has its name; an authority that of its key, so that two of one network never share one. */
static void put_name(struct writer *w, const struct cert *c, const char *name)
{
    size_t opened = der_open(w, DER_SEQUENCE);

    put_attribute(w, organization, c->network);
    put_attribute(w, common_name, name);
    der_close(w, opened);
}

static void put_validity(struct writer *w, const struct cert *c)
{
    size_t opened = der_open(w, DER_SEQUENCE);

    der_put_time(w, c->not_before);
    der_put_time(w, c->not_after);
    der_close(w, opened);
}

/* An extension whose value follows, up to close_extension. */
struct extension {
    size_t whole, value;
};

static struct extension open_extension(struct writer *w, struct slice type, bool critical)
{
    struct extension e = {.whole = der_open(w, DER_SEQUENCE)};

    der_put(w, DER_OID, type.data, type.len);
    if (critical)
        der_put(w, DER_BOOLEAN, "\xff", 1);
    e.value = der_open(w, DER_OCTET_STRING);
    return e;
}

static void close_extension(struct writer *w, struct extension e)
{
    der_close(w, e.value);
    der_close(w, e.whole);
}

static void put_basic_constraints(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, basic_constraints, true);
    size_t opened = der_open(w, DER_SEQUENCE);

    der_put(w, DER_BOOLEAN, "\xff", 1);
    der_put_uint(w, c->kind == CERT_CA ? CA_PATHLEN : 0);
    der_close(w, opened);
    close_extension(w, e);
}

static void put_key_usage(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, key_usage, true);

    if (c->kind == CERT_MEMBER)
        der_put(w, DER_BIT_STRING, "\x07\x80", 2); /* digitalSignature */
    else
        der_put(w, DER_BIT_STRING, "\x02\x04", 2); /* keyCertSign */
    close_extension(w, e);
}

static void put_key_ids(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, subject_key_id, false);
    size_t opened;

    der_put(w, DER_OCTET_STRING, c->id.bytes, ID_LEN);
    close_extension(w, e);
    e = open_extension(w, authority_key_id, false);
    opened = der_open(w, DER_SEQUENCE);
    der_put(w, DER_IMPLICIT(0), c->issuer.bytes, ID_LEN);
    der_close(w, opened);
    close_extension(w, e);
}

/* The domain of the network's names, behind that of a member where there is one. */
static void put_domain(struct writer *w, const struct cert *c)
{
    size_t opened = der_open(w, DER_IMPLICIT(SAN_DNS));

    if (c->kind == CERT_MEMBER) {
        writer_put(w, c->name, strlen(c->name));
        writer_u8(w, '.');
    }
    writer_put(w, c->network, strlen(c->network));
    writer_put(w, DNS_SUFFIX, strlen(DNS_SUFFIX));
    der_close(w, opened);
}

/* RFC 5280 §4.2.1.10: the address, then its mask. */
static void put_range(struct writer *w, const struct addr_prefix *p)
{
    size_t subtree = der_open(w, DER_SEQUENCE), ip = der_open(w, DER_IMPLICIT(SAN_IP));
    uint8_t mask[16] = {0};

    for (unsigned bit = 0; bit < p->bits; bit++)
        mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    writer_put(w, p->addr.ip, IP_LEN(&p->addr));
    writer_put(w, mask, IP_LEN(&p->addr));
    der_close(w, ip);
    der_close(w, subtree);
}

static void put_name_constraints(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, name_constraints, true);
    size_t opened = der_open(w, DER_SEQUENCE), permitted = der_open(w, DER_CONTEXT(0));
    size_t subtree = der_open(w, DER_SEQUENCE);

    put_domain(w, c);
    der_close(w, subtree);
    for (size_t i = 0; i < c->range_count; i++)
        put_range(w, &c->ranges[i]);
    der_close(w, permitted);
    der_close(w, opened);
    close_extension(w, e);
}

static void put_alt_name(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, subject_alt_name, false);
    size_t opened = der_open(w, DER_SEQUENCE);

    put_domain(w, c);
    for (size_t i = 0; i < c->address_count; i++)
        der_put(w, DER_IMPLICIT(SAN_IP), c->addresses[i].ip, IP_LEN(&c->addresses[i]));
    der_close(w, opened);
    close_extension(w, e);
}

static void put_rights(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, member_rights, false);

    cert_rights_put(c, w);
    close_extension(w, e);
}

static void put_slices(struct writer *w, const struct cert *c)
{
    struct extension e = open_extension(w, issuer_rights, false);

    cert_slices_put(c, w);
    close_extension(w, e);
}

static void put_extensions(struct writer *w, const struct cert *c)
{
    size_t tagged = der_open(w, DER_CONTEXT(3)), list = der_open(w, DER_SEQUENCE);

    if (c->kind != CERT_MEMBER)
        put_basic_constraints(w, c);
    put_key_usage(w, c);
    put_key_ids(w, c);
    if (c->kind != CERT_MEMBER)
        put_name_constraints(w, c);
    if (c->kind == CERT_ISSUER)
        put_slices(w, c);
    if (c->kind == CERT_MEMBER) {
        put_alt_name(w, c);
        put_rights(w, c);
    }
    der_close(w, list);
    der_close(w, tagged);
}

void cert_tbs_put(const struct cert *c, struct writer *w)
{
    char issuer[ID_TEXT_MAX], self[ID_TEXT_MAX];
    size_t whole = der_open(w, DER_SEQUENCE), version = der_open(w, DER_CONTEXT(0));

    der_put_uint(w, VERSION_3);
    der_close(w, version);
    der_put(w, DER_INTEGER, c->serial, sizeof(c->serial));
    cert_tbs_put_algorithm(w);
    put_name(w, c, id_format(&c->issuer, issuer));
    put_validity(w, c);
    put_name(w, c, c->kind == CERT_MEMBER ? c->name : id_format(&c->id, self));
    writer_put(w, c->spki, sizeof(c->spki));
    put_extensions(w, c);
    der_close(w, whole);
}

/* One of the attributes of a name. Longer than a label: left empty, which is none. */
static void take_attribute(struct reader *name, char out[CERT_LABEL_MAX])
{
    struct reader set = der_take(name, DER_SET), pair = der_take(&set, DER_SEQUENCE), value;
    size_t len;

    der_take(&pair, DER_OID);
    value = der_take(&pair, DER_UTF8_STRING);
    len = reader_left(&value);
    memset(out, 0, CERT_LABEL_MAX);
    if (len < CERT_LABEL_MAX)
        reader_copy(&value, out, len);
}

static struct reader take_extension(struct reader *list, struct slice type)
{
    struct reader e = der_take(list, DER_SEQUENCE), oid = der_take(&e, DER_OID);

    if (reader_left(&oid) != type.len || memcmp(oid.at, type.data, type.len) != 0)
        return (struct reader){.bad = true};
    if (der_next_is(&e, DER_BOOLEAN))
        der_take(&e, DER_BOOLEAN);
    return der_take(&e, DER_OCTET_STRING);
}

static bool take_ip(struct reader *bytes, size_t len, struct addr *out)
{
    *out = (struct addr){.family = len == 4 ? 4 : 6};
    reader_copy(bytes, out->ip, len == 4 ? 4 : 16);
    return (len == 4 || len == 16) && !bytes->bad;
}

/* Zero bits in a mask that are followed by others are found by writing it again. */
static bool take_range(struct reader *list, struct addr_prefix *out)
{
    struct reader subtree = der_take(list, DER_SEQUENCE), ip = der_take(&subtree, DER_IMPLICIT(SAN_IP));

    if (!take_ip(&ip, reader_left(&ip) / 2, &out->addr))
        return false;
    while (reader_left(&ip) > 0)
        out->bits = (uint8_t)(out->bits + __builtin_popcount(reader_u8(&ip)));
    return true;
}

static bool take_name_constraints(struct reader *extensions, struct cert *out)
{
    struct reader value = take_extension(extensions, name_constraints), list = der_take(&value, DER_SEQUENCE);

    list = der_take(&list, DER_CONTEXT(0));
    der_take(&list, DER_SEQUENCE); /* the domain */
    while (reader_left(&list) > 0)
        if (out->range_count == CERT_RANGES_MAX || !take_range(&list, &out->ranges[out->range_count++]))
            return false;
    return true;
}

static bool take_alt_name(struct reader *extensions, struct cert *out)
{
    struct reader value = take_extension(extensions, subject_alt_name), list = der_take(&value, DER_SEQUENCE);

    der_take(&list, DER_IMPLICIT(SAN_DNS));
    while (reader_left(&list) > 0) {
        struct reader ip = der_take(&list, DER_IMPLICIT(SAN_IP));
        if (out->address_count == CERT_ADDRESSES_MAX ||
            !take_ip(&ip, reader_left(&ip), &out->addresses[out->address_count++]))
            return false;
    }
    return true;
}

/* A member's certificate has no basic constraints (RFC 5280 §4.2.1.9). */
static bool take_kind(struct reader *extensions, struct cert *out)
{
    struct reader before = *extensions, value = take_extension(extensions, basic_constraints);

    out->kind = CERT_MEMBER;
    if (value.bad) {
        *extensions = before;
        return true;
    }
    value = der_take(&value, DER_SEQUENCE);
    der_take(&value, DER_BOOLEAN);
    out->kind = der_take_uint(&value) == CA_PATHLEN ? CERT_CA : CERT_ISSUER;
    return !value.bad;
}

static bool take_extensions(struct reader list, struct cert *out)
{
    struct reader value;

    if (!take_kind(&list, out))
        return false;
    take_extension(&list, key_usage);
    take_extension(&list, subject_key_id);
    value = take_extension(&list, authority_key_id);
    value = der_take(&value, DER_SEQUENCE);
    value = der_take(&value, DER_IMPLICIT(0));
    reader_copy(&value, out->issuer.bytes, ID_LEN);
    if (out->kind == CERT_CA)
        return take_name_constraints(&list, out);
    if (out->kind == CERT_ISSUER)
        return take_name_constraints(&list, out) &&
               cert_slices_take(take_extension(&list, issuer_rights), out);
    return take_alt_name(&list, out) && cert_rights_take(take_extension(&list, member_rights), out);
}

bool cert_tbs_take(const uint8_t *der, size_t len, struct cert *out)
{
    struct reader whole = reader_init(der, len), body = der_take(&whole, DER_SEQUENCE), part;

    der_take(&body, DER_CONTEXT(0));
    part = der_take(&body, DER_INTEGER);
    reader_copy(&part, out->serial, sizeof(out->serial));
    der_take(&body, DER_SEQUENCE); /* the algorithm */
    der_take(&body, DER_SEQUENCE); /* the issuer's name: the same network, and the id that an extension has */
    part = der_take(&body, DER_SEQUENCE);
    out->not_before = der_take_time(&part);
    out->not_after = der_take_time(&part);
    part = der_take(&body, DER_SEQUENCE);
    take_attribute(&part, out->network);
    take_attribute(&part, out->name);
    reader_copy(&body, out->spki, sizeof(out->spki));
    part = der_take(&body, DER_CONTEXT(3));
    if (!take_extensions(der_take(&part, DER_SEQUENCE), out))
        return false;
    if (out->kind != CERT_MEMBER)
        memset(out->name, 0, sizeof(out->name));
    return true;
}
