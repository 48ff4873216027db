/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What backbones that share a store tell each other by it: that they live and where, keys of challenges, and which nodes have an
 * uplink at which of them. The directory's thread. docs/PROTOCOL.md §8. */

#include "backbone/challenge.h"
#include "backbone/metrics.h"
#include "backbone/presence.h"
#include "backbone/store.h"

#define CLUSTER_BEAT_US (3 * USEC_PER_SEC) /* between two words to the others */
#define CLUSTER_NEWS    256                /* of uplinks on their way to the store at once … */
#define CLUSTER_NEWS_US                                                                                      \
    (2 * USEC_PER_MSEC) /* … and so long between two, on an average: all instances may have many at once */

struct cluster;

/* All is borrowed while it lives. */
struct cluster_config {
    struct store *store; /* a shared one */
    struct challenge_keys *keys;
    struct presence *presence;
    struct store_metrics *metrics;
    const char *url; /* ours, as nodes reach it */
};

int cluster_new(const struct cluster_config *config, struct cluster **out) must_check;
/* After the store was closed, which answers what is under way. NULL is allowed. */
void cluster_free(struct cluster *c);

/* Says what is due. Returns when it is to be called again, at the latest. */
uint64_t cluster_turn(struct cluster *c, uint64_t now_us, uint64_t now_s);

/* What was last heard; count 0: nothing yet. Of instances ours alone, when that is older than STORE_BEAT_TTL_S. */
const struct store_heard *cluster_heard(const struct cluster *c);

/* Takes us out of the list, and with us all that are linked here. */
void cluster_leave(struct cluster *c);
