/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How often each path is asked whether it answers. Internal to the set. */

#include <stdbool.h>
#include <stdint.h>

#define PATH_ACTIVE_OTHER_US 5000000ull  /* of a path that does not carry, while data flows … */
#define PATH_IDLE_OTHER_US   25000000ull /* … and while none does */
#define PATH_HURRIED_US      250000ull   /* after a miss of the best one, or while somebody waits */

struct path_entry;
struct path_set;

/* Nothing flows, and what carries is of a lower tier and sound: e has but to answer now and then. Its size and round trip are
 * measured when that changes. */
bool path_rests(const struct path_set *set, const struct path_entry *e);

/* The time between two rounds of probes of e. */
uint64_t path_interval(const struct path_set *set, const struct path_entry *e);
