/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who takes datagrams from whom: a pair is made of two halves, one by the PAIR of each side, and datagrams pass while both
 * are here. Uplink thread. docs/PROTOCOL.md §15. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define UPLINK_PAIRS_SPARSE 256        /* of an uplink, once there are … */
#define UPLINK_PAIRS_EASY   (1u << 19) /* … so many in all */

struct batch;
struct node_id;
struct uplink;
struct uplink_message;

/* PAIR: both hear PAIRED when that changes something. What finds no room is answered with PAIRED, on = 0. */
void uplink_pairs_set(struct uplink *u, const struct node_id *id, bool on);

/* The uplink of id, when u and it are a pair; else NULL. */
struct uplink *uplink_pairs_other(const struct uplink *u, const struct node_id *id);

/* Whether u has said PAIR of id. */
bool uplink_pairs_awaits(const struct uplink *u, const struct node_id *id);

/* RELAY: both hear RELAYED, where they are a pair, there is a relay and it has room. Not again within a second. */
void uplink_pairs_ask_relay(struct uplink *u, const struct node_id *id);

/* DATAGRAMS m, which came in batch: takes it, and passes it on or drops it. */
void uplink_pairs_relay(struct uplink *u, const struct uplink_message *m, struct batch *batch);

/* u is not UP any longer. */
void uplink_pairs_leave(struct uplink *u);
