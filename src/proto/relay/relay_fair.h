/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Max-min fair shares of what a relay passes on. While pairs ask for more than there is, the heaviest are lowered to one level so
 * that what all have together fits; who asks for less than that loses nothing. A relay has no queue of its own: what is over a
 * share is dropped. One thread at a time; time comes in. docs/PROTOCOL.md §17. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_FAIR_PERIOD_US 20000ull /* the level follows from what was asked for in so long */
#define RELAY_FAIR_PRESSED   35       /* per cent of the socket's queue: more comes than is passed on */

/* Of one pair. All zero: it asks for nothing. */
struct relay_share {
    uint64_t asked, passed; /* bytes in this period; passed may be a debt of the last one */
    struct relay_share *before, *after;
    bool listed;
};

/* All zero but the rate. */
struct relay_fair {
    uint64_t bytes_per_s; /* what may be passed on in all */
    uint64_t level;       /* bytes of one pair in a period; 0: as many as it likes */
    uint64_t period_us;   /* when this period began */
    uint64_t passed;      /* bytes in it … */
    uint64_t peak;        /* … and in the best one of late */
    bool pressed;         /* more came in it than could be passed on */
    struct relay_share *active;
};

/* Whether so many bytes of a pair may pass now: then they are counted. */
bool relay_fair_pass(struct relay_fair *f, struct relay_share *share, size_t bytes, uint64_t now_us);

/* How full the socket's queue was when it was last read, in per cent. */
void relay_fair_press(struct relay_fair *f, unsigned percent);

/* The pair is gone. */
void relay_fair_leave(struct relay_fair *f, struct relay_share *share);
