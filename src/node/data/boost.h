/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A worker's right of way. One with little to do is scheduled fairly, in short slices: the kernel then wakes it
 * on whichever CPU is idle, and a frame finds it there. One that carries a stream competes with the programs at
 * the stream's ends; where permitted (CAP_SYS_NICE) it runs under SCHED_RR meanwhile, so that frames queue where
 * the stream comes from and not here, before everybody else's: a kernel forwards before any process, too. All
 * workers of the node do then, lest the others' frames wait for that one. But it wakes where it ran last, which
 * is why it is no good for the former. A worker that takes a CPU whole, be it by a flood of garbage, or
 * has more to do than it can (overload.h), loses that right for a while and shares like everybody else. The
 * worker's thread.
 *
 * Who goes first interrupts the sender at every frame: a flood of small ones then costs a wake-up each on
 * both ends, and a stream one for every super-frame. So a raised worker that wakes far more often than requests
 * and answers could make it pauses before it looks again, as network cards do. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BOOST_SLICE_NS       100000u  /* of the fair scheduler, Linux 6.12 and later; others ignore it */
#define BOOST_NOTICE_US      10000u   /* over which it is judged whether there is a stream … */
#define BOOST_RATE           4000000u /* … of so many bytes a second: then workers are raised … */
#define BOOST_LINGER_US      100000u  /* … until so long after the last such window */
#define BOOST_SHARE          90u      /* percent of a CPU while raised: more is too much … */
#define BOOST_WINDOW_US      500000u  /* … over so long */
#define BOOST_PENALTY_US     100000u  /* how long it then does without: doubled each time in a row … */
#define BOOST_PENALTY_MAX_US 6400000u /* … up to this */

#define BOOST_ROUNDS     24u /* in a millisecond without a pause: more than any dialogue of two ends takes, … */
#define BOOST_BULK       32768u /* … where one that carries so many bytes counts as … */
#define BOOST_BULK_COUNT 6u
#define BOOST_PAUSE_NS   100000u /* before each one more */

struct boost {
    bool permitted, raised;            /* permitted: as far as is known */
    int nice;                          /* as the person who started it wants it */
    _Atomic uint64_t *stream_until_us; /* shared with the node's other workers */
    uint64_t pace_us;                  /* when the present millisecond began … */
    unsigned rounds;                   /* … how many there were since … */
    uint64_t carried;                  /* … and the bytes carried before the last one */
    uint64_t window_us, bytes;         /* when the window of the rate began, and bytes carried then … */
    uint64_t share_us, cpu_us;         /* … that of the CPU's share, and CPU time then */
    bool overloaded;                   /* since it was judged last */
    uint64_t penalty_us, until_us;     /* of the last time; not to be raised before */
};

/* What to do at now_us, after cpu_us of CPU time and so many bytes of frames in all. Moves the windows on. */
enum boost_verdict { BOOST_KEEP, BOOST_RAISE, BOOST_LOWER };
enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t cpu_us, uint64_t bytes);

/* The calling thread is to be raised when it is worth it; until then it is scheduled fairly. *stream_until_us is
 * one for all workers of a node, 0 at first, and outlives them. */
void boost_begin(struct boost *b, _Atomic uint64_t *stream_until_us, uint64_t now_us);

/* Begins a round, after so many bytes of frames carried in all: judges and acts when the time has come. */
void boost_act(struct boost *b, uint64_t now_us, uint64_t bytes);
static inline void boost_round(struct boost *b, uint64_t now_us, uint64_t bytes, bool overloaded)
{
    b->overloaded |= overloaded;
    if (now_us - b->pace_us >= 1000) {
        b->pace_us = now_us;
        b->rounds = 0;
    }
    b->rounds += bytes - b->carried >= BOOST_BULK ? BOOST_BULK_COUNT : 1;
    b->carried = bytes;
    if (b->permitted && now_us - b->window_us >= BOOST_NOTICE_US)
        boost_act(b, now_us, bytes);
}

/* Interrupt moderation, before the worker waits for the next round: whether to pause, and the pause. */
static inline bool boost_is_moderated(const struct boost *b)
{
    return b->raised && b->rounds > BOOST_ROUNDS;
}
void boost_pause(const struct boost *b);
