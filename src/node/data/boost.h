/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The right of way of workers that carry little beside bulk flows (bulk.h): the one that has the sparse flows, and others whose
 * bulk flows are slow, as where the way is. While there are bulk flows such a worker runs under SCHED_RR, where that is
 * permitted (CAP_SYS_NICE): what it carries waits for no process, neither for the programs at a stream's ends nor for
 * other workers. The others are scheduled fairly, in short slices, and share with the programs that they work for.
 * Without bulk flows all are: the kernel then wakes a worker on whichever CPU is idle, and under SCHED_RR where it ran last.
 *
 * Who carries much, or has more to do than it can (overload.h), goes first no longer, until some time after. The worker's
 * thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BOOST_SLICE_NS  100000u  /* of the fair scheduler, Linux 6.12 and later; others ignore it */
#define BOOST_STREAM_US 100000u  /* since a frame of a bulk flow was last seen: so long there is a stream */
#define BOOST_WINDOW_US 50000u   /* in which so much, … */
#define BOOST_MUCH      1200000u /* … in bytes, and 1,000 for each frame or datagram, is much … */
#define BOOST_FAIR_US   1000000u /* … and ends the right for so long */

struct boost {
    bool permitted, raised; /* permitted: as far as is known */
    int nice;               /* as the person who started it wants it */
    const _Atomic uint64_t *bulk_seen_us;
    uint64_t window_us, carried; /* when the window began, and what had been carried then */
    uint64_t until_us;           /* scheduled fairly */
};

/* What to do at now_us, having carried so much in all. Moves the window on. */
enum boost_verdict { BOOST_KEEP, BOOST_RAISE, BOOST_LOWER };
enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t carried, bool overloaded);

/* The calling thread is scheduled fairly at first. bulk_seen_us tells when a frame of a bulk flow was last seen; it outlives
 * the thread. */
void boost_begin(struct boost *b, const _Atomic uint64_t *bulk_seen_us);

/* Ends a round: judges and acts. To be left out while it is not permitted. */
void boost_round(struct boost *b, uint64_t now_us, uint64_t carried, bool overloaded);
