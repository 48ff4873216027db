/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A device's insides, shared by device.c (addresses, the underlay), device_open.c, device_overlap.c (living beside
 * an interface that holds the same subnet), device_guard.c (which addresses peers may not have), device_inside.c (being
 * none of this machine's interfaces), device_given.c (having been opened by somebody else) and device_undo.c (what a killed
 * run left); nobody else includes this. Control thread. */

#include "base/bucket.h"
#include "net/rtnl.h"
#include "node/device/device.h"
#include "node/device/undo.h"

#define DEVICE_ADDRESSES_MAX    16
#define DEVICE_OWN_MAX          24
#define DEVICE_OVERLAPS_MAX     16
#define DEVICE_NAME_SERVERS_MAX 8
#define DEVICE_TOLD_MAX         32

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

/* What no peer gets a host route for, and what a person says of it. */
struct device_guard {
    bool off; /* no host routes but those allowed */
    unsigned allowed_count, name_server_count;
    struct addr allowed[CONFIG_HOST_ROUTES_MAX];
    struct addr name_servers[DEVICE_NAME_SERVERS_MAX];
    struct rtnl_address *next_hops, *neighbours;
    size_t next_hop_count, neighbour_count;
    struct addr told[DEVICE_TOLD_MAX]; /* refused addresses that the log has told */
    unsigned told_at;
};

struct device {
    struct rtnl *rtnl;   /* of this machine … */
    struct rtnl *inside; /* … and of where the device is: the same one, but for -rootless */
    struct tap tap;
    unsigned among;              /* its index among this machine's interfaces; 0: it is none of them */
    int monitor, inside_monitor; /* the second -1 where it is one of them … */
    int monitors;                /* … else it says that one of both is readable */
    struct rtnl_link link;
    uint8_t shim_mac[6]; /* of a TUN, which has none itself: by it peers know this machine */
    bool told_down;      /* the log has said that it was taken down */

    struct undo undo; /* what we changed of an attached TAP, and what is to be put back in any case */
    int run_dir;      /* the folder of the record, or a negative errno */
    char run_dir_name[256];
    char undo_name[ID_TEXT_MAX + 8];
    bool undo_warned;

    unsigned address_count, own_count;
    struct addr_prefix addresses[DEVICE_ADDRESSES_MAX]; /* of the TAP, without IPv6 link-local ones … */
    struct addr_prefix own[DEVICE_OWN_MAX];             /* … and with them */

    struct bucket looks;  /* at the machine: each reads tables of the kernel */
    bool machine_stale;   /* interfaces or addresses changed since the last one … */
    bool around_stale;    /* … or what peers announce, beside an overlap */
    bool unreadable_told; /* the log has said that a look failed */

    /* Snapshots of the machine, renewed by looks. */
    struct rtnl_link *links;
    struct rtnl_address *all;
    size_t link_count, all_count;
    bool link_local_alone; /* the underlay has no other addresses */
    struct ways ways;
    struct rtnl_route *through; /* of a TUN: the routes through it, DEVICE_ROUTES_MAX at most */
    size_t through_count;
    bool through_stale, through_told; /* they changed since; there were too many, and the log told */
    uint64_t underlay;                /* a hash over the underlay's addresses, sizes and ways */

    unsigned overlap_count;
    struct device_overlap overlaps[DEVICE_OVERLAPS_MAX];
    struct device_guard guard;
    unsigned ticks;
    struct device_peer_route *routes;
    size_t route_count, route_cap;
};

const struct rtnl_link *device_link_at(const struct device *d, unsigned index); /* NULL when unknown */

/* The device's addresses are those of list at the interface index. */
void device_take_addresses(struct device *d, const struct rtnl_address *list, size_t count, unsigned index);

/* False when there were too many looks of late: then device_tick does what is stale. */
bool device_may_look(struct device *d, uint64_t now_us);

/* Reads the machine's interfaces anew. */
int device_read_links(struct device *d) must_check;

/* Those and the machine's addresses, and the device's. */
int device_refresh(struct device *d) must_check;

/* Changes when an underlay address comes, goes or moves, or its interface carries another size, and with the ways out. */
uint64_t device_underlay_hash(const struct device *d);

/* At which another machine may reach us. */
bool device_is_underlay(const struct device *d, const struct rtnl_address *a);

/* Why it failed, for a person; errno is still of it. */
const char *device_reason(int err);
