/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of values, and which of them each message holds. Pure. docs/PROTOCOL.md §7. */

#include "proto/message/message_format.h"

#include "base/cbor.h"
#include "proto/wire/wire.h"
#include <string.h>

/* An overlay address is [address, prefix bits]; later versions may append to it. */
#define ADDRESS_ITEMS     2
#define ADDRESS_ITEMS_MAX 16
/* So is one that is sought: [id, seq]. */
#define SOUGHT_ITEMS     2
#define SOUGHT_ITEMS_MAX 16

/* ---- integers of 1, 2, 4 and 8 bytes ---- */

static uint64_t load(const void *value, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)value;
    case 2:
        return *(const uint16_t *)value;
    case 4:
        return *(const uint32_t *)value;
    default:
        return *(const uint64_t *)value;
    }
}

static void store(void *value, size_t size, uint64_t v)
{
    switch (size) {
    case 1:
        *(uint8_t *)value = (uint8_t)v;
        return;
    case 2:
        *(uint16_t *)value = (uint16_t)v;
        return;
    case 4:
        *(uint32_t *)value = (uint32_t)v;
        return;
    default:
        *(uint64_t *)value = v;
    }
}

static bool empty_uint(const void *value, size_t size)
{
    return load(value, size) == 0;
}

static void put_uint(struct writer *w, const void *value, size_t size)
{
    cbor_put_uint(w, load(value, size));
}

static void take_uint(struct reader *r, void *value, size_t size)
{
    store(value, size, cbor_take_uint(r, UINT64_MAX >> (64 - 8 * size)));
}

static const struct message_kind uint_kind = {empty_uint, put_uint, take_uint};

static void take_lanes(struct reader *r, void *value, size_t size)
{
    (void)size;
    uint8_t *lanes = value;
    *lanes = (uint8_t)cbor_take_uint(r, WIRE_DATA_LANES);
    if (*lanes == 0)
        r->bad = true;
}

static const struct message_kind lanes_kind = {empty_uint, put_uint, take_lanes};

/* ---- text and bytes ---- */

static bool empty_text(const void *value, size_t size)
{
    (void)size;
    return *(const char *)value == '\0';
}

static void put_text(struct writer *w, const void *value, size_t size)
{
    (void)size;
    cbor_put_text(w, value);
}

static void take_text(struct reader *r, void *value, size_t size)
{
    cbor_take_text(r, value, size);
}

static const struct message_kind text_kind = {empty_text, put_text, take_text};

static void put_bytes(struct writer *w, const void *value, size_t size)
{
    cbor_put_bytes(w, value, size);
}

static void take_bytes(struct reader *r, void *value, size_t size)
{
    cbor_take_exact(r, value, size);
}

static const struct message_kind bytes_kind = {NULL, put_bytes, take_bytes};

static bool empty_share(const void *value, size_t size)
{
    (void)size;
    return !((const struct message_share *)value)->present;
}

static void put_share(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct message_share *share = value;
    cbor_put_bytes(w, share->key, sizeof(share->key));
}

static void take_share(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct message_share *share = value;
    cbor_take_exact(r, share->key, sizeof(share->key));
    share->present = true;
}

static const struct message_kind share_kind = {empty_share, put_share, take_share};

/* ---- what needs more of HELLO than one member; value is the whole hello ---- */

static void put_version_max(struct writer *w, const void *value, size_t size)
{
    (void)size;
    cbor_put_uint(w, ((const struct hello *)value)->version_max);
}

static void take_version_max(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct hello *h = value;
    h->version_max = (uint8_t)cbor_take_uint(r, UINT8_MAX);
    if (h->version_max < h->version_min)
        r->bad = true;
}

static const struct message_kind version_max_kind = {NULL, put_version_max, take_version_max};

static bool empty_aeads(const void *value, size_t size)
{
    (void)size;
    return !((const struct hello *)value)->aead_count;
}

static void put_aeads(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct hello *h = value;
    cbor_put_array(w, h->aead_count);
    for (unsigned i = 0; i < h->aead_count; i++)
        cbor_put_uint(w, h->aeads[i]);
}

static void take_aeads(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct hello *h = value;
    h->aead_count = (unsigned)cbor_take_array(r, MESSAGE_AEADS_MAX);
    for (unsigned i = 0; i < h->aead_count; i++)
        h->aeads[i] = (uint8_t)cbor_take_uint(r, UINT8_MAX);
}

static const struct message_kind aeads_kind = {empty_aeads, put_aeads, take_aeads};

static bool empty_addresses(const void *value, size_t size)
{
    (void)size;
    return !((const struct hello *)value)->address_count;
}

static void put_addresses(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct hello *h = value;
    cbor_put_array(w, h->address_count);
    for (unsigned i = 0; i < h->address_count; i++) {
        cbor_put_array(w, ADDRESS_ITEMS);
        candidate_addr_encode(&h->addresses[i].addr, w);
        cbor_put_uint(w, h->addresses[i].bits);
    }
}

static void take_addresses(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct hello *h = value;
    h->address_count = (unsigned)cbor_take_array(r, MESSAGE_ADDRS_MAX);
    for (unsigned i = 0; i < h->address_count && !r->bad; i++) {
        struct addr_prefix *p = &h->addresses[i];
        size_t items = cbor_take_array(r, ADDRESS_ITEMS_MAX);
        if (items < ADDRESS_ITEMS)
            r->bad = true;
        candidate_addr_decode(r, &p->addr);
        p->bits = (uint8_t)cbor_take_uint(r, p->addr.family == 4 ? 32 : 128);
        for (size_t more = ADDRESS_ITEMS; more < items && !r->bad; more++)
            cbor_skip(r);
    }
}

static const struct message_kind addresses_kind = {empty_addresses, put_addresses, take_addresses};

static bool empty_macs(const void *value, size_t size)
{
    (void)size;
    return !((const struct hello *)value)->mac_count;
}

static void put_macs(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct hello *h = value;
    cbor_put_array(w, h->mac_count);
    for (unsigned i = 0; i < h->mac_count; i++)
        cbor_put_bytes(w, h->macs[i], sizeof(h->macs[i]));
}

static void take_macs(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct hello *h = value;
    h->mac_count = (unsigned)cbor_take_array(r, MESSAGE_MACS_MAX);
    for (unsigned i = 0; i < h->mac_count; i++) {
        cbor_take_exact(r, h->macs[i], sizeof(h->macs[i]));
        if (h->macs[i][0] & 1)
            r->bad = true;
    }
}

static const struct message_kind macs_kind = {empty_macs, put_macs, take_macs};

/* ---- candidates ---- */

static bool empty_candidates(const void *value, size_t size)
{
    (void)size;
    return !((const struct message_candidates *)value)->count;
}

static void put_candidates(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct message_candidates *c = value;
    candidates_encode(c->list, c->count, w);
}

static void take_candidates(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct message_candidates *c = value;
    c->count = candidates_decode(r, c->list);
}

static const struct message_kind candidates_kind = {empty_candidates, put_candidates, take_candidates};

/* ---- segments; value is the whole segment ---- */

static bool empty_segment(const void *value, size_t size)
{
    (void)size;
    return !((const struct segment *)value)->len;
}

static void put_segment(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct segment *s = value;
    cbor_put_bytes(w, s->data, s->len);
}

static void take_segment(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct segment *s = value;
    size_t len;
    const uint8_t *data = cbor_take_bytes(r, sizeof(s->data), &len);
    if (len)
        memcpy(s->data, data, len);
    s->len = (uint16_t)len;
}

static const struct message_kind segment_kind = {empty_segment, put_segment, take_segment};

/* ---- records that are sought and passed on, and certificates ---- */

static void put_seek(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct message *m = value;
    cbor_put_array(w, m->seek.count);
    for (unsigned i = 0; i < m->seek.count; i++) {
        const struct message_sought *s = &m->seek.list[i];
        cbor_put_array(w, SOUGHT_ITEMS);
        cbor_put_bytes(w, s->id.bytes, sizeof(s->id.bytes));
        cbor_put_uint(w, s->seq);
    }
}

static void take_seek(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct message *m = value;
    m->seek.count = (unsigned)cbor_take_array(r, MESSAGE_SOUGHT_MAX);
    for (unsigned i = 0; i < m->seek.count && !r->bad; i++) {
        struct message_sought *s = &m->seek.list[i];
        size_t items = cbor_take_array(r, SOUGHT_ITEMS_MAX);
        r->bad |= items < SOUGHT_ITEMS;
        cbor_take_exact(r, s->id.bytes, sizeof(s->id.bytes));
        s->seq = cbor_take_uint(r, UINT64_MAX);
        for (size_t more = SOUGHT_ITEMS; more < items && !r->bad; more++)
            cbor_skip(r);
    }
}

static const struct message_kind seek_kind = {NULL, put_seek, take_seek};

static void put_slice(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct slice *s = value;
    cbor_put_bytes(w, s->data, s->len);
}

static void take_record(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct slice *s = value;
    s->data = cbor_take_bytes(r, MESSAGE_RECORD_MAX, &s->len);
}

static void take_signature(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct slice *s = value;
    s->data = cbor_take_bytes(r, IDENTITY_SIGNATURE_LEN, &s->len);
    r->bad |= s->len != IDENTITY_SIGNATURE_LEN;
}

static void take_certificate(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct slice *s = value;
    s->data = cbor_take_bytes(r, CERT_MAX, &s->len);
}

static void take_key(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct slice *s = value;
    s->data = cbor_take_bytes(r, IDENTITY_SPKI_LEN, &s->len);
    r->bad |= s->len != IDENTITY_SPKI_LEN;
}

static const struct message_kind record_kind = {NULL, put_slice, take_record};
static const struct message_kind signature_kind = {NULL, put_slice, take_signature};
static const struct message_kind certificate_kind = {NULL, put_slice, take_certificate};
static const struct message_kind key_kind = {NULL, put_slice, take_key};

/* ---- the messages ---- */

#define AT(member) offsetof(struct message, member), sizeof(((struct message *)0)->member)
#define REQUIRED   false
#define OPTIONAL   true
#define FIELDS(table)                                                                                        \
    {                                                                                                        \
        table, sizeof(table) / sizeof((table)[0]), true                                                      \
    }

static const struct message_field hello[] = {
    {1, REQUIRED, AT(hello.version_min), &uint_kind},
    {2, REQUIRED, AT(hello), &version_max_kind},
    {3, OPTIONAL, AT(hello.features), &uint_kind},
    {4, OPTIONAL, AT(hello), &aeads_kind},
    {5, REQUIRED, AT(hello.lanes), &lanes_kind},
    {6, REQUIRED, AT(hello.mtu), &uint_kind},
    {7, OPTIONAL, AT(hello.name), &text_kind},
    {8, OPTIONAL, AT(hello), &addresses_kind},
    {9, OPTIONAL, AT(hello), &macs_kind},
    {10, OPTIONAL, AT(hello.candidates), &candidates_kind},
    {11, REQUIRED, AT(hello.receiver_index), &uint_kind},
    {12, REQUIRED, AT(hello.boot), &bytes_kind},
    {13, REQUIRED, AT(hello.generation), &uint_kind},
    {14, OPTIONAL, AT(offer), &share_kind},
};
static const struct message_field ready[] = {{1, OPTIONAL, AT(answer), &share_kind}};
static const struct message_field refuse[] = {
    {1, REQUIRED, AT(refuse.code), &uint_kind},
    {2, OPTIONAL, AT(refuse.text), &text_kind},
};
static const struct message_field candidates[] = {{1, OPTIONAL, AT(candidates), &candidates_kind}};
static const struct message_field bye[] = {
    {1, REQUIRED, AT(bye.code), &uint_kind},
    {2, OPTIONAL, AT(bye.text), &text_kind},
};
static const struct message_field certificate[] = {{1, REQUIRED, AT(certificate), &certificate_kind}};
static const struct message_field issuer_ask[] = {{1, REQUIRED, AT(issuer.id.bytes), &bytes_kind}};
static const struct message_field join_ask[] = {{1, REQUIRED, AT(join_ask.network.bytes), &bytes_kind}};
static const struct message_field join[] = {
    {1, REQUIRED, AT(join.key), &key_kind},
    {2, REQUIRED, AT(join.signature), &signature_kind},
    {3, OPTIONAL, AT(join.name), &text_kind},
};
static const struct message_field ratchet[] = {
    {1, REQUIRED, AT(ratchet.step), &uint_kind},
    {2, REQUIRED, AT(ratchet.receiver_index), &uint_kind},
    {3, REQUIRED, AT(ratchet.key), &bytes_kind},
};
static const struct message_field ratchet_done[] = {{1, REQUIRED, AT(ratchet.step), &uint_kind}};
static const struct message_field segment[] = {
    {1, REQUIRED, AT(segment.stream), &uint_kind},
    {2, OPTIONAL, AT(segment.flags), &uint_kind},
    {3, OPTIONAL, AT(segment.offset), &uint_kind},
    {4, OPTIONAL, AT(segment), &segment_kind},
};
static const struct message_field answered[] = {
    {1, REQUIRED, AT(answered.stream), &uint_kind},
    {2, OPTIONAL, AT(answered.offset), &uint_kind},
    {3, OPTIONAL, AT(answered.received), &uint_kind},
};
static const struct message_field reset[] = {{1, REQUIRED, AT(reset.stream), &uint_kind}};
static const struct message_field relay_seek[] = {{1, REQUIRED, AT(relay.id.bytes), &bytes_kind}};
static const struct message_field relay_found[] = {
    {1, REQUIRED, AT(relay.id.bytes), &bytes_kind},
    {2, OPTIONAL, AT(relay.rtt_us), &uint_kind},
};
static const struct message_field relay_ask[] = {
    {1, REQUIRED, AT(relay.id.bytes), &bytes_kind},
    {2, OPTIONAL, AT(relay.end), &uint_kind},
};
static const struct message_field relay_channel[] = {
    {1, REQUIRED, AT(relay.id.bytes), &bytes_kind},
    {2, REQUIRED, AT(relay.channel), &uint_kind},
    {3, REQUIRED, AT(relay.token), &bytes_kind},
};
static const struct message_field seek[] = {{1, REQUIRED, 0, sizeof(struct message), &seek_kind}};
static const struct message_field record[] = {
    {1, REQUIRED, AT(record.data), &record_kind},
    {2, REQUIRED, AT(record.signature), &signature_kind},
};

static const struct message_field punch[] = {
    {1, REQUIRED, AT(punch.round), &uint_kind},
    {2, OPTIONAL, AT(punch.answer), &uint_kind},
    {3, OPTIONAL, AT(punch.candidates), &candidates_kind},
    {4, OPTIONAL, AT(punch.ports), &uint_kind},
    {5, OPTIONAL, AT(punch.first), &uint_kind},
    {6, OPTIONAL, AT(punch.count), &uint_kind},
};
static const struct message_field birthday[] = {
    {1, REQUIRED, AT(birthday.number), &uint_kind},
    {2, REQUIRED, AT(birthday.word), &uint_kind},
};
static const struct message_field lists[] = {{1, REQUIRED, 0, sizeof(struct message), &message_lists_kind}};
static const struct message_field list_ask[] = {
    {1, REQUIRED, AT(part.kind), &uint_kind},
    {2, REQUIRED, AT(part.signer.bytes), &bytes_kind},
    {3, OPTIONAL, AT(part.number), &uint_kind},
    {4, OPTIONAL, AT(part.offset), &uint_kind},
};
static const struct message_field list_part[] = {
    {1, REQUIRED, AT(part.kind), &uint_kind},   {2, REQUIRED, AT(part.signer.bytes), &bytes_kind},
    {3, REQUIRED, AT(part.number), &uint_kind}, {4, REQUIRED, AT(part.total), &uint_kind},
    {5, OPTIONAL, AT(part.offset), &uint_kind}, {6, REQUIRED, AT(part.bytes), &message_part_kind},
};
static const struct message_field about[] = {
    {1, REQUIRED, AT(about.version), &text_kind},
    {2, REQUIRED, AT(about.time), &uint_kind},
};
static const struct message_field punch_go[] = {{1, REQUIRED, AT(punch_go.round), &uint_kind}};

static const struct message_format formats[] = {
    [MESSAGE_HELLO] = FIELDS(hello),
    [MESSAGE_READY] = FIELDS(ready),
    [MESSAGE_REFUSE] = FIELDS(refuse),
    [MESSAGE_CANDIDATES] = FIELDS(candidates),
    [MESSAGE_WAKE] = {.known = true},
    [MESSAGE_BYE] = FIELDS(bye),
    [MESSAGE_RENEW] = {.known = true},
    [MESSAGE_MEMBER] = FIELDS(certificate),
    [MESSAGE_ISSUER_ASK] = FIELDS(issuer_ask),
    [MESSAGE_ISSUER] = FIELDS(certificate),
    [MESSAGE_JOIN_ASK] = FIELDS(join_ask),
    [MESSAGE_NETWORK] = FIELDS(certificate),
    [MESSAGE_JOIN] = FIELDS(join),
    [MESSAGE_JOINED] = FIELDS(certificate),
    [MESSAGE_CERT_ASK] = {.known = true},
    [MESSAGE_RATCHET_OFFER] = FIELDS(ratchet),
    [MESSAGE_RATCHET_ANSWER] = FIELDS(ratchet),
    [MESSAGE_RATCHET_DONE] = FIELDS(ratchet_done),
    [MESSAGE_STREAM] = FIELDS(segment),
    [MESSAGE_STREAM_ANSWER] = FIELDS(answered),
    [MESSAGE_STREAM_RESET] = FIELDS(reset),
    [MESSAGE_RELAY_SEEK] = FIELDS(relay_seek),
    [MESSAGE_RELAY_FOUND] = FIELDS(relay_found),
    [MESSAGE_RELAY_ASK] = FIELDS(relay_ask),
    [MESSAGE_RELAY_CHANNEL] = FIELDS(relay_channel),
    [MESSAGE_BIRTHDAY] = FIELDS(birthday),
    [MESSAGE_PUNCH] = FIELDS(punch),
    [MESSAGE_PUNCH_GO] = FIELDS(punch_go),
    [MESSAGE_STANDBY] = FIELDS(candidates),
    [MESSAGE_SEEK] = FIELDS(seek),
    [MESSAGE_RECORD] = FIELDS(record),
    [MESSAGE_LISTS] = FIELDS(lists),
    [MESSAGE_LIST_ASK] = FIELDS(list_ask),
    [MESSAGE_LIST_PART] = FIELDS(list_part),
    [MESSAGE_ABOUT] = FIELDS(about),
    [MESSAGE_LEAVE] = {.known = true},
};

const struct message_format *message_format(uint64_t type)
{
    return type < sizeof(formats) / sizeof(*formats) && formats[type].known ? &formats[type] : NULL;
}
