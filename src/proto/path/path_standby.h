/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Paths by the ways out that the kernel does not choose (proto/path/ways.h): to where data goes by its choice, made when
 * data flows, kept warm while it does, and gone a minute later. Where a relay carries by such a way, to where the peer says that it
 * is. They carry when nothing else answers. docs/PROTOCOL.md §9.
 * Internal to the set; control thread. */

#include <stdbool.h>
#include <stdint.h>

struct path_entry;
struct path_set;

#define PATH_STANDBY_KEPT_US 60000000ull /* without data */

/* Makes those that are missing, and removes those that are not needed. Before path_choose. */
void path_standby_update(struct path_set *set, uint64_t now_us);

/* The path that carries has missed something: what would take over from it is asked at once, so that it is known what still
 * answers when it is given up. */
void path_standby_check(struct path_set *set, uint64_t now_us);

/* It has answered since the path that carries last did: what silences that has not silenced it. */
bool path_standby_outlives(const struct path_set *set, const struct path_entry *e);
