/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much may wait for the underlay: 20 ms of what it takes, whatever that is. A socket's buffer holds bytes,
 * and bytes are seconds on a slow uplink. The rate is learned while something waits. Small frames have more room,
 * so that pings, calls and acknowledgements do not share the bulk's losses. Pure; the worker's thread.
 * docs/ARCHITECTURE.md, "Latency". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_TARGET_US 20000u
#define BACKLOG_SAMPLE_US 10000u
#define BACKLOG_MIN       131072u  /* two super-frames */
#define BACKLOG_MAX       8388608u /* what the socket holds anyway */
#define BACKLOG_FIRST     1048576u /* until a rate is known */
#define BACKLOG_LOOK      32768u   /* bytes sent from one look at the socket to the next */
#define BACKLOG_SPARED    4u       /* times the limit: the room of small frames and of what can be marked */
#define BACKLOG_SPARSE    512u     /* bytes: what counts as a small frame */

enum backlog_state {
    BACKLOG_FREE,
    BACKLOG_OVER, /* small frames pass, mark what can be marked (ECN), drop the rest */
    BACKLOG_FULL, /* drop */
};

struct backlog {
    size_t limit; /* bytes that may wait, as the kernel counts them: with its own bookkeeping */
    enum backlog_state state;
    uint64_t since_us, sent; /* the present sample: since when (0: none), bytes sent until then … */
    size_t unsent;           /* … and what of them waited */
};

void backlog_init(struct backlog *b);

/* A look at now_us, when `sent` bytes were sent in all and `unsent` of them wait: updates limit and state. */
void backlog_look(struct backlog *b, uint64_t now_us, uint64_t sent, size_t unsent);
