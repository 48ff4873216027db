/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The store that several backbones share: a Redis or Valkey server. All keys begin with STORE_REDIS_PREFIX:
 *
 *   record:ID      hash    seq (19 digits), expiry, public, name, network, record, signature; gone STORE_GRACE_S after
 *                          it expired
 *   expiry         sorted  ids by the second in which they expire
 *   public         sorted  ids of public nodes, in their order
 *   network:NET    sorted  ids of NET's members, in their order; gone two hours after the last one registered
 *   linked:ID      string  the instance at which the node has its uplink; gone STORE_LINK_TTL_S after it was said
 *   instance:NAME  string  its URL; gone STORE_BEAT_TTL_S after it last spoke, and with it what is linked there
 *   instances      set     names of instances, those of gone ones until the next one speaks
 *   generation     string  random: a new one tells that all of this was lost
 *   challenge:HOUR string  the key of that hour's challenges
 *
 * What must not be torn apart is one script. What such a server holds is not ours alone, and is looked at before it is
 * believed (backbone/redis_reply.h). */

#include "backbone/metrics.h"
#include "backbone/redis_target.h"
#include "backbone/store.h"

#define STORE_REDIS_PREFIX "shadowmesh:1:"
#define STORE_LINK_TTL_S   600

/* For at most max_entries; target and metrics are borrowed while it lives. It connects at its first turn, and whenever the
 * connection is lost. ERR_NOMEM. */
int store_redis_open(const struct redis_target *target, struct store_metrics *metrics, uint64_t max_entries,
                     struct store **out) must_check;
/* For tests: over a socket that is connected, which it takes. */
void store_redis_adopt(struct store *s, int fd);
