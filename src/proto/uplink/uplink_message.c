/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding and decoding of what passes on an uplink: one table of the fields that each kind has. docs/PROTOCOL.md §15. */

#include "proto/uplink/uplink_message.h"

#define LAST_KIND UPLINK_RELAYED
#define ECN_MAX   3

enum field {
    CHALLENGE = 1 << 0,
    PROOF = 1 << 1, /* host, key and signature */
    TERMS = 1 << 2, /* observed address, streams, pairs, and credit of a stream */
    STREAM = 1 << 3,
    ID = 1 << 4,
    CREDIT = 1 << 5,
    CODE = 1 << 6,
    ON = 1 << 7,
    BATCH = 1 << 8, /* ecn, segment, datagrams */
    WAIT = 1 << 9,
    DATA = 1 << 10,
    GRANT = 1 << 11, /* of a relay: port, channel, token */
    FROM_NODE = 1 << 12,
    FROM_BACKBONE = 1 << 13,
    FROM_BOTH = FROM_NODE | FROM_BACKBONE,
};

static const uint16_t fields_of[] = {
    [UPLINK_CHALLENGE] = FROM_BACKBONE | CHALLENGE,
    [UPLINK_PROVE] = FROM_NODE | PROOF,
    [UPLINK_WELCOME] = FROM_BACKBONE | TERMS,
    [UPLINK_OPEN] = FROM_BOTH | STREAM | ID,
    [UPLINK_DATA] = FROM_BOTH | STREAM | DATA,
    [UPLINK_CREDIT] = FROM_BOTH | STREAM | CREDIT,
    [UPLINK_CLOSE] = FROM_BOTH | STREAM | CODE,
    [UPLINK_PAIR] = FROM_NODE | ID | ON,
    [UPLINK_PAIRED] = FROM_BACKBONE | ID | ON,
    [UPLINK_DATAGRAMS] = FROM_BOTH | ID | BATCH,
    [UPLINK_RESTARTING] = FROM_BACKBONE | WAIT,
    [UPLINK_LIMITED] = FROM_BACKBONE | CODE,
    [UPLINK_RELAY] = FROM_NODE | ID,
    [UPLINK_RELAYED] = FROM_BACKBONE | ID | GRANT,
};

bool uplink_host_ok(struct slice host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]%";
    for (size_t i = 0; i < host.len; i++)
        if (!memchr(allowed, host.data[i], sizeof(allowed) - 1))
            return false;
    return host.len > 0 && host.len <= UPLINK_HOST_MAX;
}

static bool batch_ok(const struct uplink_message *m)
{
    return m->ecn <= ECN_MAX && m->segment > 0 && m->data.len > 0 && m->data.len <= UPLINK_BATCH_MAX &&
           m->data.len <= (size_t)m->segment * UPLINK_BATCH_DATAGRAMS;
}

/* Of IPv6 an address that holds an IPv4 one is written as that; behind an IPv4 address are zeros. */
static bool observed_ok(const struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff}, zeros[12] = {0};
    return (a->family == 4 && memcmp(a->ip + 4, zeros, sizeof(zeros)) == 0) ||
           (a->family == 6 && memcmp(a->ip, mapped, sizeof(mapped)) != 0);
}

static bool values_ok(const struct uplink_message *m, unsigned fields)
{
    if ((fields & PROOF) && (!uplink_host_ok(m->host) || m->spki.len != IDENTITY_SPKI_LEN ||
                             m->signature.len != IDENTITY_SIGNATURE_LEN))
        return false;
    if ((fields & CHALLENGE) && m->challenge.len != UPLINK_CHALLENGE_LEN)
        return false;
    if ((fields & TERMS) && !observed_ok(&m->observed))
        return false;
    if ((fields & (TERMS | CREDIT)) && m->credit == 0)
        return false;
    if ((fields & STREAM) && m->stream == 0)
        return false;
    if ((fields & GRANT) && (m->port == 0 || m->channel == 0 || m->token.len != ENVELOPE_TOKEN_LEN))
        return false;
    if ((fields & BATCH) && !batch_ok(m))
        return false;
    return !(fields & DATA) || (m->data.len > 0 && m->data.len <= UPLINK_DATA_MAX);
}

static void put_proof(struct writer *w, const struct uplink_message *m)
{
    writer_u8(w, (uint8_t)m->host.len);
    writer_put(w, m->host.data, m->host.len);
    writer_put(w, m->spki.data, m->spki.len);
    writer_put(w, m->signature.data, m->signature.len);
}

static void put_terms(struct writer *w, const struct uplink_message *m)
{
    writer_u8(w, m->observed.family);
    writer_u16(w, m->observed.port);
    writer_put(w, m->observed.ip, sizeof(m->observed.ip));
    writer_u16(w, m->streams);
    writer_u16(w, m->pairs);
    writer_u32(w, m->credit);
}

static void put_grant(struct writer *w, const struct uplink_message *m)
{
    writer_u16(w, m->port);
    writer_u32(w, m->channel);
    writer_put(w, m->token.data, m->token.len);
}

static void put_fields(struct writer *w, const struct uplink_message *m, unsigned fields)
{
    if (fields & CHALLENGE)
        writer_put(w, m->challenge.data, m->challenge.len);
    if (fields & PROOF)
        put_proof(w, m);
    if (fields & TERMS)
        put_terms(w, m);
    if (fields & STREAM)
        writer_u32(w, m->stream);
    if (fields & ID)
        writer_put(w, m->id.bytes, sizeof(m->id.bytes));
    if (fields & CREDIT)
        writer_u32(w, m->credit);
    if (fields & CODE)
        writer_u8(w, m->code);
    if (fields & ON)
        writer_u8(w, m->on);
    if (fields & BATCH) {
        writer_u8(w, m->ecn);
        writer_u16(w, m->segment);
    }
    if (fields & WAIT)
        writer_u32(w, m->wait_ms);
    if (fields & GRANT)
        put_grant(w, m);
    if (fields & (DATA | BATCH))
        writer_put(w, m->data.data, m->data.len);
}

int uplink_message_encode(const struct uplink_message *m, uint8_t *out, size_t cap, size_t *len)
{
    struct writer w = writer_init(out, cap);
    unsigned fields = fields_of[m->kind];
    if (!values_ok(m, fields))
        return ERR_ARGUMENT;
    writer_u8(&w, (uint8_t)m->kind);
    put_fields(&w, m, fields);
    *len = writer_len(&w);
    return w.bad ? ERR_SPACE : 0;
}

static struct slice take(struct reader *r, size_t len)
{
    const uint8_t *data = reader_take(r, len);
    return (struct slice){data, data ? len : 0};
}

static void take_proof(struct reader *r, struct uplink_message *out)
{
    out->host = take(r, reader_u8(r));
    out->spki = take(r, IDENTITY_SPKI_LEN);
    out->signature = take(r, IDENTITY_SIGNATURE_LEN);
}

static void take_terms(struct reader *r, struct uplink_message *out)
{
    out->observed.family = reader_u8(r);
    out->observed.port = reader_u16(r);
    reader_copy(r, out->observed.ip, sizeof(out->observed.ip));
    out->streams = reader_u16(r);
    out->pairs = reader_u16(r);
    out->credit = reader_u32(r);
}

static bool take_on(struct reader *r)
{
    uint8_t on = reader_u8(r);
    r->bad |= on > 1;
    return on == 1;
}

static void take_grant(struct reader *r, struct uplink_message *out)
{
    out->port = reader_u16(r);
    out->channel = reader_u32(r);
    out->token = take(r, ENVELOPE_TOKEN_LEN);
}

static void take_fields(struct reader *r, struct uplink_message *out, unsigned fields)
{
    if (fields & CHALLENGE)
        out->challenge = take(r, UPLINK_CHALLENGE_LEN);
    if (fields & PROOF)
        take_proof(r, out);
    if (fields & TERMS)
        take_terms(r, out);
    if (fields & STREAM)
        out->stream = reader_u32(r);
    if (fields & ID)
        reader_copy(r, out->id.bytes, sizeof(out->id.bytes));
    if (fields & CREDIT)
        out->credit = reader_u32(r);
    if (fields & CODE)
        out->code = reader_u8(r);
    if (fields & ON)
        out->on = take_on(r);
    if (fields & BATCH) {
        out->ecn = reader_u8(r);
        out->segment = reader_u16(r);
    }
    if (fields & WAIT)
        out->wait_ms = reader_u32(r);
    if (fields & GRANT)
        take_grant(r, out);
    if (fields & (DATA | BATCH))
        out->data = take(r, reader_left(r));
}

int uplink_message_decode(const uint8_t *bytes, size_t len, enum uplink_side from, struct uplink_message *out)
{
    struct reader r = reader_init(bytes, len);
    *out = (struct uplink_message){0};
    uint8_t kind = reader_u8(&r);
    if (r.bad || kind == 0 || len > UPLINK_MESSAGE_MAX)
        return ERR_FORMAT;
    if (kind > LAST_KIND)
        return ERR_UNSUPPORTED;
    unsigned fields = fields_of[kind];
    if (!(fields & (from == UPLINK_NODE ? FROM_NODE : FROM_BACKBONE)))
        return ERR_FORMAT;
    out->kind = (enum uplink_kind)kind;
    take_fields(&r, out, fields);
    return r.bad || reader_left(&r) || !values_ok(out, fields) ? ERR_FORMAT : 0;
}

unsigned uplink_batch_datagrams(const uint8_t head[UPLINK_BATCH_HEAD_LEN], size_t len)
{
    struct reader r = reader_init(head + UPLINK_BATCH_HEAD_LEN - 2, 2);
    uint16_t segment = reader_u16(&r);
    return segment && len ? (unsigned)((len - 1) / segment + 1) : 1;
}

size_t uplink_proof(const uint8_t challenge[UPLINK_CHALLENGE_LEN], struct slice host,
                    uint8_t out[UPLINK_PROOF_MAX])
{
    struct writer w = writer_init(out, UPLINK_PROOF_MAX);
    writer_put(&w, challenge, UPLINK_CHALLENGE_LEN);
    writer_put(&w, host.data, host.len);
    return writer_len(&w);
}
