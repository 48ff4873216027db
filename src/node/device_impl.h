/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A device's insides, shared by device.c (opening, addresses, the underlay) and device_overlap.c (living
 * beside an interface that holds the same subnet); nobody else includes this. Control thread. */

#include "net/rtnl.h"
#include "node/device.h"

#define DEVICE_ADDRESSES_MAX 16
#define DEVICE_OVERLAPS_MAX  16
#define DEVICE_SYSCTLS       3

/* An address of another interface whose subnet meets ours. */
struct device_overlap {
    unsigned index;
    struct addr_prefix prefix;
};

/* An overlay address that a peer announced. */
struct device_peer_route {
    uint32_t slot;
    struct addr addr;
    bool routed; /* through the device, by us */
};

struct device {
    struct rtnl *rtnl;
    struct tap tap;
    int monitor;
    struct rtnl_link link;
    bool brought_up; /* an attached device that was down */

    unsigned address_count;
    struct addr_prefix addresses[DEVICE_ADDRESSES_MAX]; /* of the TAP, without IPv6 link-local ones */

    /* Snapshots of the machine, renewed by device_on_change. */
    struct rtnl_link *links;
    struct rtnl_address *all;
    size_t link_count, all_count;
    uint64_t underlay; /* a hash over the underlay's addresses and sizes */

    unsigned overlap_count;
    struct device_overlap overlaps[DEVICE_OVERLAPS_MAX];
    char sysctl_before[DEVICE_SYSCTLS][16]; /* what overlap changed; empty when it did not */
    struct device_peer_route *routes;
    size_t route_count, route_cap;
};

/* Looks for overlaps in the snapshots, tells the person of new ones, and sets or removes what they call for.
 */
void device_overlap_refresh(struct device *d);

/* Removes host routes and settings. */
void device_overlap_undo(struct device *d);

const struct rtnl_link *device_link_at(const struct device *d, unsigned index); /* NULL when unknown */
