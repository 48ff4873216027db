/* SPDX-License-Identifier: Apache-2.0 */
/* Room for straight paths. Pure; control thread. */

#include "proto/path/path_room.h"

#include "proto/path/path_set.h"

/* How readily an entry makes room: 0 never. */
static unsigned eviction_rank(const struct path_set *set, const struct path_entry *e, bool for_source)
{
    if (e == set->best)
        return 0;
    switch (e->path.state) {
    case PATH_STATE_FAILED:
        return e->learned ? 5 : 4;
    case PATH_STATE_UNTRIED:
    case PATH_STATE_PROBING:
        return for_source ? 3 : 0;
    case PATH_STATE_SUSPECT:
        return for_source ? 2 : 0;
    case PATH_STATE_PROVEN:
    case PATH_STATE_QUIET:
        return for_source ? 1 : 0;
    }
    return 0;
}

/* Whether there is room in a place: a full one gives up what is worth least, and of those what answered longest ago. */
static bool make_room(struct path_set *set, uint8_t place, unsigned room, bool for_source)
{
    struct path_entry *victim = NULL;
    unsigned count = 0, highest = 0;
    for (struct path_entry *e = path_set_at(set, place); e && e->place == place; e = e->next, count++) {
        unsigned rank = eviction_rank(set, e, for_source);
        if (rank < highest || rank == 0 || (rank == highest && e->answer_us >= victim->answer_us))
            continue;
        victim = e;
        highest = rank;
    }
    if (count < room)
        return true;
    if (victim)
        path_set_remove(set, victim);
    return victim != NULL;
}

struct path_entry *path_room_put(struct path_set *set, const struct endpoint *to, bool for_source,
                                 uint64_t now_us)
{
    uint8_t place = to->interface ? PATH_PLACE_STANDBY : PATH_PLACE_CANDIDATE;
    unsigned room = to->interface ? PATH_STANDBYS_MAX : CANDIDATES_MAX;
    return make_room(set, place, room, for_source) ? path_set_put(set, place, to, now_us) : NULL;
}
