/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which path of a set carries. Internal to it. */

#include "proto/path/path.h"
#include <stdint.h>

struct path_entry;

/* Makes the right path the best, now that states or round trips may have changed. */
void path_choose(struct path_set *set, uint64_t now_us);

/* e, which may carry, leaves by another interface from now on: what others did before says nothing against it. */
void path_choice_moved(struct path_set *set, struct path_entry *e, uint64_t now_us);

unsigned path_tier(const struct path_entry *e);

/* e leads by a backbone to where the other leads by itself, both over TCP. */
bool path_goes_round(const struct path_entry *e, const struct path_entry *straight);

/* Its size is known. */
bool path_settled(const struct path_entry *e);

/* It never failed, or has answered for long enough since. */
bool path_steady(const struct path_entry *e);

/* A challenged source may have answered, or the old path may have had its time to:
 * moves to it, or does not. */
void path_decide_roam(struct path_set *set, struct path_entry *e, uint64_t now_us);
