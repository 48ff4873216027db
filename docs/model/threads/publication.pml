/* SPDX-License-Identifier: Apache-2.0 */
/* How workers are told of a peer, src/node/data/fwd.c and tables.c: control makes an entry, links it in the place of the
 * old one by one store, waits for a grace period, and frees the old one.
 *
 * Claim: what a worker finds is whole, and not freed (WHOLE). Flaws: those of grace.pml, RELAXED_LINK (stored without
 * release), USED_AFTER (a worker uses an entry after its quiescent state). */

#define WORKERS   2
#define LOCATIONS (4 + WORKERS)
#define THREADS   (1 + WORKERS)
#define STORES    8
#define MUTEXES   1
#include "memory.pml"

#define LINK           0
#define CONTENT(e)     (e) /* of entries 1 and 2 */
#define GRACE          3
#define PASSED(worker) (3 + (worker))
#include "grace.pml"

#define MADE  1
#define FREED 2

#ifdef RELAXED_LINK
#define HOW_LINKED RELAXED
#else
#define HOW_LINKED RELEASE
#endif

inline use(entry)
{
    load(me, CONTENT(entry), there, RELAXED);
    assert(there == MADE) /* WHOLE */
}

proctype work(byte me)
{
    byte i, pick, found, there, number, times;
    for (times : 1 .. LOOKS) {
        load(me, LINK, found, ACQUIRE);
#ifdef USED_AFTER
        quiesce(me);
        use(found)
#else
        use(found);
        quiesce(me)
#endif
    }
    leave(me)
}

proctype control()
{
    byte i, pick, period, number, other, times, old = 1;
    for (times : 1 .. CHANGES) {
        store(CONTROL, CONTENT(3 - old), MADE, RELAXED);
        store(CONTROL, LINK, 3 - old, HOW_LINKED);
        settle();
        store(CONTROL, CONTENT(old), FREED, RELAXED);
        old = 3 - old
    }
}

init
{
    byte l;
    atomic {
        for (l : 0 .. LOCATIONS - 1) {
            put(l, 0)
        }
        put(LINK, 1);
        put(CONTENT(1), MADE);
        run control();
        for (l : 1 .. WORKERS) {
            run work(l)
        }
    }
}
