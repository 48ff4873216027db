/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Members of a full mesh wait for their turn to be dialled: how many are at once goes by how long their handshakes take, which
 * is what a busy machine shows of itself. Pure; control thread. docs/PROTOCOL.md §6, "A full mesh".
 *
 *             its turn comes                a stream to it opens
 *   WAITING ──────────────────▶ TRYING ──────────────────────────▶ SHAKING
 *    ▲   ▲                       │                                  │
 *    │   └───────────────────────┴── its round of addresses failed ─┘
 *    └── its session is lost ── DONE ◀── a session, from any, whoever dialled
 */

#include "base/heap.h"
#include <stdbool.h>
#include <stdint.h>

#define DIAL_TURNS_TRYING_MAX 32 /* whose streams are being opened */
#define DIAL_TURNS_WINDOW_MAX 16 /* whose handshakes run */

enum dial_turn_state {
    DIAL_TURN_NONE, /* it is dialled without turns, or not at all */
    DIAL_TURN_WAITING,
    DIAL_TURN_TRYING,
    DIAL_TURN_SHAKING,
    DIAL_TURN_DONE,
};

/* Of one member. All zero: none. */
struct dial_turn {
    struct heap_node due; /* WAITING: no sooner than that; 0: at once. Else never */
    enum dial_turn_state state;
    uint64_t since_us; /* when this state began */
    uint64_t apart_us; /* since when it has no session; 0: it was not looked at yet */
    bool demanded;     /* somebody waits for it: it goes before others … */
    bool hasty;        /* … or did when its turn began */
    bool tried;        /* a round has failed since it is apart */
    bool asked;        /* the directory is, before its next round */
};

/* All zero: empty. */
struct dial_turns {
    struct heap members; /* all, by when they are due */
    unsigned trying, shaking;
    unsigned window;  /* so many may be SHAKING; 0: not measured yet */
    uint64_t next_us; /* no turn sooner, but of those that are demanded */
    uint64_t slow_us; /* when the window was last halved */
};

void dial_turns_fini(struct dial_turns *t);

/* d, which is NONE, becomes a member, and waits. ERR_NOMEM. */
int dial_turn_join(struct dial_turns *t, struct dial_turn *d) must_check;
/* NONE again; nothing for one that is. */
void dial_turn_leave(struct dial_turns *t, struct dial_turn *d);

/* Whose turn it is, or NULL: then dial_turn_begin, or dial_turn_wait to put it off. */
struct dial_turn *dial_turns_next(const struct dial_turns *t, uint64_t now_us);
/* When that may be somebody; TIME_NEVER while others have to come to an end first. */
uint64_t dial_turns_deadline(const struct dial_turns *t);

/* Of a member: the transitions. dial_turn_wait: no sooner than at_us. */
void dial_turn_begin(struct dial_turns *t, struct dial_turn *d, uint64_t now_us);
void dial_turn_answered(struct dial_turns *t, struct dial_turn *d, uint64_t now_us);
void dial_turn_done(struct dial_turns *t, struct dial_turn *d, uint64_t now_us);
void dial_turn_wait(struct dial_turns *t, struct dial_turn *d, uint64_t at_us, uint64_t now_us);

/* One that waits is looked at: true for the first time since it is apart. The directory is asked for it. */
bool dial_turn_apart(struct dial_turn *d, uint64_t now_us);
void dial_turn_ask(struct dial_turn *d);

/* One that waits: at the latest at_us; or before others, two seconds after a round that failed. */
void dial_turn_hurry(struct dial_turns *t, struct dial_turn *d, uint64_t at_us);
void dial_turn_demand(struct dial_turns *t, struct dial_turn *d);

/* It is dialled in a turn that nobody waits for. */
static inline bool dial_turn_has_time(const struct dial_turn *d)
{
    return (d->state == DIAL_TURN_TRYING || d->state == DIAL_TURN_SHAKING) && !d->hasty;
}

/* Whether its addresses may be dialled now, as far as turns go. */
static inline bool dial_turn_has(const struct dial_turn *d)
{
    return d->state == DIAL_TURN_NONE || d->state == DIAL_TURN_TRYING || d->state == DIAL_TURN_SHAKING;
}
