/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which nodes have an uplink here, and what of that the shared store has yet to be told. The uplink thread says what happens,
 * the directory's thread passes it on: a lock is all that they share. As large as uplinks can be many. */

#include "base/err.h"
#include "base/id.h"
#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_AGAIN_US                                                                                    \
    (200 * USEC_PER_SEC) /* after which one is told anew: a third of STORE_LINK_TTL_S … */
#define PRESENCE_SPACE_US                                                                                    \
    (10 * USEC_PER_MSEC)        /* … and between two such, so that those who came at once do not stay so */
#define PRESENCE_GONE_MAX 10000 /* that are gone and were not told yet: others go by themselves */

struct presence;

struct presence_news {
    struct node_id id;
    bool on;
};

int presence_new(struct presence **out) must_check;
/* NULL is allowed. */
void presence_free(struct presence *p);

/* Uplink thread. A node came, or has gone. Without memory it is not told of. */
void presence_set(struct presence *p, const struct node_id *id, bool on);

/* The directory's thread. The next one that is to be told at now_us; false: none is. */
bool presence_take(struct presence *p, uint64_t now_us, struct presence_news *out);
/* When the next one is; 0: at once, UINT64_MAX: never. */
uint64_t presence_due(struct presence *p);
/* What was taken did not reach the store, and is news again, unless there is newer. */
void presence_again(struct presence *p, const struct presence_news *news);
/* The store may not have what it was told: all that are here are news again. */
void presence_repeat(struct presence *p);
