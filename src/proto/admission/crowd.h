/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Numbered places that sources hold, fair between neighbourhoods (proto/admission/prefix.h): nobody is turned away, but a
 * newcomer takes the place of whoever has kept one longest in the most crowded neighbourhood. The owner keeps what
 * is at a place under the same number. One thread at a time. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>
#include <stdint.h>

struct crowd;

/* So many places in all, and at most per_source for one source; its neighbourhoods hold up to PREFIX_WIDER times
 * as many each level. */
int crowd_new(unsigned places, unsigned per_source, const struct random_source *random,
              struct crowd **out) must_check;
void crowd_free(struct crowd *c);

/* The place for a newcomer from source, which may be held: then its holder has to leave first. Of favoured
 * holders one is chosen only when it shares a full neighbourhood with the newcomer, or when all are favoured. */
unsigned crowd_place(struct crowd *c, const struct addr *source);
/* Whether a neighbourhood of source holds all that it may: then that place is one of its own. */
bool crowd_full(const struct crowd *c, const struct addr *source);
bool crowd_held(const struct crowd *c, unsigned place);

/* source takes a free place at now_us. */
void crowd_enter(struct crowd *c, unsigned place, const struct addr *source, bool favoured, uint64_t now_us);
/* The holder got something done: its time starts anew. */
void crowd_renew(struct crowd *c, unsigned place, uint64_t now_us);
void crowd_leave(struct crowd *c, unsigned place);

/* Whose time started first; -1 when all places are free. */
int crowd_oldest(const struct crowd *c);
uint64_t crowd_since(const struct crowd *c, unsigned place); /* when its holder's time started */
