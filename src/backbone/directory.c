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
    struct challenge_keys keys;
    uint64_t prune_at_s;
    bool pruning, counting;                   /* the store has been asked */
    uint64_t count, counted_at_s, asked_at_s; /* counted_at_s 0: not since something went away */
};

_Static_assert(STORE_GRACE_S > STORE_SETTLE_S && STORE_SETTLE_S >= CHALLENGE_MEMORY_S,
               "seq is remembered while a challenge may be seen again");

int directory_new(struct store *store, struct directory **out)
{
    struct directory *d = calloc(1, sizeof(*d));
    if (!d) {
        store_close(store);
        return ERR_NOMEM;
    }
    d->store = store;
    challenge_keys_init(&d->keys, 0);
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

static const struct challenge_keys *keys_at(struct directory *d, uint64_t now_s)
{
    challenge_keys_turn(&d->keys, now_s);
    return &d->keys;
}

struct challenge_keys *directory_keys(struct directory *d)
{
    return &d->keys;
}

int directory_challenge(struct directory *d, uint64_t now_s, uint8_t out[RECORD_CHALLENGE_LEN])
{
    return challenge_make(keys_at(d, now_s), now_s, out);
}

static void on_pruned(void *context, int err, uint64_t number)
{
    struct directory *d = context;
    d->pruning = false;
    if (err)
        return;
    d->counted_at_s = 0;
    if (number >= STORE_PRUNE_MAX)
        d->prune_at_s = 0; /* there are more */
}

/* A failure is the store's to tell; it is tried again after the same interval. */
static void prune(struct directory *d, uint64_t now_s)
{
    if (d->pruning || (now_s < d->prune_at_s && d->prune_at_s - now_s <= PRUNE_INTERVAL_S))
        return;
    d->prune_at_s = now_s + PRUNE_INTERVAL_S;
    d->pruning = true;
    store_prune(d->store, now_s - CHALLENGE_MEMORY_S, on_pruned, d);
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

static void on_kept(void *context, int err, uint64_t stored_seq)
{
    struct directory_order *o = context;
    o->receipt.stored_seq = stored_seq;
    o->done(o->context, verdict_of(err, DIRECTORY_SEQ), &o->receipt);
}

static void keep(struct directory *d, const struct record *r, uint64_t now_s, struct directory_order *o)
{
    struct store_entry e = {.id = r->id,
                            .seq = r->seq,
                            .expiry_s = r->expiry_s,
                            .is_public = r->is_public,
                            .record = o->record,
                            .signature = o->signature};
    memcpy(e.name, r->name, sizeof(e.name));
    memcpy(e.network, r->network, sizeof(e.network));
    o->receipt = (struct directory_receipt){.id = r->id, .seq = r->seq, .expiry_s = r->expiry_s};
    store_put(d->store, &e, now_s, on_kept, o);
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
    if (record->len == 0 || record->len > RECORD_MAX || signature->len != IDENTITY_SIGNATURE_LEN)
        return DIRECTORY_MALFORMED;
    int err = peek_challenge(record, challenge);
    if (!err)
        err = challenge_check(keys_at(d, now_s), now_s, challenge);
    if (err)
        return verdict_of(err, DIRECTORY_CHALLENGE);
    err = record_verify(record->data, record->len, signature->data, signature->len, r);
    return err ? verdict_of(err, DIRECTORY_SIGNATURE) : verdict_of_dates(r, now_s);
}

void directory_register(struct directory *d, uint64_t now_s, struct directory_order *o)
{
    struct record r;
    enum directory_verdict verdict = judge(d, now_s, &o->record, &o->signature, &r);
    o->receipt = (struct directory_receipt){0};
    if (verdict != DIRECTORY_REGISTERED) {
        o->done(o->context, verdict, &o->receipt);
        return;
    }
    prune(d, now_s);
    keep(d, &r, now_s, o);
}

void directory_find(struct directory *d, uint64_t now_s, const struct node_id *id, store_visit *visit,
                    store_done *done, void *context)
{
    store_get(d->store, id, now_s, visit, done, context);
}

void directory_list(struct directory *d, const struct store_query *query, store_visit *visit,
                    store_done *done, void *context)
{
    store_list(d->store, query, visit, done, context);
}

static void on_counted(void *context, int err, uint64_t number)
{
    struct directory *d = context;
    d->counting = false;
    if (err)
        return;
    d->count = number;
    d->counted_at_s = d->asked_at_s;
}

uint64_t directory_count(struct directory *d, uint64_t now_s)
{
    if (d->counted_at_s != now_s && !d->counting) {
        d->counting = true;
        d->asked_at_s = now_s;
        store_count(d->store, now_s, on_counted, d);
    }
    return d->count;
}
