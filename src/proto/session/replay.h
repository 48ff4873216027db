/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A sliding window over 8192 counters (RFC 6479's scheme). Owned by the thread that owns the lane; any thread
 * may read highest and received. Starts zeroed. */

#include "proto/wire/drop.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdint.h>

#define REPLAY_WINDOW 8192

struct replay {
    _Atomic uint64_t highest;  /* next counter never seen: 0 when nothing was received */
    _Atomic uint64_t received; /* accepted so far; highest - received are lost or still to come */
    uint64_t bits[REPLAY_WINDOW / 64 + 1];
};

/* DROP_NONE, DROP_REPLAY, or DROP_OLD (also for 2^64 - 1, which no key lives to see): before the tag is
 * checked; changes nothing. */
enum drop replay_check(const struct replay *r, uint64_t counter) must_check;

/* Marks an authenticated counter that replay_check let pass. */
void replay_accept(struct replay *r, uint64_t counter);
