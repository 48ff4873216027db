/* SPDX-License-Identifier: Apache-2.0 */
/* One question in, the records that answer it out. Names in an answer point back into its question (RFC 1035 §4.1.4): so it
 * keeps the letters as they were asked for, by which some resolvers tell a forged answer. */

#include "proto/names/dns.h"

#include "base/bytes.h"
#include <stdio.h>

#define HEADER_LEN   12
#define NAME_LEN_MAX 255 /* RFC 1035 §2.3.4 */
#define LABELS_MAX   127
#define POINTER      0xc000
#define OPT_PAYLOAD  1232 /* bytes that we take: what fits the smallest IPv6 path */

enum {
    FLAG_RESPONSE = 0x8000,
    FLAG_AUTHORITATIVE = 0x0400,
    FLAG_RECURSION_DESIRED = 0x0100,
    FLAGS_OPCODE = 0x7800,
};

enum rcode {
    RCODE_OK = 0,
    RCODE_FORMAT = 1,
    RCODE_NO_NAME = 3,
    RCODE_NOT_IMPLEMENTED = 4,
    RCODE_REFUSED = 5,
    RCODE_VERSION = 16, /* RFC 6891 §6.1.3 */
};

enum { TYPE_A = 1, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_ANY = 255 };
enum { CLASS_IN = 1, CLASS_ANY = 255 };

struct query {
    uint16_t id, flags, questions, additional;
    const uint8_t *name;    /* uncompressed */
    size_t len;             /* of the name, its type and class */
    unsigned labels;        /* without the root */
    uint8_t at[LABELS_MAX]; /* where in the name each begins, at its length */
    uint16_t type, class;
    bool extended;   /* it has an OPT record … */
    uint8_t version; /* … of this version */
};

struct answer {
    struct writer w;
    uint16_t records, authorities;
    enum rcode rcode;
};

/* ---- reading ---- */

static bool read_name(struct reader *r, struct query *q)
{
    q->name = r->at;
    for (uint8_t len; (len = reader_u8(r)) != 0;) {
        size_t at = (size_t)(r->at - 1 - q->name);
        if (r->bad || len >= DNS_LABEL_MAX || at + 1 + len >= NAME_LEN_MAX)
            return false;
        q->at[q->labels++] = (uint8_t)at;
        (void)!reader_take(r, len);
    }
    return !r->bad;
}

static bool read_question(struct reader *r, struct query *q)
{
    if (q->questions != 1 || !read_name(r, q))
        return false;
    q->type = reader_u16(r);
    q->class = reader_u16(r);
    q->len = (size_t)(r->at - q->name);
    return !r->bad;
}

/* RFC 6891 §6.1.2. Other records that somebody adds to a question mean nothing to us. */
static void read_extension(struct reader *r, struct query *q)
{
    if (!q->additional || reader_u8(r) != 0 || reader_u16(r) != TYPE_OPT)
        return;
    (void)reader_u16(r); /* what the asker takes: ours always fits */
    (void)reader_u8(r);
    q->version = reader_u8(r);
    q->extended = !r->bad;
}

static bool is_label(const struct query *q, unsigned i, const char *text)
{
    const uint8_t *label = q->name + q->at[i];
    if (label[0] != strlen(text))
        return false;
    for (unsigned k = 0; k < label[0]; k++) {
        uint8_t c = label[1 + k];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)text[k])
            return false;
    }
    return true;
}

static bool ends_in(const struct query *q, const char *last_but_one, const char *last)
{
    return q->labels >= 2 && is_label(q, q->labels - 1, last) && is_label(q, q->labels - 2, last_but_one);
}

/* False for one that no member can have. */
static bool read_label(const struct query *q, unsigned i, char out[DNS_LABEL_MAX])
{
    const uint8_t *label = q->name + q->at[i];
    memset(out, 0, DNS_LABEL_MAX);
    for (unsigned k = 0; k < label[0]; k++) {
        uint8_t c = label[1 + k];
        out[k] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return strlen(out) == label[0];
}

/* A number that is written in one way alone. */
static bool read_octet(const struct query *q, unsigned i, uint8_t *out)
{
    const uint8_t *label = q->name + q->at[i];
    unsigned value = 0;
    if (label[0] > 3 || (label[1] == '0' && label[0] > 1))
        return false;
    for (unsigned k = 0; k < label[0]; k++) {
        if (label[1 + k] < '0' || label[1 + k] > '9')
            return false;
        value = 10 * value + label[1 + k] - '0';
    }
    *out = (uint8_t)value;
    return value <= UINT8_MAX;
}

static bool read_nibble(const struct query *q, unsigned i, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    char label[DNS_LABEL_MAX];
    const char *digit = read_label(q, i, label) && label[0] && !label[1] ? strchr(digits, label[0]) : NULL;
    *out = digit ? (uint8_t)(digit - digits) : 0;
    return digit != NULL;
}

/* RFC 1035 §3.5, RFC 3596 §2.5: the address backwards. */
static bool read_reverse(const struct query *q, struct addr *out)
{
    bool ok = true;
    *out = (struct addr){0};
    if (q->labels == 6 && ends_in(q, "in-addr", "arpa")) {
        out->family = 4;
        for (unsigned i = 0; ok && i < 4; i++)
            ok = read_octet(q, i, &out->ip[3 - i]);
        return ok;
    }
    if (q->labels != 34 || !ends_in(q, "ip6", "arpa"))
        return false;
    out->family = 6;
    for (unsigned i = 0; ok && i < 16; i++) {
        uint8_t low, high;
        ok = read_nibble(q, 2 * i, &low) && read_nibble(q, 2 * i + 1, &high);
        out->ip[15 - i] = (uint8_t)(high << 4 | low);
    }
    return ok;
}

/* ---- answering ---- */

static void put_head(struct answer *a, unsigned name_at, uint16_t type, uint32_t ttl_s, size_t len)
{
    writer_u16(&a->w, (uint16_t)(POINTER | (HEADER_LEN + name_at)));
    writer_u16(&a->w, type);
    writer_u16(&a->w, CLASS_IN);
    writer_u32(&a->w, ttl_s);
    writer_u16(&a->w, (uint16_t)len);
}

static void put_label(struct answer *a, const char *label)
{
    writer_u8(&a->w, (uint8_t)strlen(label));
    writer_put(&a->w, label, strlen(label));
}

/* Where the zone's own name begins in a question that ends in it. */
static unsigned zone_at(const struct query *q)
{
    return q->at[q->labels - 2];
}

/* RFC 1035 §3.3.13: the zone's name stands for its server and its master. */
static void put_authority(struct answer *a, const struct query *q)
{
    const uint16_t zone = (uint16_t)(POINTER | (HEADER_LEN + zone_at(q)));
    put_head(a, zone_at(q), TYPE_SOA, DNS_ABSENT_TTL_S, 2 * sizeof(zone) + 5 * sizeof(uint32_t));
    writer_u16(&a->w, zone);
    writer_u16(&a->w, zone);
    writer_u32(&a->w, 1); /* serial, refresh, retry, expire: nobody copies this zone */
    writer_u32(&a->w, DNS_TTL_S);
    writer_u32(&a->w, DNS_TTL_S);
    writer_u32(&a->w, DNS_TTL_S);
    writer_u32(&a->w, DNS_ABSENT_TTL_S); /* RFC 2308 §4 */
}

static void put_addresses(struct answer *a, const struct query *q, const struct addr *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const uint16_t type = list[i].family == 4 ? TYPE_A : TYPE_AAAA;
        const size_t len = list[i].family == 4 ? 4 : 16;
        if (q->type != type && q->type != TYPE_ANY)
            continue;
        put_head(a, 0, type, DNS_TTL_S, len);
        writer_put(&a->w, list[i].ip, len);
        a->records++;
    }
}

static void answer_name(const struct dns_zone *zone, const struct query *q, struct answer *a)
{
    struct addr list[DNS_ADDRESSES_MAX];
    char name[DNS_LABEL_MAX];
    int count = 0;
    if (q->labels > 2)
        count = q->labels == 3 && read_label(q, 0, name) ? zone->addresses(zone->context, name, list) : -1;
    if (count < 0)
        a->rcode = RCODE_NO_NAME;
    else
        put_addresses(a, q, list, (unsigned)count);
    if (a->records)
        return;
    put_authority(a, q);
    if (q->labels == 2 && q->type == TYPE_SOA)
        a->records++;
    else
        a->authorities++;
}

static void answer_reverse(const struct dns_zone *zone, const struct query *q, const struct addr *of,
                           struct answer *a)
{
    static const char top[] = "internal";
    char name[DNS_LABEL_MAX];
    int err = zone->name(zone->context, of, name);
    if (err) {
        a->rcode = err == ERR_NOT_FOUND ? RCODE_NO_NAME : RCODE_REFUSED;
        return;
    }
    if (q->type != TYPE_PTR && q->type != TYPE_ANY)
        return;
    put_head(a, 0, TYPE_PTR, DNS_TTL_S, strlen(name) + strlen(zone->network) + sizeof(top) + 3);
    put_label(a, name);
    put_label(a, zone->network);
    put_label(a, top);
    writer_u8(&a->w, 0);
    a->records++;
}

static void answer_question(const struct dns_zone *zone, const struct query *q, struct answer *a)
{
    struct addr of;
    if (q->class != CLASS_IN && q->class != CLASS_ANY)
        a->rcode = RCODE_REFUSED;
    else if (ends_in(q, zone->network, "internal"))
        answer_name(zone, q, a);
    else if (read_reverse(q, &of))
        answer_reverse(zone, q, &of, a);
    else
        a->rcode = RCODE_REFUSED;
}

/* Upper bits of a long code stand in the OPT record (RFC 6891 §6.1.3). */
static void put_extension(struct answer *a)
{
    writer_u8(&a->w, 0);
    writer_u16(&a->w, TYPE_OPT);
    writer_u16(&a->w, OPT_PAYLOAD);
    writer_u8(&a->w, (uint8_t)(a->rcode >> 4));
    writer_u8(&a->w, 0);
    writer_u16(&a->w, 0);
    writer_u16(&a->w, 0);
}

static void put_header(const struct query *q, const struct answer *a, uint8_t *out)
{
    struct writer w = writer_init(out, HEADER_LEN);
    const uint16_t kept = q->flags & (FLAGS_OPCODE | FLAG_RECURSION_DESIRED);
    const bool knows = a->rcode == RCODE_OK || a->rcode == RCODE_NO_NAME;
    writer_u16(&w, q->id);
    writer_u16(&w, (uint16_t)(FLAG_RESPONSE | kept | (knows ? FLAG_AUTHORITATIVE : 0) | (a->rcode & 15)));
    writer_u16(&w, q->len ? 1 : 0);
    writer_u16(&w, a->records);
    writer_u16(&w, a->authorities);
    writer_u16(&w, q->extended);
}

size_t dns_answer(const struct dns_zone *zone, const uint8_t *query, size_t len, uint8_t out[DNS_ANSWER_MAX])
{
    struct reader r = reader_init(query, len);
    struct query q = {.id = reader_u16(&r), 0};
    q.flags = reader_u16(&r);
    q.questions = reader_u16(&r);
    (void)!reader_take(&r, 4);
    q.additional = reader_u16(&r);
    if (r.bad || q.flags & FLAG_RESPONSE)
        return 0;
    struct answer a = {.w = writer_init(out, DNS_ANSWER_MAX)};
    (void)!writer_reserve(&a.w, HEADER_LEN);
    if (q.flags & FLAGS_OPCODE) {
        a.rcode = RCODE_NOT_IMPLEMENTED;
    } else if (!read_question(&r, &q)) {
        a.rcode = RCODE_FORMAT;
    } else {
        read_extension(&r, &q);
        writer_put(&a.w, q.name, q.len);
        if (q.version)
            a.rcode = RCODE_VERSION;
        else
            answer_question(zone, &q, &a);
    }
    if (q.extended)
        put_extension(&a);
    put_header(&q, &a, out);
    return a.w.bad ? 0 : writer_len(&a.w);
}

bool dns_reverse_zone(const struct addr_prefix *subnet, char out[DNS_REVERSE_MAX])
{
    const bool v4 = subnet->addr.family == 4;
    const unsigned step = v4 ? 8 : 4;
    size_t len = 0;
    if (subnet->bits == 0 || subnet->bits % step)
        return false;
    for (unsigned i = subnet->bits / step; i-- > 0;) {
        uint8_t byte = subnet->addr.ip[i * step / 8];
        len +=
            (size_t)(v4 ? snprintf(out + len, DNS_REVERSE_MAX - len, "%u.", byte)
                        : snprintf(out + len, DNS_REVERSE_MAX - len, "%x.", i % 2 ? byte & 15 : byte >> 4));
    }
    snprintf(out + len, DNS_REVERSE_MAX - len, v4 ? "in-addr.arpa" : "ip6.arpa");
    return true;
}
