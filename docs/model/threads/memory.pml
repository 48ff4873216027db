/* SPDX-License-Identifier: Apache-2.0 */
/* Memory as C11 has it for release and acquire, and weaker than any CPU. A location is the list of what was ever stored
 * there. A thread has a view: for each location the oldest store that it may still read. A load takes any store from
 * there on. A release store carries its thread's view, and an acquire load that reads it takes that over; relaxed ones
 * carry nothing but themselves.
 *
 * A store goes to the end of the list: of any location here either one thread stores, or those who hold one mutex do,
 * besides compare-and-swap, which reads the last store by definition. Values that come out of nothing (load buffering)
 * are not modelled.
 *
 * Whoever includes this defines LOCATIONS, THREADS, STORES (of one location, at the most) and MUTEXES. */

#define RELAXED 0
#define ACQUIRE 1
#define RELEASE 1

byte content[LOCATIONS * STORES];
byte count[LOCATIONS];
byte carried[LOCATIONS * STORES * LOCATIONS];
byte view[THREADS * LOCATIONS];
bool locked[MUTEXES];
byte left_by[MUTEXES * LOCATIONS]; /* the view of who unlocked last */

#define AT(location, number) ((location) * STORES + (number))
#define SEEN(thread, location) view[(thread) * LOCATIONS + (location)]
#define LAST(location) content[AT(location, count[location] - 1)]

inline store(who, where, what, how)
{
    d_step {
        assert(count[where] < STORES);
        content[AT(where, count[where])] = what;
        SEEN(who, where) = count[where];
        for (i : 0 .. LOCATIONS - 1) {
            carried[AT(where, count[where]) * LOCATIONS + i] = (how == RELEASE -> SEEN(who, i) : 0)
        }
        carried[AT(where, count[where]) * LOCATIONS + where] = count[where];
        count[where]++;
        i = 0
    }
}

/* into is a variable of the caller's, by which where is not named. */
inline load(who, where, into, how)
{
    atomic {
        pick = SEEN(who, where);
        do
        :: pick + 1 < count[where] -> pick++
        :: break
        od;
        take(who, where, into, how)
    }
}

inline take(who, where, into, how)
{
    d_step {
        into = content[AT(where, pick)];
        SEEN(who, where) = pick;
        for (i : 0 .. LOCATIONS - 1) {
            if
            :: how == ACQUIRE && carried[AT(where, pick) * LOCATIONS + i] > SEEN(who, i) ->
                SEEN(who, i) = carried[AT(where, pick) * LOCATIONS + i]
            :: else
            fi
        }
        i = 0;
        pick = 0
    }
}

/* Stores with release when the last store is `was`, else nothing. */
inline compare_and_swap(who, where, was, what)
{
    atomic {
        if
        :: LAST(where) == was -> store(who, where, what, RELEASE)
        :: else
        fi
    }
}

inline lock(who, which)
{
    atomic {
        !locked[which];
        locked[which] = true;
        for (i : 0 .. LOCATIONS - 1) {
            if
            :: left_by[which * LOCATIONS + i] > SEEN(who, i) -> SEEN(who, i) = left_by[which * LOCATIONS + i]
            :: else
            fi
        }
        i = 0
    }
}

inline unlock(who, which)
{
    d_step {
        locked[which] = false;
        for (i : 0 .. LOCATIONS - 1) {
            left_by[which * LOCATIONS + i] = SEEN(who, i)
        }
        i = 0
    }
}

/* What is there before any thread runs. */
inline put(where, what)
{
    content[AT(where, 0)] = what;
    count[where] = 1
}
