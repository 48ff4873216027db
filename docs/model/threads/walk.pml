/* SPDX-License-Identifier: Apache-2.0 */
/* The list of peers that are flooded to, src/node/data/fwd.c: a worker walks it while control replaces, removes and adds
 * peer A's entries (1 to 3). B's (4) stays. Several changes may share a grace period.
 *
 * Claims: a walk meets B once, whatever happens to A (ONCE), and A not twice (TWICE); it meets nothing that is not made
 * or that is freed (WHOLE). Flaws: those of grace.pml, RELAXED_LINK (stored without release), LINK_FIRST (an entry is
 * linked before it leads on), AT_HEAD (a replacement goes to the head while the old entry is still in the list). */

#define WORKERS   1
#define LOCATIONS 7
#define THREADS   2
#define STORES    10
#define MUTEXES   1
#include "memory.pml"

#define HEAD           0
#define NEXT(e)        (e) /* of entries 1 to 4 */
#define B              4
#define GRACE          5
#define PASSED(worker) 6
#include "grace.pml"

#define WORKER 1
#define UNMADE 8
#define FREED  9

#ifdef RELAXED_LINK
#define HOW_LINKED RELAXED
#else
#define HOW_LINKED RELEASE
#endif

inline walk()
{
    met_a = 0;
    met_b = 0;
    load(WORKER, HEAD, at, ACQUIRE);
    do
    :: at == 0 -> break
    :: else ->
        if
        :: at == B -> met_b++
        :: else -> met_a++
        fi;
        assert(met_a <= 1); /* TWICE */
        load(WORKER, NEXT(at), next, ACQUIRE);
        at = next;
        assert(at < UNMADE) /* WHOLE */
    od;
    assert(met_b == 1) /* ONCE */
}

proctype work()
{
    byte i, pick, at, next, met_a, met_b, number, times;
    for (times : 1 .. LOOKS) {
        walk();
        quiesce(WORKER)
    }
    leave(WORKER)
}

inline link(entry, leads, behind)
{
#ifdef LINK_FIRST
    store(CONTROL, leads, entry, HOW_LINKED);
    store(CONTROL, NEXT(entry), behind, RELAXED)
#else
    store(CONTROL, NEXT(entry), behind, RELAXED);
    store(CONTROL, leads, entry, HOW_LINKED)
#endif
}

/* Where A is: what leads to it, and what is behind. */
#define LEADS  (LAST(HEAD) == of_a -> HEAD : NEXT(B))
#define BEHIND LAST(NEXT(of_a))

inline take_entry()
{
    if
    :: !linked[1] && !waits[1] -> new = 1
    :: !linked[2] && !waits[2] -> new = 2
    :: !linked[3] && !waits[3] -> new = 3
    fi;
    linked[new] = true
}

inline retire(entry)
{
    linked[entry] = false;
    waits[entry] = true
}

inline replace()
{
    take_entry();
#ifdef AT_HEAD
    link(new, HEAD, LAST(HEAD));
    leads = (LAST(NEXT(new)) == of_a -> NEXT(new) : NEXT(B));
    store(CONTROL, leads, BEHIND, HOW_LINKED);
#else
    leads = LEADS;
    link(new, leads, BEHIND);
#endif
    retire(of_a);
    of_a = new
}

inline remove()
{
    leads = LEADS;
    store(CONTROL, leads, BEHIND, HOW_LINKED);
    retire(of_a);
    of_a = 0
}

inline add()
{
    take_entry();
    link(new, HEAD, LAST(HEAD));
    of_a = new
}

inline free_what_waits()
{
    settle();
    for (new : 1 .. 3) {
        if
        :: waits[new] -> store(CONTROL, NEXT(new), FREED, RELAXED); waits[new] = false
        :: else
        fi
    }
}

proctype control()
{
    byte i, pick, period, number, other, times, leads, new, of_a = 1;
    bool linked[4], waits[4];
    linked[1] = true;
    for (times : 1 .. CHANGES) {
        if
        :: of_a -> replace()
        :: of_a -> remove()
        :: !of_a -> add()
        fi;
        if
        :: free_what_waits()
        :: waits[1] + waits[2] + waits[3] < 2 /* more changes come first */
        fi
    }
}

init
{
    atomic {
        put(GRACE, 0);
        put(PASSED(WORKER), 0);
        put(NEXT(2), UNMADE);
        put(NEXT(3), UNMADE);
        if
        :: put(HEAD, 1); put(NEXT(1), B); put(NEXT(B), 0)
        :: put(HEAD, B); put(NEXT(B), 1); put(NEXT(1), 0)
        fi;
        run control();
        run work()
    }
}
