/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which worker has what of a peer. The last byte of our receiver indices for a peer is its slot's, always the
 * same: by so much its lanes and flows are shifted among our workers, so that many peers with few workers each
 * keep all of ours busy. With hash % K, K the smaller number of workers, as the lane of a flow in both
 * directions, both ends send and receive it by one worker each, whatever their numbers:
 *
 *   the worker that receives a lane    (lane + shift) % workers      wire_worker, and the kernel: net/udp.c
 *   the lane that a worker sends in    (worker - shift) % workers
 *   the queue that a flow leaves by    (hash % K + shift) % workers  its answers come from there
 */

#include "proto/session/session.h"

static inline unsigned spread_shift(const struct session *s)
{
    return session_rx_index(s) & 0xff;
}

/* Our lane of the session for one of our workers. */
static inline unsigned spread_lane(const struct session *s, unsigned worker, unsigned workers)
{
    return (worker + workers - spread_shift(s) % workers) % workers;
}

static inline unsigned spread_worker(const struct session *s, unsigned lane, unsigned workers)
{
    return wire_worker(lane, session_rx_index(s), workers);
}

/* The TAP queue of a flow with this hash (frame/flow.h). */
static inline unsigned spread_queue(const struct session *s, uint32_t hash, unsigned workers)
{
    unsigned theirs = session_rx_lanes(s);
    return spread_worker(s, hash % (theirs < workers ? theirs : workers), workers);
}
