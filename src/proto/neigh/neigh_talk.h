/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What we say on the segment by ourselves. Internal to neigh. Control thread. */

#include <stdint.h>

struct neigh;
struct neigh_entry;

/* Asks for e: everybody, or the one who had it. */
void neigh_ask(struct neigh *n, struct neigh_entry *e, uint64_t now_us);

/* Once a second: the next word about each of our own addresses. */
void neigh_speak(struct neigh *n, uint64_t now_us);
