/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Room for straight paths, of which peers and strangers cause as many as they like: those of least worth make it. Internal to
 * the set; control thread. */

#include <stdbool.h>
#include <stdint.h>

struct endpoint;
struct path_entry;
struct path_set;

/* As path_set_put, straight to an address, in its place. NULL: there is no room, or no memory. for_source: whoever sent
 * something from there may take another's. */
struct path_entry *path_room_put(struct path_set *set, const struct endpoint *to, bool for_source,
                                 uint64_t now_us);
