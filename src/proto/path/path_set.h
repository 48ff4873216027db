/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of a path set share: its state, and its entries, which are made when a path is added and freed with it.
 * Internal to proto/path/path; control thread. docs/PROTOCOL.md §9. */

#include "base/bucket.h"
#include "proto/path/path_entry.h"
#include "proto/path/path_doubt.h"

/* Where an entry stands. Candidates share the first place, which has room for CANDIDATES_MAX; there is one trunk at most, one
 * uplink of each backbone, and one relay of each number. */
#define PATH_PLACE_CANDIDATE 0
#define PATH_PLACE_STANDBY   1 /* has room for PATH_STANDBYS_MAX */
#define PATH_PLACE_TRUNK     2
#define PATH_PLACE_UPLINK    3
#define PATH_PLACE_RELAY     (PATH_PLACE_UPLINK + UPLINKS_MAX)

struct path_set {
    struct path_set_config config;
    struct path_entry *first; /* in the order of their places */
    struct path_entry *best;
    bool backed; /* one of a higher tier, or another relay, would take over from best */
    bool active;
    bool quiet;         /* proto/path/path_quiet.h */
    bool standby_call;  /* path_take_standby_call */
    uint64_t active_us; /* when it last was */
    bool dirty;         /* a change that the owner has not been told */
    bool provisional;   /* best took over from one that failed, and has not answered since */
    uint64_t chosen_us; /* when best was */
    uint64_t flowed_us; /* when data last flowed, or paths were last to be asked whatever flows */
    uint64_t now_us;    /* the newest that was heard */
    uint64_t alert_us;  /* until then every path is hurried */
    struct bucket tries, challenges;
    uint64_t sent;                 /* datagrams of data, so far */
    struct path_receipts receipts; /* of best … */
    struct path_watch watch;       /* … and what speaks against it */
    struct path reported;          /* best as the owner knows it; all zero: none */
};

/* The entry behind e, the first for NULL; NULL behind the last. Entries stay where they are until they are removed. */
struct path_entry *path_set_next(const struct path_set *set, const struct path_entry *e);

/* The first in that place, or NULL. */
struct path_entry *path_set_at(const struct path_set *set, uint8_t place);

/* The path that leads there, or NULL. */
struct path_entry *path_set_find(const struct path_set *set, const struct endpoint *to);

/* A new path, untried and due at once, behind those of its place. NULL when there is no memory: as if it was not there. */
struct path_entry *path_set_put(struct path_set *set, uint8_t place, const struct endpoint *to,
                                uint64_t now_us);

/* Forgets a path and frees it. If it was the best, there is none until path_choose. */
void path_set_remove(struct path_set *set, struct path_entry *e);

/* Over TCP, whose own packets nobody sees. */
bool path_set_by_stream(const struct path_entry *e);

/* The largest datagram that may be tried, without its envelope, in bytes. */
uint16_t path_set_limit(const struct path_set *set, const struct path_entry *e);

/* Every event tells the time. */
void path_set_heard(struct path_set *set, uint64_t now_us);

/* True when what the owner publishes is no longer so; then the owner is taken to know. */
bool path_set_report(struct path_set *set);

/* Asks one that has failed again, unless that was just done. */
void path_set_retry(struct path_entry *e, uint64_t now_us);

/* Everything that does not answer is asked again, everything that did is asked whether it still does. */
void path_set_ask_all(struct path_set *set, uint64_t now_us);
