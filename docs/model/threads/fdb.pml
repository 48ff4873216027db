/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's address table, src/proto/switch/fdb.c: two cells and two addresses, both at home in the first cell. One
 * worker finds and refreshes without the lock while another makes CHANGES changes: any address comes or goes.
 *
 * Claims: a look-up never gives one address the other's value (WRONG_VALUE); whatever the refresh hits, each cell has
 * the value of its own address (WRONG_REFRESH). Flaws: NO_BUSY rewrites a cell without marking it, NO_RECHECK does not
 * look at the key again, RELAXED_VALUE loads the value without acquire, BLIND_REFRESH stores instead of comparing. */

#define LOCATIONS 4
#define THREADS   2
#define STORES    16
#define MUTEXES   1
#include "memory.pml"

#define KEY(cell)   ((cell) * 2)
#define VALUE(cell) ((cell) * 2 + 1)
#define BUSY 3
#define A 1
#define B 2

#define WORKER  0
#define CHANGER 1

/* Values: whose they are, and whether they were refreshed. */
#define OF(key)  ((key) * 4)
#define FRESH    1
#define OWNER(v) ((v) / 4)

byte changes;

inline cell_set(cell, key, value)
{
#ifndef NO_BUSY
    store(CHANGER, KEY(cell), BUSY, RELEASE);
#endif
    store(CHANGER, VALUE(cell), value, RELEASE);
    store(CHANGER, KEY(cell), key, RELEASE)
}

inline insert(key)
{
    if
    :: LAST(KEY(0)) == 0 -> cell_set(0, key, OF(key))
    :: else -> cell_set(1, key, OF(key))
    fi
}

/* What is behind the hole moves up. */
inline remove(key)
{
    if
    :: LAST(KEY(0)) == key && LAST(KEY(1)) ->
        load(CHANGER, VALUE(1), moved, ACQUIRE);
        cell_set(0, LAST(KEY(1)), moved);
        store(CHANGER, KEY(1), 0, RELEASE)
    :: LAST(KEY(0)) == key && !LAST(KEY(1)) -> store(CHANGER, KEY(0), 0, RELEASE)
    :: else -> store(CHANGER, KEY(1), 0, RELEASE)
    fi
}

#define HAS(key) (LAST(KEY(0)) == key || LAST(KEY(1)) == key)

inline change(key)
{
    if
    :: HAS(key) -> remove(key)
    :: else -> insert(key)
    fi
}

proctype changer()
{
    byte i, pick, moved;
    do
    :: changes < CHANGES -> changes++; change(A)
    :: changes < CHANGES -> changes++; change(B)
    :: break
    od
}

inline look(cell)
{
    load(WORKER, KEY(cell), key, ACQUIRE);
    if
    :: key == wanted ->
#ifdef RELAXED_VALUE
        load(WORKER, VALUE(cell), value, RELAXED);
#else
        load(WORKER, VALUE(cell), value, ACQUIRE);
#endif
#ifndef NO_RECHECK
        load(WORKER, KEY(cell), again, ACQUIRE);
#else
        again = wanted;
#endif
        if
        :: again == wanted ->
            assert(OWNER(value) == wanted); /* WRONG_VALUE */
            found = cell;
            goto refresh
        :: else
        fi
    :: key == 0 -> goto done
    :: else
    fi
}

proctype worker()
{
    byte i, pick, wanted, key, value, again, found;
    if
    :: wanted = A
    :: wanted = B
    fi;
    look(0);
    look(1);
    goto done;
refresh:
#ifdef BLIND_REFRESH
    store(WORKER, VALUE(found), value + FRESH, RELEASE);
#else
    compare_and_swap(WORKER, VALUE(found), value, value + FRESH);
#endif
done:
    skip
}

/* The worker ends last; what it left must be whole. */
inline check(cell)
{
    assert(LAST(KEY(cell)) == 0 || OWNER(LAST(VALUE(cell))) == LAST(KEY(cell))) /* WRONG_REFRESH */
}

init
{
    byte first, second;
    atomic {
        if
        :: first = 0
        :: first = A; second = 0
        :: first = A; second = B
        :: first = B; second = A
        fi;
        put(KEY(0), first);
        put(VALUE(0), OF(first));
        put(KEY(1), second);
        put(VALUE(1), OF(second));
        run changer();
        run worker()
    }
    (_nr_pr == 1);
    check(0);
    check(1)
}
