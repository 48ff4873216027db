/* SPDX-License-Identifier: Apache-2.0 */
/* A lane of the peer's that two workers open datagrams of, src/proto/session/session.c, session_lane.c and replay.c.
 * Control gives it an opener of its own meanwhile, takes it away again, and asks what has come. A window is a set of
 * counters here: that it slides is the unit tests' matter.
 *
 * Claims: no counter is accepted twice (TWICE); what came is never more than the highest counter allows (NEGATIVE), which
 * would be a negative loss. Flaws: NO_HOLD (a worker does not hold the lane), WARM_UNHELD (control does not),
 * RELAXED_RECEIVED (stored without release), RELAXED_READ (loaded without acquire), HIGHEST_FIRST (loaded first). */

#define LOCATIONS 7
#define THREADS   3
#define STORES    8
#define MUTEXES   1
#include "memory.pml"

/* Of the narrow window (0) and of the opener's (1). */
#define SET(window)      ((window) * 3)
#define HIGHEST(window)  ((window) * 3 + 1)
#define RECEIVED(window) ((window) * 3 + 2)
#define OPENER 6

#define CONTROL 2
#define LANE    0
#define COUNTERS 2

byte accepted[COUNTERS];

#ifdef RELAXED_RECEIVED
#define HOW_STORED RELAXED
#else
#define HOW_STORED RELEASE
#endif
#ifdef RELAXED_READ
#define HOW_LOADED RELAXED
#else
#define HOW_LOADED ACQUIRE
#endif

inline accept(counter)
{
    accepted[counter]++;
    assert(accepted[counter] == 1); /* TWICE */
    if
    :: counter >= highest -> store(me, HIGHEST(own), counter + 1, RELAXED)
    :: else
    fi;
    store(me, SET(own), set | (1 << counter), RELAXED);
    load(me, RECEIVED(own), number, RELAXED);
    store(me, RECEIVED(own), number + 1, HOW_STORED)
}

inline open(counter)
{
#ifndef NO_HOLD
    lock(me, LANE);
#endif
    load(me, OPENER, own, RELAXED);
    load(me, HIGHEST(own), highest, RELAXED);
    load(me, SET(own), set, RELAXED);
    if
    :: counter >= highest || !(set & (1 << counter)) -> accept(counter)
    :: else
    fi;
#ifndef NO_HOLD
    unlock(me, LANE)
#endif
}

proctype worker(byte me)
{
    byte i, pick, own, highest, set, number, times;
    do
    :: times < DATAGRAMS -> times++; open(0)
    :: times < DATAGRAMS -> times++; open(1)
    :: times == DATAGRAMS -> break
    od
}

inline copy(from, to, opener)
{
#ifndef WARM_UNHELD
    lock(CONTROL, LANE);
#endif
    load(CONTROL, SET(from), value, RELAXED);
    store(CONTROL, SET(to), value, RELAXED);
    load(CONTROL, HIGHEST(from), value, RELAXED);
    store(CONTROL, HIGHEST(to), value, RELAXED);
    load(CONTROL, RECEIVED(from), value, RELAXED);
    store(CONTROL, RECEIVED(to), value, RELAXED);
    store(CONTROL, OPENER, opener, RELAXED);
#ifndef WARM_UNHELD
    unlock(CONTROL, LANE)
#endif
}

inline ask(window)
{
#ifdef HIGHEST_FIRST
    load(CONTROL, HIGHEST(window), highest, RELAXED);
    load(CONTROL, RECEIVED(window), value, HOW_LOADED);
#else
    load(CONTROL, RECEIVED(window), value, HOW_LOADED);
    load(CONTROL, HIGHEST(window), highest, RELAXED);
#endif
    assert(value <= highest) /* NEGATIVE */
}

proctype control()
{
    byte i, pick, value, highest;
    ask(0);
    copy(0, 1, 1);
    ask(1);
    copy(1, 0, 0);
    ask(0)
}

init
{
    byte l;
    atomic {
        for (l : 0 .. LOCATIONS - 1) {
            put(l, 0)
        }
        run worker(0);
        run worker(1);
        run control()
    }
}
