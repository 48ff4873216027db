/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Uplinks to other instances of a cluster, where peers that we want are linked: a stream to a node is opened where it is.
 * One begins when such a peer is looked up, and ends when it has served nobody for a while. docs/PROTOCOL.md §20. Control
 * thread. */

#include "base/err.h"
#include "node/backbones/backbones.h"
#include <stdbool.h>

struct visits;

#define VISITS_IDLE_US                                                                                       \
    (60 * USEC_PER_SEC) /* without a pair, and without a peer that is sought there: it ends */
#define VISITS_KNOCK_US (10 * USEC_PER_SEC)
#define VISITS_KNOCKS   16 /* that begin at once, then one each VISITS_KNOCK_US */

/* config's places behind its backbones are for them; what it has is borrowed, itself not. Takes those places' ends, also on an
 * error. */
int visits_new(const struct backbones_config *config, struct visits **out) must_check;

/* The client of names ends: no visit begins any more. NULL is allowed. */
void visits_leave_names(struct visits *v);

/* No event comes any more; memory of parts goes when the loop has closed their handles. NULL is allowed. */
void visits_close(struct visits *v);

/* A peer is sought that is linked at this URL, a plain one. */
void visits_want(struct visits *v, const struct node_id *id, const char *url);

/* Ends those that have served nobody for VISITS_IDLE_US; it does so by itself now and then. Whether any is made still. */
bool visits_look(struct visits *v, uint64_t now_us);

/* We are at home there now: no visit is made. */
void visits_leave(struct visits *v, const char *url);

/* The URL of the one with this number of an uplink, empty: none is made; and that uplink. Borrowed. */
const char *visits_url(const struct visits *v, unsigned number);
struct uplink *visits_uplink(const struct visits *v, unsigned number);

void visits_network_changed(struct visits *v);
