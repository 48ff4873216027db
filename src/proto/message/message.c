/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages as CBOR maps. Pure; control thread. docs/PROTOCOL.md §7. */

#include "proto/message/message.h"
#include "base/cbor.h"
#include "proto/wire/wire.h"

#define KEY_TYPE 0

enum hello_key {
    HELLO_VERSION_MIN = 1,
    HELLO_VERSION_MAX = 2,
    HELLO_FEATURES = 3,
    HELLO_AEADS = 4,
    HELLO_LANES = 5,
    HELLO_MTU = 6,
    HELLO_NAME = 7,
    HELLO_ADDRESSES = 8,
    HELLO_MACS = 9,
    HELLO_CANDIDATES = 10,
    HELLO_RECEIVER_INDEX = 11,
    HELLO_BOOT = 12,
    HELLO_GENERATION = 13,
    HELLO_OFFER = 14,
};
enum ready_key { READY_ANSWER = 1 };
enum refuse_key { REFUSE_CODE = 1, REFUSE_TEXT = 2 };
enum bye_key { BYE_CODE = 1 };
enum candidates_key { CANDIDATES_LIST = 1 };
enum ratchet_key { RATCHET_STEP = 1, RATCHET_RECEIVER_INDEX = 2, RATCHET_KEY = 3 };

#define BIT(key) (1u << (key))

/* An overlay address is [address, prefix bits]; later versions may append to it. */
#define ADDRESS_ITEMS     2
#define ADDRESS_ITEMS_MAX 16

static void put_key_uint(struct writer *w, uint64_t key, uint64_t v)
{
    cbor_put_uint(w, key);
    cbor_put_uint(w, v);
}

static void put_key_text(struct writer *w, uint64_t key, const char *text)
{
    if (!*text)
        return;
    cbor_put_uint(w, key);
    cbor_put_text(w, text);
}

static void put_key_candidates(struct writer *w, uint64_t key, const struct candidate *list, unsigned count)
{
    if (!count)
        return;
    cbor_put_uint(w, key);
    candidates_encode(list, count, w);
}

static void put_aeads(struct writer *w, const struct hello *h)
{
    if (!h->aead_count)
        return;
    cbor_put_uint(w, HELLO_AEADS);
    cbor_put_array(w, h->aead_count);
    for (unsigned i = 0; i < h->aead_count; i++)
        cbor_put_uint(w, h->aeads[i]);
}

static void put_addresses(struct writer *w, const struct hello *h)
{
    if (!h->address_count)
        return;
    cbor_put_uint(w, HELLO_ADDRESSES);
    cbor_put_array(w, h->address_count);
    for (unsigned i = 0; i < h->address_count; i++) {
        cbor_put_array(w, ADDRESS_ITEMS);
        candidate_addr_encode(&h->addresses[i].addr, w);
        cbor_put_uint(w, h->addresses[i].bits);
    }
}

static void put_macs(struct writer *w, const struct hello *h)
{
    if (!h->mac_count)
        return;
    cbor_put_uint(w, HELLO_MACS);
    cbor_put_array(w, h->mac_count);
    for (unsigned i = 0; i < h->mac_count; i++)
        cbor_put_bytes(w, h->macs[i], sizeof(h->macs[i]));
}

static void put_share(struct writer *w, uint64_t key, const struct message_share *share)
{
    if (!share->present)
        return;
    cbor_put_uint(w, key);
    cbor_put_bytes(w, share->key, sizeof(share->key));
}

static void put_hello(struct writer *w, const struct hello *h)
{
    put_key_uint(w, HELLO_VERSION_MIN, h->version_min);
    put_key_uint(w, HELLO_VERSION_MAX, h->version_max);
    if (h->features)
        put_key_uint(w, HELLO_FEATURES, h->features);
    put_aeads(w, h);
    put_key_uint(w, HELLO_LANES, h->lanes);
    put_key_uint(w, HELLO_MTU, h->mtu);
    put_key_text(w, HELLO_NAME, h->name);
    put_addresses(w, h);
    put_macs(w, h);
    put_key_candidates(w, HELLO_CANDIDATES, h->candidates, h->candidate_count);
    put_key_uint(w, HELLO_RECEIVER_INDEX, h->receiver_index);
    cbor_put_uint(w, HELLO_BOOT);
    cbor_put_bytes(w, h->boot, sizeof(h->boot));
    put_key_uint(w, HELLO_GENERATION, h->generation);
}

static size_t hello_pairs(const struct hello *h)
{
    size_t required = 7;
    return required + (h->features != 0) + (h->aead_count != 0) + (h->name[0] != '\0') +
           (h->address_count != 0) + (h->mac_count != 0) + (h->candidate_count != 0);
}

static size_t pairs(const struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        return hello_pairs(&m->hello) + m->offer.present;
    case MESSAGE_READY:
        return m->answer.present;
    case MESSAGE_WAKE:
    case MESSAGE_RENEW:
        return 0;
    case MESSAGE_REFUSE:
        return 1 + (m->refuse.text[0] != '\0');
    case MESSAGE_CANDIDATES:
        return m->candidates.count != 0;
    case MESSAGE_BYE:
    case MESSAGE_RATCHET_DONE:
        return 1;
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
        return 3;
    }
    return 0;
}

static void put_body(struct writer *w, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        put_hello(w, &m->hello);
        put_share(w, HELLO_OFFER, &m->offer);
        break;
    case MESSAGE_READY:
        put_share(w, READY_ANSWER, &m->answer);
        break;
    case MESSAGE_WAKE:
    case MESSAGE_RENEW:
        break;
    case MESSAGE_REFUSE:
        put_key_uint(w, REFUSE_CODE, m->refuse.code);
        put_key_text(w, REFUSE_TEXT, m->refuse.text);
        break;
    case MESSAGE_CANDIDATES:
        put_key_candidates(w, CANDIDATES_LIST, m->candidates.list, m->candidates.count);
        break;
    case MESSAGE_BYE:
        put_key_uint(w, BYE_CODE, m->bye.code);
        break;
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
        put_key_uint(w, RATCHET_STEP, m->ratchet.step);
        put_key_uint(w, RATCHET_RECEIVER_INDEX, m->ratchet.receiver_index);
        cbor_put_uint(w, RATCHET_KEY);
        cbor_put_bytes(w, m->ratchet.key, sizeof(m->ratchet.key));
        break;
    case MESSAGE_RATCHET_DONE:
        put_key_uint(w, RATCHET_STEP, m->ratchet.step);
        break;
    }
}

void message_encode(const struct message *m, struct writer *w)
{
    cbor_put_map(w, 1 + pairs(m));
    put_key_uint(w, KEY_TYPE, m->type);
    put_body(w, m);
}

static void take_aeads(struct reader *r, struct hello *h)
{
    h->aead_count = (unsigned)cbor_take_array(r, MESSAGE_AEADS_MAX);
    for (unsigned i = 0; i < h->aead_count; i++)
        h->aeads[i] = (uint8_t)cbor_take_uint(r, UINT8_MAX);
}

static void take_addresses(struct reader *r, struct hello *h)
{
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

static void take_macs(struct reader *r, struct hello *h)
{
    h->mac_count = (unsigned)cbor_take_array(r, MESSAGE_MACS_MAX);
    for (unsigned i = 0; i < h->mac_count; i++) {
        cbor_take_exact(r, h->macs[i], sizeof(h->macs[i]));
        if (h->macs[i][0] & 1)
            r->bad = true;
    }
}

static void take_lanes(struct reader *r, struct hello *h)
{
    h->lanes = (uint8_t)cbor_take_uint(r, WIRE_DATA_LANES);
    if (h->lanes == 0)
        r->bad = true;
}

static void take_versions(struct reader *r, struct hello *h)
{
    h->version_max = (uint8_t)cbor_take_uint(r, UINT8_MAX);
    if (h->version_max < h->version_min)
        r->bad = true;
}

static void take_share(struct reader *r, struct message_share *share)
{
    cbor_take_exact(r, share->key, sizeof(share->key));
    share->present = true;
}

static void take_hello(struct reader *r, uint64_t key, struct message *m)
{
    struct hello *h = &m->hello;
    switch (key) {
    case HELLO_VERSION_MIN:
        h->version_min = (uint8_t)cbor_take_uint(r, UINT8_MAX);
        return;
    case HELLO_VERSION_MAX:
        take_versions(r, h);
        return;
    case HELLO_FEATURES:
        h->features = cbor_take_uint(r, UINT64_MAX);
        return;
    case HELLO_AEADS:
        take_aeads(r, h);
        return;
    case HELLO_LANES:
        take_lanes(r, h);
        return;
    case HELLO_MTU:
        h->mtu = (uint16_t)cbor_take_uint(r, UINT16_MAX);
        return;
    case HELLO_NAME:
        cbor_take_text(r, h->name, sizeof(h->name));
        return;
    case HELLO_ADDRESSES:
        take_addresses(r, h);
        return;
    case HELLO_MACS:
        take_macs(r, h);
        return;
    case HELLO_CANDIDATES:
        h->candidate_count = candidates_decode(r, h->candidates);
        return;
    case HELLO_RECEIVER_INDEX:
        h->receiver_index = (uint32_t)cbor_take_uint(r, UINT32_MAX);
        return;
    case HELLO_BOOT:
        cbor_take_exact(r, h->boot, sizeof(h->boot));
        return;
    case HELLO_GENERATION:
        h->generation = (uint32_t)cbor_take_uint(r, UINT32_MAX);
        return;
    case HELLO_OFFER:
        take_share(r, &m->offer);
        return;
    }
    cbor_skip(r);
}

static void take_ready(struct reader *r, uint64_t key, struct message *m)
{
    if (key == READY_ANSWER)
        take_share(r, &m->answer);
    else
        cbor_skip(r);
}

static void take_refuse(struct reader *r, uint64_t key, struct message *m)
{
    if (key == REFUSE_CODE)
        m->refuse.code = (uint8_t)cbor_take_uint(r, UINT8_MAX);
    else if (key == REFUSE_TEXT)
        cbor_take_text(r, m->refuse.text, sizeof(m->refuse.text));
    else
        cbor_skip(r);
}

static void take_bye(struct reader *r, uint64_t key, struct message *m)
{
    if (key == BYE_CODE)
        m->bye.code = (uint8_t)cbor_take_uint(r, UINT8_MAX);
    else
        cbor_skip(r);
}

static void take_candidates(struct reader *r, uint64_t key, struct message *m)
{
    if (key == CANDIDATES_LIST)
        m->candidates.count = candidates_decode(r, m->candidates.list);
    else
        cbor_skip(r);
}

static void take_ratchet(struct reader *r, uint64_t key, struct message *m)
{
    bool done = m->type == MESSAGE_RATCHET_DONE;
    if (key == RATCHET_STEP)
        m->ratchet.step = (uint32_t)cbor_take_uint(r, UINT32_MAX);
    else if (key == RATCHET_RECEIVER_INDEX && !done)
        m->ratchet.receiver_index = (uint32_t)cbor_take_uint(r, UINT32_MAX);
    else if (key == RATCHET_KEY && !done)
        cbor_take_exact(r, m->ratchet.key, sizeof(m->ratchet.key));
    else
        cbor_skip(r);
}

static void take_value(struct reader *r, uint64_t key, struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        take_hello(r, key, m);
        return;
    case MESSAGE_READY:
        take_ready(r, key, m);
        return;
    case MESSAGE_WAKE:
    case MESSAGE_RENEW:
        cbor_skip(r);
        return;
    case MESSAGE_REFUSE:
        take_refuse(r, key, m);
        return;
    case MESSAGE_CANDIDATES:
        take_candidates(r, key, m);
        return;
    case MESSAGE_BYE:
        take_bye(r, key, m);
        return;
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
    case MESSAGE_RATCHET_DONE:
        take_ratchet(r, key, m);
        return;
    }
}

/* The keys that must be there, as bits; false when the type is not known. */
static bool required_keys(uint64_t type, uint32_t *required)
{
    *required = 0;
    switch ((enum message_type)type) {
    case MESSAGE_HELLO:
        *required = BIT(HELLO_VERSION_MIN) | BIT(HELLO_VERSION_MAX) | BIT(HELLO_LANES) | BIT(HELLO_MTU) |
                    BIT(HELLO_RECEIVER_INDEX) | BIT(HELLO_BOOT) | BIT(HELLO_GENERATION);
        return true;
    case MESSAGE_READY:
    case MESSAGE_CANDIDATES:
    case MESSAGE_WAKE:
    case MESSAGE_RENEW:
        return true;
    case MESSAGE_REFUSE:
        *required = BIT(REFUSE_CODE);
        return true;
    case MESSAGE_BYE:
        *required = BIT(BYE_CODE);
        return true;
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
        *required = BIT(RATCHET_STEP) | BIT(RATCHET_RECEIVER_INDEX) | BIT(RATCHET_KEY);
        return true;
    case MESSAGE_RATCHET_DONE:
        *required = BIT(RATCHET_STEP);
        return true;
    }
    return false;
}

/* Fills *out behind its type. */
static int decode_body(struct reader *r, struct cbor_map *map, struct message *out)
{
    uint32_t required, seen = 0;
    uint64_t key, type = cbor_take_uint(r, INT32_MAX);
    if (r->bad)
        return ERR_FORMAT;
    if (!required_keys(type, &required))
        return ERR_UNSUPPORTED;
    out->type = (enum message_type)type;
    while (cbor_map_next(map, &key)) {
        seen |= key < 32 ? BIT(key) : 0;
        take_value(r, key, out);
    }
    return cbor_done(r) && (seen & required) == required ? 0 : ERR_FORMAT;
}

int message_decode(const uint8_t *data, size_t len, struct message *out)
{
    struct reader r = reader_init(data, len);
    struct cbor_map map = cbor_take_map(&r);
    uint64_t key;
    int err = ERR_FORMAT;
    *out = (struct message){0};
    /* Keys ascend, so the type comes first. */
    if (len <= MESSAGE_MAX && cbor_map_next(&map, &key) && key == KEY_TYPE)
        err = decode_body(&r, &map, out);
    if (err)
        *out = (struct message){0};
    return err;
}
