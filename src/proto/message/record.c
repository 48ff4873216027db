/* SPDX-License-Identifier: Apache-2.0 */
/* A node's signed directory entry. Pure; any thread. docs/PROTOCOL.md §8. */

#include "proto/message/record.h"
#include "base/cbor.h"
#include "base/text.h"

#define SIGNATURE_CONTEXT "shadowmesh record v1"
#define VERSION           1

enum record_key {
    RECORD_VERSION = 0,
    RECORD_ID = 1,
    RECORD_SPKI = 2,
    RECORD_SEQ = 3,
    RECORD_EXPIRY = 4,
    RECORD_NAME = 5,
    RECORD_NETWORK = 6,
    RECORD_PUBLIC = 7,
    RECORD_CHALLENGE = 8,
    RECORD_CANDIDATES = 9,
};

#define CANDIDATE_LEN_MAX 32 /* encoded, with its share of what stands before all */

#define BIT(key) (1u << (key))
#define REQUIRED                                                                                             \
    (BIT(RECORD_VERSION) | BIT(RECORD_ID) | BIT(RECORD_SPKI) | BIT(RECORD_SEQ) | BIT(RECORD_EXPIRY) |        \
     BIT(RECORD_CHALLENGE))
#define REQUIRED_PAIRS 6

static void put_uint(struct writer *w, enum record_key key, uint64_t v)
{
    cbor_put_uint(w, key);
    cbor_put_uint(w, v);
}

static void put_bytes(struct writer *w, enum record_key key, const void *data, size_t len)
{
    cbor_put_uint(w, key);
    cbor_put_bytes(w, data, len);
}

static void put_text(struct writer *w, enum record_key key, const char *text)
{
    if (!*text)
        return;
    cbor_put_uint(w, key);
    cbor_put_text(w, text);
}

static void encode(const struct record *r, struct writer *w)
{
    cbor_put_map(w, REQUIRED_PAIRS + (r->name[0] != '\0') + (r->network[0] != '\0') + r->is_public +
                        (r->candidate_count != 0));
    put_uint(w, RECORD_VERSION, VERSION);
    put_bytes(w, RECORD_ID, r->id.bytes, sizeof(r->id.bytes));
    put_bytes(w, RECORD_SPKI, r->spki, sizeof(r->spki));
    put_uint(w, RECORD_SEQ, r->seq);
    put_uint(w, RECORD_EXPIRY, r->expiry_s);
    put_text(w, RECORD_NAME, r->name);
    put_text(w, RECORD_NETWORK, r->network);
    if (r->is_public) {
        cbor_put_uint(w, RECORD_PUBLIC);
        cbor_put_bool(w, true);
    }
    put_bytes(w, RECORD_CHALLENGE, r->challenge, sizeof(r->challenge));
    if (r->candidate_count) {
        cbor_put_uint(w, RECORD_CANDIDATES);
        candidates_encode(r->candidates, r->candidate_count, w);
    }
}

int record_sign(const struct record *r, const struct identity *me, uint8_t *out, size_t cap, size_t *len,
                uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    struct writer w = writer_init(out, cap < RECORD_MAX ? cap : RECORD_MAX);
    *len = 0;
    if (!text_ok(r->name, strlen(r->name)) || !text_ok(r->network, strlen(r->network)))
        return ERR_ARGUMENT;
    encode(r, &w);
    if (w.bad)
        return ERR_SPACE;
    int err = identity_sign(me, SIGNATURE_CONTEXT, out, writer_len(&w), signature);
    if (!err)
        *len = writer_len(&w);
    return err;
}

static void take_version(struct reader *r)
{
    if (cbor_take_uint(r, UINT8_MAX) != VERSION)
        r->bad = true;
}

static void take(struct reader *r, uint64_t key, struct record *out)
{
    switch (key) {
    case RECORD_VERSION:
        take_version(r);
        return;
    case RECORD_ID:
        cbor_take_exact(r, out->id.bytes, sizeof(out->id.bytes));
        return;
    case RECORD_SPKI:
        cbor_take_exact(r, out->spki, sizeof(out->spki));
        return;
    case RECORD_SEQ:
        out->seq = cbor_take_uint(r, UINT64_MAX);
        return;
    case RECORD_EXPIRY:
        out->expiry_s = cbor_take_uint(r, UINT64_MAX);
        return;
    case RECORD_NAME:
        cbor_take_text(r, out->name, sizeof(out->name));
        return;
    case RECORD_NETWORK:
        cbor_take_text(r, out->network, sizeof(out->network));
        return;
    case RECORD_PUBLIC:
        out->is_public = cbor_take_bool(r);
        return;
    case RECORD_CHALLENGE:
        cbor_take_exact(r, out->challenge, sizeof(out->challenge));
        return;
    case RECORD_CANDIDATES:
        out->candidate_count = candidates_decode(r, out->candidates);
        return;
    }
    cbor_skip(r);
}

static int decode(const uint8_t *data, size_t len, struct record *out)
{
    struct reader r = reader_init(data, len);
    struct cbor_map map = cbor_take_map(&r);
    uint64_t key;
    uint32_t seen = 0;
    if (len > RECORD_MAX)
        return ERR_FORMAT;
    while (cbor_map_next(&map, &key)) {
        seen |= key < 32 ? BIT(key) : 0;
        take(&r, key, out);
    }
    return cbor_done(&r) && (seen & REQUIRED) == REQUIRED ? 0 : ERR_FORMAT;
}

static int check(const uint8_t *data, size_t len, const uint8_t *signature, size_t signature_len,
                 const struct record *r)
{
    struct node_id id;
    int err = identity_id_of_spki(r->spki, sizeof(r->spki), &id);
    if (err)
        return err;
    if (id_compare(&id, &r->id) != 0)
        return ERR_MISMATCH;
    return identity_verify(r->spki, sizeof(r->spki), SIGNATURE_CONTEXT, data, len, signature, signature_len);
}

int record_peek(const uint8_t *data, size_t len, struct node_id *id)
{
    struct record record = {0};
    int err = decode(data, len, &record);
    *id = record.id;
    return err;
}

/* They are what a record ends with, encoded in one way alone. */
bool record_names(const struct slice *data, const struct candidate *list, unsigned count)
{
    uint8_t bytes[CANDIDATES_MAX * CANDIDATE_LEN_MAX];
    struct writer w = writer_init(bytes, sizeof(bytes));
    candidates_encode(list, count, &w);
    size_t len = writer_len(&w);
    return count && !w.bad && len <= data->len && memcmp(data->data + data->len - len, bytes, len) == 0;
}

int record_verify(const uint8_t *data, size_t len, const uint8_t *signature, size_t signature_len,
                  struct record *out)
{
    *out = (struct record){0};
    int err = decode(data, len, out);
    if (!err)
        err = check(data, len, signature, signature_len, out);
    if (err)
        *out = (struct record){0};
    return err;
}
