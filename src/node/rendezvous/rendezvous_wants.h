/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The ids that are looked up at the backbone: when each is due, and the newest seq that was seen of it. The seq
 * outlives the want, so that no older record is taken when the id is wanted again. Time comes in; one thread. */

#include "base/id.h"
#include <stdbool.h>
#include <stdint.h>

#define WANTS_WANTED_MAX 4096 /* at once */
#define WANTS_KNOWN_MAX  8192 /* with those that are wanted no more: the longest forgotten makes room */

struct want {
    struct node_id id;
    bool wanted;
    bool forged; /* and the log has told it */
    uint64_t since_us, next_us;
    uint64_t forgotten_us; /* when it was last */
    uint64_t seq;          /* of the newest record seen */
};

struct wants {
    struct want *list;
    unsigned count, cap;
    unsigned wanted; /* how many of them are */
};

void wants_fini(struct wants *w);

/* Wants id, from now on and at the early pace; ids beyond WANTS_WANTED_MAX are not. */
void wants_add(struct wants *w, const struct node_id *id, uint64_t now_us);
void wants_forget(struct wants *w, const struct node_id *id, uint64_t now_us);

/* All that are wanted are due now, and young again. */
void wants_hurry(struct wants *w, uint64_t now_us);

/* The one that is wanted, or NULL. Valid until the next wants_add. */
struct want *wants_find(const struct wants *w, const struct node_id *id);

/* The next one behind `after` (NULL: the first) that is wanted and due, or NULL. */
struct want *wants_due(const struct wants *w, const struct want *after, uint64_t now_us);

/* When the next one is due; TIME_NEVER while none is wanted. */
uint64_t wants_next(const struct wants *w);
