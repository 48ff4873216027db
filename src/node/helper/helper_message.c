/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding and decoding of what a node and its helpers say: one table of the fields that each kind has. */
#include "node/helper/helper_message.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define LAST_KIND    HELPER_DOORS_COUNTS
#define LAST_VERDICT BACKBONE_FORGED

enum field {
    VERDICT = 1 << 0, /* with date */
    TEXT = 1 << 1,
    ADDRESSES = 1 << 2,
    DATA = 1 << 3,
    SIGNATURE = 1 << 4,
    NUMBER = 1 << 5,
    INTERFACE = 1 << 6,
};

static const uint8_t fields_of[] = {
    [HELPER_READY] = 0,
    [HELPER_UNABLE] = TEXT,
    [HELPER_ENDED] = TEXT,
    [HELPER_ASK_NAME] = TEXT,
    [HELPER_ASK_INFO] = NUMBER | INTERFACE | TEXT | ADDRESSES,
    [HELPER_ASK_CHALLENGE] = NUMBER | INTERFACE | TEXT | ADDRESSES,
    [HELPER_ASK_REGISTER] = NUMBER | INTERFACE | TEXT | ADDRESSES | DATA | SIGNATURE,
    [HELPER_ASK_RECORD] = NUMBER | INTERFACE | TEXT | ADDRESSES | DATA,
    [HELPER_NAME] = TEXT | ADDRESSES,
    [HELPER_BACKBONE] = VERDICT | NUMBER | TEXT | ADDRESSES | DATA | SIGNATURE,
    [HELPER_UPLINK_READY] = 0,
    [HELPER_UPLINK_OPEN] = 0,
    [HELPER_UPLINK_CLOSED] = NUMBER | TEXT,
    [HELPER_UPLINK_DROPPED] = NUMBER,
    [HELPER_UPLINK_CONNECT] = NUMBER | INTERFACE | TEXT | ADDRESSES,
    [HELPER_UPLINK_CHECK] = 0,
    [HELPER_UPLINK_LEAVE] = NUMBER,
    [HELPER_PORTMAP_ASK] = ADDRESSES,
    [HELPER_PORTMAP] = NUMBER | TEXT | ADDRESSES | DATA,
    [HELPER_NAMES_SOME] = DATA,
    [HELPER_NAMES_SET] = TEXT | ADDRESSES | DATA,
    [HELPER_NAMES_HELD] = NUMBER | TEXT,
    [HELPER_DOORS_OPEN] = INTERFACE | DATA,
    [HELPER_DOORS_LISTEN] = NUMBER,
    [HELPER_DOORS_COUNTS] = DATA,
};

static void put_slice(struct writer *w, struct slice s)
{
    w->bad |= s.len > UINT16_MAX;
    writer_u16(w, (uint16_t)s.len);
    writer_put(w, s.data, s.len);
}

static size_t ip_length(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static void put_addresses(struct writer *w, const struct helper_message *m)
{
    w->bad |= m->address_count > HELPER_ADDRESSES_MAX;
    writer_u8(w, (uint8_t)m->address_count);
    for (unsigned i = 0; i < m->address_count && !w->bad; i++) {
        const struct addr *a = &m->addresses[i];
        writer_u8(w, a->family);
        writer_put(w, a->ip, ip_length(a->family));
        writer_u32(w, a->scope);
        writer_u16(w, a->port);
    }
}

int helper_message_encode(const struct helper_message *m, uint8_t out[HELPER_MESSAGE_MAX], size_t *len)
{
    struct writer w = writer_init(out, HELPER_MESSAGE_MAX);
    unsigned fields = fields_of[m->kind];
    size_t text_len = strnlen(m->text, sizeof(m->text) - 1);
    if (!text_ok(m->text, text_len))
        return ERR_ARGUMENT;
    writer_u8(&w, (uint8_t)m->kind);
    writer_u32(&w, m->token);
    if (fields & VERDICT) {
        writer_u8(&w, (uint8_t)m->verdict);
        writer_u64(&w, m->date_s);
    }
    if (fields & NUMBER)
        writer_u64(&w, m->number);
    if (fields & INTERFACE)
        writer_u32(&w, m->interface);
    if (fields & TEXT)
        put_slice(&w, (struct slice){(const uint8_t *)m->text, text_len});
    if (fields & ADDRESSES)
        put_addresses(&w, m);
    if (fields & DATA)
        put_slice(&w, m->data);
    if (fields & SIGNATURE)
        put_slice(&w, m->signature);
    *len = writer_len(&w);
    return w.bad ? ERR_SPACE : 0;
}

static struct slice take_slice(struct reader *r)
{
    size_t len = reader_u16(r);
    const uint8_t *data = reader_take(r, len);
    return (struct slice){data, data ? len : 0};
}

static void take_verdict(struct reader *r, struct helper_message *out)
{
    uint8_t verdict = reader_u8(r);
    r->bad |= verdict > LAST_VERDICT;
    out->verdict = (enum backbone_verdict)verdict;
    out->date_s = reader_u64(r);
}

/* No byte of it is NUL, which text_ok refuses as a control. */
static void take_text(struct reader *r, struct helper_message *out)
{
    struct slice text = take_slice(r);
    if (r->bad || text.len >= sizeof(out->text) || !text_ok((const char *)text.data, text.len))
        r->bad = true;
    else
        memcpy(out->text, text.data, text.len);
}

/* Of IPv6 an address that holds an IPv4 one is written as that. */
static bool is_canonical(const struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    return a->family == 4 ? a->scope == 0 : a->family == 6 && memcmp(a->ip, mapped, sizeof(mapped)) != 0;
}

static void take_addresses(struct reader *r, struct helper_message *out)
{
    out->address_count = reader_u8(r);
    r->bad |= out->address_count > HELPER_ADDRESSES_MAX;
    for (unsigned i = 0; i < out->address_count && !r->bad; i++) {
        struct addr *a = &out->addresses[i];
        a->family = reader_u8(r);
        reader_copy(r, a->ip, ip_length(a->family));
        a->scope = reader_u32(r);
        a->port = reader_u16(r);
        r->bad |= !is_canonical(a);
    }
}

int helper_message_decode(const uint8_t *bytes, size_t len, struct helper_message *out)
{
    struct reader r = reader_init(bytes, len);
    *out = (struct helper_message){0};
    uint8_t kind = reader_u8(&r);
    out->token = reader_u32(&r);
    if (r.bad || kind < HELPER_READY || kind > LAST_KIND || len > HELPER_MESSAGE_MAX)
        return ERR_FORMAT;
    out->kind = (enum helper_kind)kind;
    if (fields_of[kind] & VERDICT)
        take_verdict(&r, out);
    if (fields_of[kind] & NUMBER)
        out->number = reader_u64(&r);
    if (fields_of[kind] & INTERFACE)
        out->interface = reader_u32(&r);
    if (fields_of[kind] & TEXT)
        take_text(&r, out);
    if (fields_of[kind] & ADDRESSES)
        take_addresses(&r, out);
    if (fields_of[kind] & DATA)
        out->data = take_slice(&r);
    if (fields_of[kind] & SIGNATURE)
        out->signature = take_slice(&r);
    return r.bad || reader_left(&r) ? ERR_FORMAT : 0;
}

void helper_message_set_text(struct helper_message *m, const char *text)
{
    snprintf(m->text, sizeof(m->text), "%s", text);
    m->text[text_clean(m->text, strlen(m->text))] = '\0';
}
