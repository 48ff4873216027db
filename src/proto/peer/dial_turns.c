/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of dial_turns.h, and the window. Two hundred machines that are started at once share little CPU, if they
 * are virtual: a handshake that waits for others longer than it may take fails, and is made again. So there are fewer at
 * once where they take long. Control thread. */

#include "proto/peer/dial_turns.h"

#include "base/clock.h"

#define WINDOW_FIRST 4
#define DEMANDS      4                  /* beyond the bounds, for those that are demanded */
#define PACE_US      100000ull          /* in which as many turns begin as the window has places */
#define QUICK_US     250000ull          /* a handshake that takes no longer lets the window grow … */
#define SLOW_US      USEC_PER_SEC       /* … and one that takes longer than this halves it */
#define AGAIN_US     (2 * USEC_PER_SEC) /* from a round that failed to one that is demanded */

void dial_turns_fini(struct dial_turns *t)
{
    heap_fini(&t->members);
}

static unsigned window_of(const struct dial_turns *t)
{
    return t->window ? t->window : WINDOW_FIRST;
}

/* Those that are not WAITING stay in the heap, behind all others: so there is room for each to come back. */
static void enter(struct dial_turns *t, struct dial_turn *d, enum dial_turn_state state, uint64_t at_us,
                  uint64_t now_us)
{
    t->trying -= d->state == DIAL_TURN_TRYING;
    t->shaking -= d->state == DIAL_TURN_SHAKING;
    t->trying += state == DIAL_TURN_TRYING;
    t->shaking += state == DIAL_TURN_SHAKING;
    d->state = state;
    d->since_us = now_us;
    heap_set(&t->members, &d->due, at_us);
}

int dial_turn_join(struct dial_turns *t, struct dial_turn *d)
{
    int err = heap_reserve(&t->members);
    if (err)
        return err;
    *d = (struct dial_turn){.state = DIAL_TURN_NONE};
    enter(t, d, DIAL_TURN_WAITING, 0, 0);
    return 0;
}

void dial_turn_leave(struct dial_turns *t, struct dial_turn *d)
{
    if (d->state == DIAL_TURN_NONE)
        return;
    enter(t, d, DIAL_TURN_NONE, TIME_NEVER, 0);
    heap_remove(&t->members, &d->due);
}

static struct dial_turn *first_of(const struct dial_turns *t)
{
    return (struct dial_turn *)heap_first(&t->members); /* due is what it begins with */
}

static bool has_room(const struct dial_turns *t, const struct dial_turn *d)
{
    unsigned more = d->demanded ? DEMANDS : 0;
    return t->trying < DIAL_TURNS_TRYING_MAX + more && t->shaking < window_of(t) + more;
}

uint64_t dial_turns_deadline(const struct dial_turns *t)
{
    const struct dial_turn *d = first_of(t);
    if (!d || d->state != DIAL_TURN_WAITING || !has_room(t, d))
        return TIME_NEVER;
    return d->demanded || d->due.at_us > t->next_us ? d->due.at_us : t->next_us;
}

struct dial_turn *dial_turns_next(const struct dial_turns *t, uint64_t now_us)
{
    return dial_turns_deadline(t) <= now_us ? first_of(t) : NULL;
}

void dial_turn_begin(struct dial_turns *t, struct dial_turn *d, uint64_t now_us)
{
    enter(t, d, DIAL_TURN_TRYING, TIME_NEVER, now_us);
    d->hasty = d->demanded;
    d->demanded = d->asked = false;
    t->next_us = now_us + PACE_US / window_of(t);
}

void dial_turn_answered(struct dial_turns *t, struct dial_turn *d, uint64_t now_us)
{
    if (d->state == DIAL_TURN_TRYING)
        enter(t, d, DIAL_TURN_SHAKING, TIME_NEVER, now_us);
}

/* Handshakes that were slow together tell one thing. */
static void measure(struct dial_turns *t, const struct dial_turn *d, bool succeeded, uint64_t now_us)
{
    unsigned window = window_of(t);
    uint64_t taken_us = now_us - d->since_us;
    if (d->state != DIAL_TURN_SHAKING)
        return;
    if (taken_us > SLOW_US && now_us - t->slow_us > SLOW_US) {
        t->window = window > 1 ? window / 2 : 1;
        t->slow_us = now_us;
    } else if (succeeded && taken_us <= QUICK_US && window < DIAL_TURNS_WINDOW_MAX) {
        t->window = window + 1;
    }
}

void dial_turn_done(struct dial_turns *t, struct dial_turn *d, uint64_t now_us)
{
    if (d->state == DIAL_TURN_NONE || d->state == DIAL_TURN_DONE)
        return;
    measure(t, d, true, now_us);
    enter(t, d, DIAL_TURN_DONE, TIME_NEVER, now_us);
    d->demanded = d->tried = d->asked = false;
    d->apart_us = 0;
}

void dial_turn_wait(struct dial_turns *t, struct dial_turn *d, uint64_t at_us, uint64_t now_us)
{
    if (d->state == DIAL_TURN_NONE)
        return;
    measure(t, d, false, now_us);
    d->tried = d->tried || dial_turn_has(d);
    enter(t, d, DIAL_TURN_WAITING, at_us, now_us);
}

bool dial_turn_apart(struct dial_turn *d, uint64_t now_us)
{
    bool first = d->apart_us == 0;
    if (first)
        d->apart_us = now_us;
    return first;
}

void dial_turn_ask(struct dial_turn *d)
{
    d->asked = true;
}

void dial_turn_hurry(struct dial_turns *t, struct dial_turn *d, uint64_t at_us)
{
    if (d->state == DIAL_TURN_WAITING && at_us < d->due.at_us)
        heap_set(&t->members, &d->due, at_us);
}

void dial_turn_demand(struct dial_turns *t, struct dial_turn *d)
{
    if (d->state != DIAL_TURN_WAITING || d->demanded)
        return;
    d->demanded = true;
    dial_turn_hurry(t, d, d->tried ? d->since_us + AGAIN_US : 0);
}
