/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the directory keeps registrations. A store knows nothing about signatures or rules but one, that a
 * newer record is never replaced by an older one, because only a store can make that rule hold between
 * several directories that share it. The HTTP thread alone calls it. Failures are ERR_IO, and the store has
 * told the log why. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "proto/message/record.h"
#include <stdbool.h>
#include <stdint.h>

#define STORE_NUMBER_MAX INT64_MAX /* of seq and expiry_s: what stores and JSON numbers hold */

struct store_entry {
    struct node_id id;
    uint64_t seq, expiry_s;
    bool is_public;
    char name[RECORD_NAME_MAX + 1];
    char network[RECORD_NETWORK_MAX + 1];
    struct slice record, signature; /* borrowed: from the caller in put, during the visit in get and list */
};

/* Which entries to visit, in the order of their ids. Public entries come without record and signature. */
struct store_query {
    const char *network;         /* members of this network; NULL: the public ones */
    const struct node_id *after; /* those with higher ids only; NULL: from the first */
    unsigned limit;
    uint64_t now_s; /* those that expire later only */
};

/* Sees one entry; false ends the listing. */
typedef bool store_visit(void *context, const struct store_entry *entry);

struct store;

struct store_ops {
    int (*put)(struct store *s, const struct store_entry *entry, uint64_t *stored_seq) must_check;
    int (*get)(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
               void *context) must_check;
    int (*list)(struct store *s, const struct store_query *query, store_visit *visit,
                void *context) must_check;
    int (*count)(struct store *s, uint64_t now_s, uint64_t *out) must_check;
    int (*prune)(struct store *s, uint64_t before_s) must_check;
    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

/* Adds, or replaces an entry of a lower seq, and keeps it over a crash. ERR_EXISTS when the stored entry is
 * not older (*stored_seq is its seq), ERR_SPACE when there are as many entries as the store may hold,
 * ERR_IO. */
static inline must_check int store_put(struct store *s, const struct store_entry *entry, uint64_t *stored_seq)
{
    return s->ops->put(s, entry, stored_seq);
}

/* Visits id's entry if it expires after now_s. ERR_NOT_FOUND, ERR_IO. */
static inline must_check int store_get(struct store *s, const struct node_id *id, uint64_t now_s,
                                       store_visit *visit, void *context)
{
    return s->ops->get(s, id, now_s, visit, context);
}

static inline must_check int store_list(struct store *s, const struct store_query *query, store_visit *visit,
                                        void *context)
{
    return s->ops->list(s, query, visit, context);
}

/* How many entries expire after now_s. */
static inline must_check int store_count(struct store *s, uint64_t now_s, uint64_t *out)
{
    return s->ops->count(s, now_s, out);
}

/* Forgets entries that expired before before_s; a bounded number of them in one call. */
static inline must_check int store_prune(struct store *s, uint64_t before_s)
{
    return s->ops->prune(s, before_s);
}

/* NULL is allowed. */
static inline void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}
