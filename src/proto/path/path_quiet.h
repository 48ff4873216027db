/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Paths that are left alone while nothing flows: after some time without data, those of a lower tier than a warm one are
 * asked no more, and the warm one carries. What flows then takes that at first, and all others are asked at once.
 * docs/PROTOCOL.md §9. Internal to the set; control thread.
 *
 * Each end goes quiet by itself. One that does not goes on asking, and is answered: so the way stays open as long as either
 * end may send on it.
 *
 *   PROVEN, SUSPECT ── nothing flows, and a warm path answers ──▶ QUIET ── data, a wake, or the warm path misses ──▶ UNTRIED
 */

#include <stdbool.h>
#include <stdint.h>

struct path_entry;
struct path_set;

/* Time has passed: the set goes quiet, stays so, or wakes. Before path_choose. */
void path_quiet_update(struct path_set *set, uint64_t now_us);

/* Some path that was quiet is being asked, and has not answered yet. */
bool path_quiet_waking(const struct path_set *set);
