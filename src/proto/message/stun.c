/* SPDX-License-Identifier: Apache-2.0 */
/* STUN Binding without authentication (RFC 8489). Pure; any thread. docs/PROTOCOL.md §10. */

#include "proto/message/stun.h"

#include "base/bytes.h"
#include "crypto/secret.h"

#define MAGIC_COOKIE 0x2112a442u
#define PADDING      3 /* attributes end at multiples of four */

enum stun_type { TYPE_BINDING_REQUEST = 0x0001, TYPE_BINDING_SUCCESS = 0x0101 };

enum stun_attribute {
    ATTRIBUTE_MAPPED_ADDRESS = 0x0001,
    ATTRIBUTE_SOURCE_ADDRESS = 0x0004,  /* RFC 3489 */
    ATTRIBUTE_CHANGED_ADDRESS = 0x0005, /* RFC 3489 */
    ATTRIBUTE_MESSAGE_INTEGRITY = 0x0008,
    ATTRIBUTE_MESSAGE_INTEGRITY_SHA256 = 0x001c,
    ATTRIBUTE_XOR_MAPPED_ADDRESS = 0x0020,
    ATTRIBUTE_CHANGE_REQUEST = 0x0003, /* RFC 5780 */
    ATTRIBUTE_FINGERPRINT = 0x8028,
    ATTRIBUTE_OTHER_ADDRESS = 0x802c, /* RFC 5780 */
    ATTRIBUTE_FILLING = 0xfffe,       /* nobody's */
};
#define ATTRIBUTE_OPTIONAL 0x8000 /* comprehension-optional: from here on */

#define FINGERPRINT_XOR 0x5354554eu
#define FINGERPRINT_LEN 4
#define ATTRIBUTE_LEN   4 /* type and length */

#define HEADER_LEN 20

#define FAMILY_IPV4 1
#define FAMILY_IPV6 2
#define ADDR4_LEN   4
#define ADDR6_LEN   16

/* CRC-32 of ISO 3309, four bits at a time: the remainders of the sixteen nibbles. */
static uint32_t crc32(const uint8_t *data, size_t len)
{
    static const uint32_t remainder[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ remainder[crc & 15];
        crc = crc >> 4 ^ remainder[crc & 15];
    }
    return ~crc;
}

static void put_header(struct writer *w, enum stun_type type, size_t body, const uint8_t *transaction)
{
    writer_u16(w, (uint16_t)type);
    writer_u16(w, (uint16_t)body);
    writer_u32(w, MAGIC_COOKIE);
    writer_put(w, transaction, STUN_TRANSACTION_LEN);
}

/* RFC 8489 §14.7: over everything in front of it, with its own length counted in the header already. */
static void put_fingerprint(struct writer *w)
{
    uint32_t value = crc32(w->begin, writer_len(w)) ^ FINGERPRINT_XOR;
    writer_u16(w, ATTRIBUTE_FINGERPRINT);
    writer_u16(w, FINGERPRINT_LEN);
    writer_u32(w, value);
}

static void put_change(struct writer *w, unsigned change)
{
    writer_u16(w, ATTRIBUTE_CHANGE_REQUEST);
    writer_u16(w, sizeof(uint32_t));
    writer_u32(w, change);
}

static void put_filling(struct writer *w, size_t len)
{
    static const uint8_t zeros[STUN_REQUEST_MAX];
    writer_u16(w, ATTRIBUTE_FILLING);
    writer_u16(w, (uint16_t)(len - ATTRIBUTE_LEN));
    writer_put(w, zeros, len - ATTRIBUTE_LEN);
}

size_t stun_question_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], unsigned change, size_t size,
                            uint8_t out[STUN_REQUEST_MAX])
{
    struct writer w = writer_init(out, STUN_REQUEST_MAX);
    size_t changes = change ? ATTRIBUTE_LEN + sizeof(uint32_t) : 0;
    size_t least = HEADER_LEN + changes + ATTRIBUTE_LEN + FINGERPRINT_LEN;
    size_t filling = size >= least + ATTRIBUTE_LEN ? size - least : 0;
    put_header(&w, TYPE_BINDING_REQUEST, least + filling - HEADER_LEN, transaction);
    if (change)
        put_change(&w, change);
    if (filling)
        put_filling(&w, filling);
    put_fingerprint(&w);
    return writer_len(&w);
}

size_t stun_request_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], uint8_t out[STUN_MESSAGE_MAX])
{
    uint8_t whole[STUN_REQUEST_MAX];
    size_t len = stun_question_encode(transaction, 0, 0, whole);
    memcpy(out, whole, len);
    return len;
}

/* RFC 8489 §14.2: the address is hidden from NATs that rewrite what looks like one, by the cookie and the
 * transaction behind it. */
static void mask_address(uint8_t *ip, size_t len, const uint8_t transaction[STUN_TRANSACTION_LEN])
{
    uint8_t mask[ADDR6_LEN];
    struct writer w = writer_init(mask, sizeof(mask));
    writer_u32(&w, MAGIC_COOKIE);
    writer_put(&w, transaction, STUN_TRANSACTION_LEN);
    for (size_t i = 0; i < len; i++)
        ip[i] ^= mask[i];
}

size_t stun_response_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], const struct addr *mapped,
                            uint8_t out[STUN_MESSAGE_MAX])
{
    struct writer w = writer_init(out, STUN_MESSAGE_MAX);
    size_t ip_len = mapped->family == 4 ? ADDR4_LEN : ADDR6_LEN;
    uint8_t ip[ADDR6_LEN];
    memcpy(ip, mapped->ip, sizeof(ip));
    mask_address(ip, ip_len, transaction);
    put_header(&w, TYPE_BINDING_SUCCESS, 2 * ATTRIBUTE_LEN + 4 + ip_len + FINGERPRINT_LEN, transaction);
    writer_u16(&w, ATTRIBUTE_XOR_MAPPED_ADDRESS);
    writer_u16(&w, (uint16_t)(4 + ip_len));
    writer_u8(&w, 0);
    writer_u8(&w, mapped->family == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
    writer_u16(&w, mapped->port ^ (uint16_t)(MAGIC_COOKIE >> 16));
    writer_put(&w, ip, ip_len);
    put_fingerprint(&w);
    return writer_len(&w);
}

/* The header; r is then the attributes. */
static int take_header(struct reader *r, enum stun_type type, uint8_t transaction[STUN_TRANSACTION_LEN])
{
    uint16_t got = reader_u16(r), body = reader_u16(r);
    uint32_t cookie = reader_u32(r);
    reader_copy(r, transaction, STUN_TRANSACTION_LEN);
    if (r->bad || got != type || cookie != MAGIC_COOKIE || body != reader_left(r))
        return ERR_FORMAT;
    return 0;
}

struct attribute {
    uint16_t type;
    struct slice value;
};

static bool take_attribute(struct reader *r, struct attribute *out)
{
    out->type = reader_u16(r);
    out->value.len = reader_u16(r);
    out->value.data = reader_take(r, out->value.len);
    reader_take(r, -out->value.len & PADDING);
    return !r->bad;
}

/* The last attribute, and the checksum of what is in front of it. */
static bool fingerprint_ok(const uint8_t *message, const struct reader *r, const struct attribute *a)
{
    if (a->value.len != FINGERPRINT_LEN || reader_left(r))
        return false;
    struct reader value = reader_init(a->value.data, a->value.len);
    size_t before = (size_t)(a->value.data - ATTRIBUTE_LEN - message);
    return reader_u32(&value) == (crc32(message, before) ^ FINGERPRINT_XOR);
}

int stun_request_decode(const uint8_t *data, size_t len, uint8_t transaction[STUN_TRANSACTION_LEN])
{
    struct reader r = reader_init(data, len);
    int err = take_header(&r, TYPE_BINDING_REQUEST, transaction);
    bool supported = true;
    while (!err && reader_left(&r)) {
        struct attribute a;
        if (!take_attribute(&r, &a))
            err = ERR_FORMAT;
        else if (a.type == ATTRIBUTE_FINGERPRINT && !fingerprint_ok(data, &r, &a))
            err = ERR_FORMAT;
        else if (a.type < ATTRIBUTE_OPTIONAL)
            supported = false;
    }
    if (!err && !supported)
        err = ERR_UNSUPPORTED;
    if (err)
        memset(transaction, 0, STUN_TRANSACTION_LEN);
    return err;
}

static int take_mapped(struct slice value, const uint8_t transaction[STUN_TRANSACTION_LEN], struct addr *out)
{
    static const uint8_t v4mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct reader r = reader_init(value.data, value.len);
    reader_u8(&r);
    uint8_t family = reader_u8(&r);
    *out = (struct addr){.port = reader_u16(&r) ^ (uint16_t)(MAGIC_COOKIE >> 16)};
    size_t ip_len = family == FAMILY_IPV4 ? ADDR4_LEN : ADDR6_LEN;
    reader_copy(&r, out->ip, ip_len);
    if (r.bad || reader_left(&r) || (family != FAMILY_IPV4 && family != FAMILY_IPV6))
        return ERR_FORMAT;
    mask_address(out->ip, ip_len, transaction);
    out->family = family == FAMILY_IPV4 ? 4 : 6;
    /* A dual-stack server may show an IPv4 client as IPv6. */
    if (out->family == 6 && memcmp(out->ip, v4mapped, sizeof(v4mapped)) == 0) {
        memmove(out->ip, out->ip + sizeof(v4mapped), ADDR4_LEN);
        memset(out->ip + ADDR4_LEN, 0, sizeof(out->ip) - ADDR4_LEN);
        out->family = 4;
    }
    return 0;
}

/* An address that is not hidden. */
static struct addr take_plain(struct slice value)
{
    struct reader r = reader_init(value.data, value.len);
    reader_u8(&r);
    uint8_t family = reader_u8(&r);
    struct addr a = {.family = family == FAMILY_IPV4 ? 4 : 6, .port = reader_u16(&r)};
    reader_copy(&r, a.ip, family == FAMILY_IPV4 ? ADDR4_LEN : ADDR6_LEN);
    bool ok = !r.bad && !reader_left(&r) && (family == FAMILY_IPV4 || family == FAMILY_IPV6);
    return ok ? a : (struct addr){0};
}

struct addr stun_response_other(const uint8_t *data, size_t len)
{
    struct reader r = reader_init(data, len);
    struct attribute a;
    reader_take(&r, HEADER_LEN);
    while (!r.bad && reader_left(&r) && take_attribute(&r, &a))
        if (a.type == ATTRIBUTE_OTHER_ADDRESS)
            return take_plain(a.value);
    return (struct addr){0};
}

/* Attributes that a success response may carry and that tell us nothing. */
static bool is_understood(uint16_t type)
{
    switch (type) {
    case ATTRIBUTE_MAPPED_ADDRESS:
    case ATTRIBUTE_SOURCE_ADDRESS:
    case ATTRIBUTE_CHANGED_ADDRESS:
    case ATTRIBUTE_MESSAGE_INTEGRITY:
    case ATTRIBUTE_MESSAGE_INTEGRITY_SHA256:
        return true;
    }
    return type >= ATTRIBUTE_OPTIONAL;
}

static int take_response(const uint8_t *data, struct reader *r, const uint8_t *transaction,
                         struct addr *mapped)
{
    bool supported = true;
    while (reader_left(r)) {
        struct attribute a;
        if (!take_attribute(r, &a))
            return ERR_FORMAT;
        if (a.type == ATTRIBUTE_FINGERPRINT && !fingerprint_ok(data, r, &a))
            return ERR_FORMAT;
        if (a.type == ATTRIBUTE_XOR_MAPPED_ADDRESS) {
            struct addr found;
            int err = take_mapped(a.value, transaction, &found);
            if (err)
                return err;
            /* Of several the first counts (RFC 8489 §14). */
            if (mapped->family == 0)
                *mapped = found;
        } else if (!is_understood(a.type)) {
            supported = false;
        }
    }
    if (!supported)
        return ERR_UNSUPPORTED;
    return mapped->family ? 0 : ERR_FORMAT;
}

bool stun_looks_like_response(const uint8_t *data, size_t len)
{
    struct reader r = reader_init(data, len);
    uint16_t type = reader_u16(&r);
    reader_u16(&r);
    uint32_t cookie = reader_u32(&r);
    return !r.bad && len <= STUN_RESPONSE_MAX && type == TYPE_BINDING_SUCCESS && cookie == MAGIC_COOKIE;
}

int stun_response_decode(const uint8_t *data, size_t len, const uint8_t transaction[STUN_TRANSACTION_LEN],
                         struct addr *mapped)
{
    struct reader r = reader_init(data, len);
    uint8_t got[STUN_TRANSACTION_LEN];
    *mapped = (struct addr){0};
    int err = take_header(&r, TYPE_BINDING_SUCCESS, got);
    if (!err && !secret_equal(got, transaction, sizeof(got)))
        err = ERR_MISMATCH;
    if (!err)
        err = take_response(data, &r, transaction, mapped);
    if (err)
        *mapped = (struct addr){0};
    return err;
}
