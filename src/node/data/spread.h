/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which worker has what of a peer. The last byte of our receiver indices for a peer is its slot's, always the
 * same: by so much its lanes and bulk flows are shifted among our bulk workers, so that many peers with few workers each
 * keep all of ours busy. With hash % K, K the smaller number of bulk workers, as the lane of a bulk flow in both
 * directions, both ends send and receive it by one worker each, whatever their numbers:
 *
 *   the worker that receives a lane    (lane + shift) % bulk      wire_worker, and the kernel: net/udp.c
 *   the lane that a worker sends in    (worker - shift) % bulk
 *   the queue that a flow leaves by    (hash % K + shift) % bulk  its answers come from there
 *
 * The last of several workers, its queue and its lane have all other flows. */

#include "proto/session/session.h"

static inline unsigned spread_shift(const struct session *s)
{
    return session_rx_index(s) & 0xff;
}

static inline bool spread_is_sparse(unsigned worker, unsigned workers)
{
    return workers > 1 && worker == workers - 1;
}

/* Our lane of the session for one of our workers. */
static inline unsigned spread_lane(const struct session *s, unsigned worker, unsigned workers)
{
    unsigned bulk = workers - (workers > 1);
    if (spread_is_sparse(worker, workers))
        return session_last_lane(s);
    return (worker + bulk - spread_shift(s) % bulk) % bulk;
}

static inline unsigned spread_worker(const struct session *s, unsigned lane, unsigned workers)
{
    return wire_worker(lane, session_rx_index(s), workers);
}

/* The TAP queue of a flow with this hash (frame/flow.h). */
static inline unsigned spread_queue(const struct session *s, uint32_t hash, bool is_bulk, unsigned workers)
{
    unsigned theirs = session_rx_bulk(s), ours = workers - (workers > 1);
    if (!is_bulk)
        return workers - 1;
    return spread_worker(s, hash % (theirs < ours ? theirs : ours), workers);
}
