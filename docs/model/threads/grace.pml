/* SPDX-License-Identifier: Apache-2.0 */
/* liburcu's QSBR, as far as fwd.c leans on it. Control gives the grace period a number, and waits until each worker has
 * taken it over in a quiescent state, in which it uses nothing that it found before. Thread 0 is control, the others are
 * workers. Whoever includes this defines WORKERS, GRACE and PASSED(worker), which are locations.
 *
 * Flaws: NO_GRACE does not wait, RELAXED_GRACE stores the number without release. */

#define CONTROL 0
#define LEFT    255 /* nobody waits for it any more */

#ifdef RELAXED_GRACE
#define HOW_ASKED RELAXED
#else
#define HOW_ASKED RELEASE
#endif

inline quiesce(worker)
{
    load(worker, GRACE, number, ACQUIRE);
    store(worker, PASSED(worker), number, RELEASE)
}

inline leave(worker)
{
    store(worker, PASSED(worker), LEFT, RELEASE)
}

inline settle()
{
    period++;
    store(CONTROL, GRACE, period, HOW_ASKED);
#ifndef NO_GRACE
    for (other : 1 .. WORKERS) {
        do
        :: load(CONTROL, PASSED(other), number, ACQUIRE);
            if
            :: number >= period -> break
            :: else
            fi
        od
    }
#endif
}
