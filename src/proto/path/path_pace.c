/* SPDX-License-Identifier: Apache-2.0 */
/* How often each path is asked whether it answers. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_pace.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_set.h"

#define ACTIVE_BEST_US 500000ull
/* Where one of a higher tier would take over, a failure is known within a second. */
#define BACKED_BEST_US    250000ull
#define BACKED_HURRIED_US 100000ull
#define RETURNING_US      1000000ull /* of a lower tier than what carries, while data flows */
#define IDLE_BEST_US      7000000ull
#define UNHURRIED_US      1000000ull /* after a miss */

static uint64_t interval_of_best(const struct path_set *set)
{
    if (path_entry_troubled(set->best))
        return set->backed ? BACKED_HURRIED_US : PATH_HURRIED_US;
    if (!set->active)
        return IDLE_BEST_US;
    return set->backed ? BACKED_BEST_US : ACTIVE_BEST_US;
}

static uint64_t interval_of_other(const struct path_set *set, const struct path_entry *e)
{
    if (path_entry_troubled(e))
        return set->now_us < set->alert_us ? PATH_HURRIED_US : UNHURRIED_US;
    if (e->path.endpoint.carrier == CARRIER_UPLINK || e->path.endpoint.carrier == CARRIER_TCP)
        return IDLE_BEST_US;
    if (e->path.endpoint.interface)
        return set->active ? IDLE_BEST_US : PATH_IDLE_OTHER_US;
    if (set->best && path_tier(e) < path_tier(set->best))
        return set->active ? RETURNING_US : IDLE_BEST_US;
    return set->active ? PATH_ACTIVE_OTHER_US : PATH_IDLE_OTHER_US;
}

bool path_rests(const struct path_set *set, const struct path_entry *e)
{
    const struct path_entry *best = set->best;
    return !set->active && best && path_tier(best) < path_tier(e) && best->path.state == PATH_STATE_PROVEN &&
           !path_entry_troubled(best);
}

uint64_t path_interval(const struct path_set *set, const struct path_entry *e)
{
    if (e->path.state == PATH_STATE_PROVEN && e->samples < PATH_WARM_SAMPLES && !path_entry_troubled(e) &&
        !path_rests(set, e))
        return PATH_WARM_US;
    if (set->quiet && e->path.endpoint.carrier == CARRIER_UPLINK && !path_entry_troubled(e))
        return PATH_IDLE_OTHER_US;
    return e == set->best ? interval_of_best(set) : interval_of_other(set, e);
}
