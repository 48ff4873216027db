/* SPDX-License-Identifier: Apache-2.0 */
/* Registration: sizes, challenge, signature, dates, then the store's rule that seq grows. A record
 * that has expired is no longer shown, but its seq is remembered for as long as a challenge lives: otherwise
 * an older record of the same node could be replayed within that time. */

#include "backbone/directory.h"

#include "backbone/challenge.h"
#include "base/cbor.h"
#include <stdlib.h>
#include <string.h>

#define PRUNE_INTERVAL_S 10
#define CHALLENGE_KEY    8 /* of a record's map: proto/message/record.h */

struct directory {
    struct store *store;
    struct challenge_key key;
    uint64_t prune_at_s;
    uint64_t count, counted_at_s; /* counted_at_s 0: never */
};

int directory_new(struct store *store, struct directory **out)
{
    struct directory *d = calloc(1, sizeof(*d));
    if (!d) {
        store_close(store);
        return ERR_NOMEM;
    }
    d->store = store;
    challenge_key_init(&d->key);
    *out = d;
    return 0;
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    store_close(d->store);
    free(d);
}

int directory_challenge(struct directory *d, uint64_t now_s, uint8_t out[RECORD_CHALLENGE_LEN])
{
    return challenge_make(&d->key, now_s, out);
}

/* A failure is the store's to tell; it is tried again after the same interval. */
static void prune(struct directory *d, uint64_t now_s)
{
    if (now_s < d->prune_at_s && d->prune_at_s - now_s <= PRUNE_INTERVAL_S)
        return;
    d->prune_at_s = now_s + PRUNE_INTERVAL_S;
    if (store_prune(d->store, now_s - CHALLENGE_LIFETIME_S) == 0)
        d->counted_at_s = 0;
}

static enum directory_verdict verdict_of_dates(const struct record *r, uint64_t now_s)
{
    if (r->seq > STORE_NUMBER_MAX || r->expiry_s > STORE_NUMBER_MAX)
        return DIRECTORY_MALFORMED;
    if (r->expiry_s <= now_s)
        return DIRECTORY_EXPIRED;
    if (r->expiry_s - now_s > DIRECTORY_EXPIRY_MAX_S + DIRECTORY_SKEW_S)
        return DIRECTORY_EXPIRY_FAR;
    return DIRECTORY_REGISTERED;
}

static enum directory_verdict verdict_of(int err, enum directory_verdict refusal)
{
    switch (err) {
    case 0:
        return DIRECTORY_REGISTERED;
    case ERR_FORMAT:
        return DIRECTORY_MALFORMED;
    case ERR_MISMATCH:
        return DIRECTORY_ID;
    case ERR_CRYPTO:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
        return refusal;
    case ERR_SPACE:
        return DIRECTORY_FULL;
    }
    return DIRECTORY_UNAVAILABLE;
}

static enum directory_verdict keep(struct directory *d, const struct record *r, const struct slice *record,
                                   const struct slice *signature, uint64_t *stored_seq)
{
    struct store_entry e = {.id = r->id,
                            .seq = r->seq,
                            .expiry_s = r->expiry_s,
                            .is_public = r->is_public,
                            .record = *record,
                            .signature = *signature};
    memcpy(e.name, r->name, sizeof(e.name));
    memcpy(e.network, r->network, sizeof(e.network));
    return verdict_of(store_put(d->store, &e, stored_seq), DIRECTORY_SEQ);
}

/* The challenge of a record that nobody has verified yet, so that strangers cannot make us verify.
 * ERR_FORMAT. */
static int peek_challenge(const struct slice *record, uint8_t out[RECORD_CHALLENGE_LEN])
{
    struct reader r = reader_init(record->data, record->len);
    struct cbor_map map = cbor_take_map(&r);
    bool found = false;
    for (uint64_t key; cbor_map_next(&map, &key);) {
        if (key != CHALLENGE_KEY) {
            cbor_skip(&r);
            continue;
        }
        cbor_take_exact(&r, out, RECORD_CHALLENGE_LEN);
        found = true;
    }
    return found && cbor_done(&r) ? 0 : ERR_FORMAT;
}

static enum directory_verdict judge(struct directory *d, uint64_t now_s, const struct slice *record,
                                    const struct slice *signature, struct record *r)
{
    uint8_t challenge[RECORD_CHALLENGE_LEN];
    int err = peek_challenge(record, challenge);
    if (!err)
        err = challenge_check(&d->key, now_s, challenge);
    if (err)
        return verdict_of(err, DIRECTORY_CHALLENGE);
    err = record_verify(record->data, record->len, signature->data, signature->len, r);
    return err ? verdict_of(err, DIRECTORY_SIGNATURE) : verdict_of_dates(r, now_s);
}

enum directory_verdict directory_register(struct directory *d, uint64_t now_s, const struct slice *record,
                                          const struct slice *signature, struct directory_receipt *out)
{
    *out = (struct directory_receipt){0};
    if (record->len == 0 || record->len > RECORD_MAX || signature->len != IDENTITY_SIGNATURE_LEN)
        return DIRECTORY_MALFORMED;
    prune(d, now_s);
    struct record r;
    enum directory_verdict verdict = judge(d, now_s, record, signature, &r);
    if (verdict != DIRECTORY_REGISTERED)
        return verdict;
    out->id = r.id;
    out->seq = r.seq;
    out->expiry_s = r.expiry_s;
    return keep(d, &r, record, signature, &out->stored_seq);
}

int directory_find(struct directory *d, uint64_t now_s, const struct node_id *id, store_visit *visit,
                   void *context)
{
    return store_get(d->store, id, now_s, visit, context);
}

int directory_list(struct directory *d, const struct store_query *query, store_visit *visit, void *context)
{
    return store_list(d->store, query, visit, context);
}

int directory_count(struct directory *d, uint64_t now_s, uint64_t *out)
{
    int err = 0;
    if (d->counted_at_s != now_s) {
        err = store_count(d->store, now_s, &d->count);
        d->counted_at_s = err ? 0 : now_s;
    }
    *out = d->count;
    return err;
}
