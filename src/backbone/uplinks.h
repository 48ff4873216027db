/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The thread of all uplinks (backbone/uplink.h): their sockets in one epoll, and the queue by which upgraded connections
 * come from the HTTP thread, which shares nothing else with it. */

#include "backbone/metrics.h"
#include "backbone/uplink_hub.h"
#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"

struct uplinks;

/* With its relay's (backbone/relay_server.h), where config has a socket for it. config and metrics are borrowed while they
 * run. */
int uplinks_start(const struct uplinks_config *config, struct metrics *metrics,
                  struct uplinks **out) must_check;

/* Takes fd, a connection that has just become a WebSocket, with what came on it already. visits: as uplink_new's. HTTP
 * thread. */
void uplinks_give(struct uplinks *s, int fd, const struct addr *source, bool visits, struct slice early);

/* Tells all nodes to come back, and ends the thread, within a second. NULL is allowed. */
void uplinks_stop(struct uplinks *s);
