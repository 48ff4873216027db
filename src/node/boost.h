/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A worker's right of way. Where permitted (CAP_SYS_NICE) it runs under SCHED_RR, so that a frame does not
 * wait for the time slices of whatever else the machine computes: a kernel forwards before any process, too.
 * A worker that takes a CPU whole, be it by a flood of garbage, loses that right for a while and shares like
 * everybody else. The worker's thread. */

#include <stdbool.h>
#include <stdint.h>

#define BOOST_WINDOW_US      500000u  /* over which its use of the CPU is judged */
#define BOOST_SHARE          90u      /* percent of the window: more is too much */
#define BOOST_PENALTY_US     100000u  /* how long it then does without: doubled each time in a row … */
#define BOOST_PENALTY_MAX_US 6400000u /* … up to this */

struct boost {
    bool permitted, raised;
    uint64_t window_us, cpu_us;    /* when the window began, and the CPU time then */
    uint64_t penalty_us, until_us; /* of the last time; not to be raised before */
};

/* What to do at now_us, after cpu_us of CPU time in all. Moves the window on. */
enum boost_verdict { BOOST_KEEP, BOOST_RAISE, BOOST_LOWER };
enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t cpu_us);

/* Raises the calling thread, if it may be. */
void boost_begin(struct boost *b, uint64_t now_us);

/* Judges and acts when the time has come. */
void boost_act(struct boost *b, uint64_t now_us);
static inline void boost_round(struct boost *b, uint64_t now_us)
{
    if (b->permitted && now_us - b->window_us >= (b->raised ? BOOST_WINDOW_US : BOOST_PENALTY_US))
        boost_act(b, now_us);
}
