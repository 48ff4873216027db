/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The forwarding table: what workers need to know of peers, changed by the control thread one peer at a time and read
 * without locks (QSBR RCU, liburcu). What workers find is immutable, and stays until their next quiescent state. */

#include "base/addr.h"
#include "base/err.h"
#include "node/carrier/carrier.h"
#include "proto/session/session.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FWD_PEERS 4096 /* slots */

struct fwd_peer {
    uint32_t slot;
    uint16_t size; /* UDP payload that the path carries; under 300 bytes it counts as no path */
    bool has_path;
    bool sleeps;              /* what is for everybody may have to wait (switch_may_flood) */
    size_t overhead;          /* what a datagram adds to a frame, with its envelope: fwd_set's to fill */
    struct session *tx;       /* the session that seals */
    struct endpoint endpoint; /* the best path's … */
    struct carrier_remote to; /* … in its carrier's form */
    /* Whose envelopes its datagrams may come in, whatever path is best: fwd_set copies them. */
    const struct endpoint *relays;
    size_t relay_count;
};

struct fwd;
int fwd_new(struct fwd **out) must_check;
void fwd_free(struct fwd *fwd); /* NULL is allowed; no worker is left, and sessions are not looked at */

/* What workers know of the peer in slot from now on: peer says how to send to it (NULL: not at all), rx are its sessions
 * that may receive, with distinct indices. Costs what changes, whatever other peers there are. What is taken away may
 * still be in use until fwd_settle returns. ERR_NOMEM: workers know a part of it, and nothing that was taken away; it is
 * to be tried again. Control thread. */
int fwd_set(struct fwd *fwd, uint32_t slot, const struct fwd_peer *peer, struct session *const *rx,
            size_t rx_count) must_check;

/* Returns once no worker uses what fwd_set has taken away: whatever that alone referred to may be freed. At once when
 * nothing was, unless something else was taken from workers. Control thread. */
void fwd_settle(struct fwd *fwd, bool else_taken);

/* Worker side, between quiescent states. */
struct session *fwd_session(const struct fwd *fwd, uint32_t rx_index); /* NULL when unknown */
const struct fwd_peer *fwd_peer(const struct fwd *fwd,
                                uint32_t slot); /* NULL when there is none to send to */

/* Whether a datagram of the peer may come in an envelope of that channel from there. */
bool fwd_takes_relayed(const struct fwd_peer *peer, const struct addr *relay, uint32_t channel);

/* Whether one of the sessions that we seal under sends to this receiver index. */
bool fwd_sends_to(const struct fwd *fwd, uint32_t tx_index);

/* Those with a path, for flooding: the first, the one behind, NULL at the end; and how many there are. One that is ready
 * all the time is met once, whatever happens to others meanwhile. */
const struct fwd_peer *fwd_ready_first(const struct fwd *fwd);
const struct fwd_peer *fwd_ready_next(const struct fwd_peer *peer);
size_t fwd_ready_count(const struct fwd *fwd);

/* A worker registers its thread once, brackets sleeps with offline/online, and passes a quiescent state each round: what
 * it has found in the table before means nothing behind it. */
void fwd_worker_enter(struct fwd *fwd);
void fwd_worker_leave(struct fwd *fwd);
void fwd_worker_offline(struct fwd *fwd);
void fwd_worker_online(struct fwd *fwd);
void fwd_worker_quiesce(struct fwd *fwd);
