/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The trunk to one peer, a TCP connection for its datagrams: when it is dialled, where, and when it ends. docs/PROTOCOL.md
 * §18. Pure; control thread.
 *
 *             wanted, its time has come                 connected
 *   NONE ────────────────────────────────▶ DIALLING ───────────────────▶ OPEN
 *    ▲ ▲                                      │ 1 s, or it failed          │ ▲
 *    │ └──────────────────────────────────────┘                           │ │ a peer's is accepted, in any state
 *    └── it failed, or we dialled it and it was not wanted for 30 s ──────┘ │
 */

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

#define TRUNK_ERROR_MAX 64

enum trunk_state { TRUNK_NONE, TRUNK_DIALLING, TRUNK_OPEN };

/* All zero: none, and none wanted. */
struct trunk_plan {
    enum trunk_state state;
    uint64_t conn;               /* DIALLING, OPEN … */
    struct addr remote;          /* … and with whom */
    bool ours;                   /* we dialled it */
    bool proved;                 /* its path has answered */
    unsigned next;               /* which address is dialled next, of the round that runs */
    uint64_t since_us;           /* when this state began */
    uint64_t wanted_us;          /* since when one is wanted; 0: none is … */
    uint64_t left_us;            /* … since then; 0: never was */
    uint64_t at_us;              /* no sooner is one dialled */
    uint64_t backoff_us;         /* after the last round that failed */
    char error[TRUNK_ERROR_MAX]; /* why the last one failed or ended; empty once one has answered */
};

enum trunk_step {
    TRUNK_STEP_NONE,
    TRUNK_STEP_DIAL, /* address `next`: then trunk_dial, or trunk_round_over where there is none */
    TRUNK_STEP_END,  /* then trunk_gone */
};

/* Whether one is wanted now; patience_us is how long that has to be so before one is dialled. */
void trunk_want(struct trunk_plan *t, bool wanted, uint64_t patience_us, uint64_t now_us);

/* What is to be done now. */
enum trunk_step trunk_step(const struct trunk_plan *t, uint64_t now_us);

/* When that may change by itself; TIME_NEVER. */
uint64_t trunk_next(const struct trunk_plan *t);

void trunk_dial(struct trunk_plan *t, uint64_t conn, const struct addr *to, uint64_t now_us);
void trunk_opened(struct trunk_plan *t, uint64_t conn, const struct addr *remote, bool ours, uint64_t now_us);
void trunk_proved(struct trunk_plan *t);

/* It ended, or could not be dialled; why is the end of a sentence. The next address is tried, or the same where it has
 * served. */
void trunk_gone(struct trunk_plan *t, const char *why, uint64_t now_us);
void trunk_round_over(struct trunk_plan *t, uint64_t now_us);

/* Of two that both ends dialled at once: ours stays, if our id is the lower one, while it is young or sound. */
bool trunk_stays(const struct trunk_plan *t, bool lower_id, bool sound, uint64_t now_us);
