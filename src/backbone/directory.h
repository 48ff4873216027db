/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The rules of the directory: who may register what, and what is shown to whom. The desk's thread. Time comes in as
 * an argument, so tests run it on a clock of their own. docs/PROTOCOL.md §8. */

#include "backbone/store.h"
#include "base/err.h"
#include "base/id.h"
#include "proto/message/record.h"
#include <stddef.h>
#include <stdint.h>

#define DIRECTORY_EXPIRY_MAX_S 3600 /* how far ahead a record may expire */
#define DIRECTORY_SKEW_S       60   /* by how much a node's clock may be ahead of ours */

struct challenge_keys;
struct directory;

/* Takes store, which is closed with the directory, also when this fails. */
int directory_new(struct store *store, struct directory **out) must_check;

/* NULL is allowed. */
void directory_free(struct directory *d);

int directory_challenge(struct directory *d, uint64_t now_s, uint8_t out[RECORD_CHALLENGE_LEN]) must_check;
/* Its keys, for those who agree with others upon them. */
struct challenge_keys *directory_keys(struct directory *d);

enum directory_verdict {
    DIRECTORY_REGISTERED,
    DIRECTORY_MALFORMED,   /* no record, or one with a number that no store holds */
    DIRECTORY_CHALLENGE,   /* not a challenge of ours, or too old */
    DIRECTORY_EXPIRED,     /* expires in the past */
    DIRECTORY_EXPIRY_FAR,  /* expires later than DIRECTORY_EXPIRY_MAX_S from now */
    DIRECTORY_ID,          /* the key does not hash to the id */
    DIRECTORY_SIGNATURE,   /* the signature is not the key's */
    DIRECTORY_SEQ,         /* seq is not above the stored one */
    DIRECTORY_FULL,        /* no room for another node */
    DIRECTORY_UNAVAILABLE, /* the store or the machine failed */
};

struct directory_receipt {
    struct node_id id;
    uint64_t seq, expiry_s;
    uint64_t stored_seq; /* set with DIRECTORY_SEQ */
};

typedef void directory_done(void *context, enum directory_verdict verdict,
                            const struct directory_receipt *receipt);

/* A signed record on its way into the directory. The caller's, who keeps it and the bytes until done was called. */
struct directory_order {
    struct slice record, signature;
    directory_done *done;
    void *context;
    struct directory_receipt receipt; /* what done is given */
};

/* Judges it and keeps it; done is called now or later. The costly signature is looked at only when the challenge is
 * good. */
void directory_register(struct directory *d, uint64_t now_s, struct directory_order *order);

/* As store_get and store_list. */
void directory_find(struct directory *d, uint64_t now_s, const struct node_id *id, store_visit *visit,
                    store_done *done, void *context);
void directory_list(struct directory *d, const struct store_query *query, store_visit *visit,
                    store_done *done, void *context);

/* Nodes registered as of the store's last answer; it is asked at most once a second. */
uint64_t directory_count(struct directory *d, uint64_t now_s);
