/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the directory keeps registrations. A store knows nothing about signatures or rules but one, that a
 * newer record is never replaced by an older one, because only a store can make that rule hold between
 * several directories that share it. The directory's thread alone calls it (backbone/desk.h).
 *
 * Each question is answered once, by a call of `done`: at once, before the question returns, or from turn() or close().
 * Failures are ERR_IO, and the store has told the log why. What a visitor sees is borrowed until it returns. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "proto/message/record.h"
#include <stdbool.h>
#include <stdint.h>

#define STORE_NUMBER_MAX   INT64_MAX /* of seq and expiry_s: what stores and JSON numbers hold */
#define STORE_GRACE_S      600 /* for which one of its own accord forgets no seq after an entry expired */
#define STORE_SETTLE_S     300 /* for which a shared one prunes none after it expired by the server's own clock */
#define STORE_PRUNE_MAX    1000 /* entries that one call of prune forgets */
#define STORE_BEAT_TTL_S   10   /* for which an instance counts as alive after its last word */
#define STORE_URL_MAX      256  /* of an instance, with its NUL */
#define STORE_INSTANCES    16   /* that are told of */
#define STORE_INSTANCE_LEN 16   /* hex digits of an instance's, or a generation's name */
#define STORE_KEYS         3    /* of challenges: the last hour's, this one's and the next one's */
#define STORE_KEY_LEN      32

struct store_entry {
    struct node_id id;
    uint64_t seq, expiry_s;
    bool is_public;
    char name[RECORD_NAME_MAX + 1];
    char network[RECORD_NETWORK_MAX + 1];
    const char *linked;             /* get: URL of the instance where it has an uplink; NULL: not known */
    struct slice record, signature; /* borrowed: from the caller in put, during the visit in get and list */
};

/* Which entries to visit, in the order of their ids. Public entries come without record and signature. */
struct store_query {
    const char *network;         /* members of this network; NULL: the public ones */
    const struct node_id *after; /* those with higher ids only; NULL: from the first */
    unsigned limit;
    size_t bytes;   /* of records and signatures, after which the store may end the listing; 0: no end */
    uint64_t now_s; /* those that expire later only */
};

/* What an instance tells the others of itself, and what it proposes where the store has nothing. */
struct store_beat {
    char instance[STORE_INSTANCE_LEN + 1];
    char url[STORE_URL_MAX];
    char generation[STORE_INSTANCE_LEN + 1]; /* of what the store holds: new when it has lost it */
    uint64_t hour;                           /* since 1970: keys are those of hour - 1, hour, hour + 1 */
    uint8_t keys[STORE_KEYS][STORE_KEY_LEN];
};

/* What all have agreed on. */
struct store_heard {
    char generation[STORE_INSTANCE_LEN + 1];
    uint64_t hour;
    uint8_t keys[STORE_KEYS][STORE_KEY_LEN];
    unsigned count; /* of instances that live, ours among them */
    char urls[STORE_INSTANCES][STORE_URL_MAX];
};

/* Sees one entry; false ends the listing. */
typedef bool store_visit(void *context, const struct store_entry *entry);

/* err, and a number: the stored seq of put, or a count. */
typedef void store_done(void *context, int err, uint64_t number);
/* heard is NULL with an err. */
typedef void store_heard_done(void *context, int err, const struct store_heard *heard);

/* What the thread waits for on a store's behalf. */
struct store_watch {
    int fd; /* -1: nothing */
    short events;
    uint64_t at_us; /* UINT64_MAX: never */
};

struct store;

struct store_ops {
    void (*put)(struct store *s, const struct store_entry *entry, uint64_t now_s, store_done *done,
                void *context);
    void (*get)(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
                store_done *done, void *context);
    void (*list)(struct store *s, const struct store_query *query, store_visit *visit, store_done *done,
                 void *context);
    void (*count)(struct store *s, uint64_t now_s, store_done *done, void *context);
    void (*prune)(struct store *s, uint64_t before_s, store_done *done, void *context);
    /* Of a shared one; else NULL. */
    void (*beat)(struct store *s, const struct store_beat *mine, store_heard_done *done, void *context);
    void (*link)(struct store *s, const struct node_id *id, const char *instance, bool on, store_done *done,
                 void *context);
    /* Of one that answers later; else NULL. */
    struct store_watch (*watch)(struct store *s);
    void (*turn)(struct store *s, uint64_t now_us);
    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

/* Adds, or replaces an entry of a lower seq, and keeps it over a crash as far as the store does. ERR_EXISTS when the
 * stored entry is not older (the number is its seq), ERR_SPACE when there are as many entries as the store may
 * hold, ERR_IO. */
static inline void store_put(struct store *s, const struct store_entry *entry, uint64_t now_s,
                             store_done *done, void *context)
{
    s->ops->put(s, entry, now_s, done, context);
}

/* Visits id's entry if it expires after now_s: of a shared one, or has not yet by its server's clock. So it is with listings.
 * ERR_NOT_FOUND, ERR_IO. */
static inline void store_get(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
                             store_done *done, void *context)
{
    s->ops->get(s, id, now_s, visit, done, context);
}

/* The query is borrowed during the call alone. */
static inline void store_list(struct store *s, const struct store_query *query, store_visit *visit,
                              store_done *done, void *context)
{
    s->ops->list(s, query, visit, done, context);
}

/* How many entries expire after now_s. */
static inline void store_count(struct store *s, uint64_t now_s, store_done *done, void *context)
{
    s->ops->count(s, now_s, done, context);
}

/* Forgets entries that expired before before_s, at most STORE_PRUNE_MAX; the number is how many. A shared one asks its
 * server's clock, too: a fast one of a single instance must not cost the others what they hold. */
static inline void store_prune(struct store *s, uint64_t before_s, store_done *done, void *context)
{
    s->ops->prune(s, before_s, done, context);
}

/* Whether several directories share it: then it takes beat and link. */
static inline bool store_is_shared(const struct store *s)
{
    return s->ops->beat != NULL;
}

/* Says that we live, for STORE_BEAT_TTL_S, and learns of the others. */
static inline void store_beat(struct store *s, const struct store_beat *mine, store_heard_done *done,
                              void *context)
{
    s->ops->beat(s, mine, done, context);
}

/* Says that id has an uplink at an instance, or has it there no more; what another instance has said since stays. */
static inline void store_link(struct store *s, const struct node_id *id, const char *instance, bool on,
                              store_done *done, void *context)
{
    s->ops->link(s, id, instance, on, done, context);
}

static inline struct store_watch store_watch(struct store *s)
{
    return s->ops->watch ? s->ops->watch(s) : (struct store_watch){.fd = -1, .at_us = UINT64_MAX};
}

/* What it watched has happened, or its time has come, or it has just been asked something. */
static inline void store_turn(struct store *s, uint64_t now_us)
{
    if (s->ops->turn)
        s->ops->turn(s, now_us);
}

/* Answers what was not answered yet with ERR_IO. NULL is allowed. */
static inline void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}
