/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who may keep an uplink: places for those that have yet to prove an id, and for those that have. Uplink thread.
 * docs/PROTOCOL.md §15. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>
#include <stdint.h>

#define UPLINK_PROVING_MAX    1024
#define UPLINK_MAX            10000
#define UPLINK_PER_SOURCE_MAX 64 /* of each kind; its neighbourhoods have four and sixteen times as many */

struct uplink;
struct uplink_places;

/* What an uplink holds. All zero: none. */
struct uplink_place {
    bool held, proven;
    unsigned number;
};

/* At most max proven ones. */
int uplink_places_new(unsigned max, const struct random_source *random,
                      struct uplink_places **out) must_check;
void uplink_places_free(struct uplink_places *p);

/* A place for u, which has none. *pushed is another one that lost it, or NULL: whoever has waited longest in the most
 * crowded neighbourhood. A proven one pushes nobody of its own neighbourhood: ERR_SPACE when that is full. */
int uplink_places_enter(struct uplink_places *p, struct uplink *u, bool proven, uint64_t now_us,
                        struct uplink **pushed) must_check;
void uplink_places_leave(struct uplink_places *p, struct uplink *u);
