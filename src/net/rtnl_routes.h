/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A route as the kernel tells of it: for rtnl_monitor.c. Internal to net. */

#include "net/rtnl.h"

struct nlmsghdr;

/* Whether a message tells of a route that leads through the interface, and which. */
bool rtnl_route_read(const struct nlmsghdr *h, unsigned index, struct rtnl_route *out);
