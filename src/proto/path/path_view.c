/* SPDX-License-Identifier: Apache-2.0 */
/* The paths to one peer for people, each with the reason why it carries or does not. Pure; control thread.
 * docs/PROTOCOL.md §9 and §11. */

#include "proto/path/path_choice.h"
#include "proto/path/path_set.h"

static bool has_quiet(const struct path_set *set)
{
    for (const struct path_entry *e = set->first; e; e = e->next)
        if (e->path.state == PATH_STATE_QUIET)
            return true;
    return false;
}

static enum path_why reason_of_best(const struct path_set *set)
{
    bool alone = true, behind = false, round = false;
    if (has_quiet(set))
        return PATH_WHY_WAKES;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (e == set->best || e->path.state != PATH_STATE_PROVEN)
            continue;
        alone = false;
        round |= path_goes_round(e, set->best);
        behind |= path_tier(e) <= path_tier(set->best) && !path_goes_round(e, set->best);
    }
    if (set->best->path.endpoint.interface)
        return PATH_WHY_TAKEN_OVER;
    if (alone || behind)
        return alone ? PATH_WHY_ONLY : PATH_WHY_BEST;
    if (round)
        return PATH_WHY_TRUNK;
    return set->best->path.endpoint.carrier == CARRIER_RELAY ? PATH_WHY_RELAY : PATH_WHY_TIER;
}

static enum path_why reason_of(const struct path_set *set, const struct path_entry *e)
{
    if (e == set->best)
        return reason_of_best(set);
    if (e->path.state == PATH_STATE_QUIET)
        return PATH_WHY_QUIET;
    if (e->path.state != PATH_STATE_PROVEN)
        return e->once_proven ? PATH_WHY_SILENT : PATH_WHY_UNKNOWN;
    if (path_doubted(set, e))
        return e->doubt.why;
    if (set->best && e->path.endpoint.interface && path_tier(set->best) < path_tier(e))
        return PATH_WHY_STANDBY;
    if (set->best && path_tier(set->best) < path_tier(e))
        return set->best->path.endpoint.carrier == CARRIER_RELAY ? PATH_WHY_RELAYED : PATH_WHY_BEHIND;
    if (set->best && path_goes_round(e, set->best))
        return PATH_WHY_UPLINK;
    if (!path_settled(e))
        return PATH_WHY_SETTLING;
    if (!path_steady(e))
        return PATH_WHY_RECENT;
    return e->named || (set->best && path_tier(e) < path_tier(set->best)) ? PATH_WHY_SLOWER
                                                                          : PATH_WHY_UNNAMED;
}

size_t path_list(const struct path_set *set, struct path *out, size_t cap)
{
    size_t count = 0;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (count == cap)
            break;
        out[count] = e->path;
        out[count++].why = reason_of(set, e);
    }
    return count;
}

const char *path_why_text(enum path_why why)
{
    switch (why) {
    case PATH_WHY_UNKNOWN:
        return "no answer yet";
    case PATH_WHY_SILENT:
        return "it answers no more";
    case PATH_WHY_ONLY:
        return "no other answers";
    case PATH_WHY_TIER:
        return "it is direct";
    case PATH_WHY_RELAY:
        return "it goes over UDP, and no direct one answers";
    case PATH_WHY_BEST:
        return "no other is faster by enough";
    case PATH_WHY_BEHIND:
        return "a direct one carries";
    case PATH_WHY_RELAYED:
        return "one by a relay carries";
    case PATH_WHY_SETTLING:
        return "its size is being measured";
    case PATH_WHY_RECENT:
        return "it failed and is back for less than 10 s";
    case PATH_WHY_SLOWER:
        return "it is not faster by enough";
    case PATH_WHY_UNNAMED:
        return "the peer does not name it";
    case PATH_WHY_SWALLOWS:
        return "it answers, and data did not arrive by it";
    case PATH_WHY_LOSES:
        return "it lost more than 5 %";
    case PATH_WHY_FAR_SLOWER:
        return "it is far slower";
    case PATH_WHY_TRUNK:
        return "it leads to the peer itself, and the backbone's is not faster by enough";
    case PATH_WHY_UPLINK:
        return "one to the peer itself carries, and this one is not faster by enough";
    case PATH_WHY_QUIET:
        return "nothing flows: it is asked again, and carries again, when something does";
    case PATH_WHY_WAKES:
        return "nothing flows, and better ones are left alone: it carries what comes first";
    case PATH_WHY_STANDBY:
        return "it is a standby: one by the interface that the system prefers carries";
    case PATH_WHY_TAKEN_OVER:
        return "it is a standby, and none by the interface that the system prefers answers";
    }
    return "unknown";
}
