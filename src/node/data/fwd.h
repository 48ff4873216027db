/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The forwarding table: what workers need to know of peers, published by the control thread and read without
 * locks (QSBR RCU, liburcu). Immutable once published. */

#include "base/addr.h"
#include "base/err.h"
#include "node/carrier/carrier.h"
#include "proto/session/session.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fwd_peer {
    uint32_t slot;
    uint16_t size; /* UDP payload that the path carries; under 300 bytes it counts as no path */
    bool has_path;
    size_t overhead;    /* what a datagram adds to a frame, with its envelope: fwd_table_add_peer's to fill */
    struct session *tx; /* the session that seals; NULL while there is none */
    struct endpoint endpoint; /* the best path's … */
    struct carrier_remote to; /* … in its carrier's form */
};

struct fwd_table;

/* Collects up to so many peers (distinct slots) and receive sessions (distinct indices), then is sealed by
 * fwd_publish. NULL when out of memory. */
struct fwd_table *fwd_table_new(size_t peers, size_t sessions);
void fwd_table_add_peer(struct fwd_table *t, const struct fwd_peer *peer);
void fwd_table_add_session(struct fwd_table *t, struct session *rx);
void fwd_table_free(struct fwd_table *t);

/* Worker side, between quiescent states. */
struct session *fwd_session(const struct fwd_table *t, uint32_t rx_index); /* NULL when unknown */
const struct fwd_peer *fwd_peer(const struct fwd_table *t, uint32_t slot); /* NULL when unknown */

/* Whether one of the sessions that we seal under sends to this receiver index. */
bool fwd_sends_to(const struct fwd_table *t, uint32_t tx_index);

const struct fwd_peer *fwd_peers(const struct fwd_table *t,
                                 size_t *count); /* those with session and path, for flooding */

/* The published table. */
struct fwd;
int fwd_new(struct fwd **out) must_check;
void fwd_free(struct fwd *fwd);

/* Replaces the table and returns once no worker uses the old one, which is freed: whatever it alone referred
 * to may be freed too. Control thread. */
void fwd_publish(struct fwd *fwd, struct fwd_table *table);

/* A worker registers its thread once, brackets sleeps with offline/online, and passes a quiescent state each
 * round. */
void fwd_worker_enter(struct fwd *fwd);
void fwd_worker_leave(struct fwd *fwd);
void fwd_worker_offline(struct fwd *fwd);
void fwd_worker_online(struct fwd *fwd);
const struct fwd_table *fwd_worker_quiesce(struct fwd *fwd); /* the table to use until the next call */
