/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The device of a node, in memory, in place of node/device/device.c's. */

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

/* What the node and the test share of the device. The test sets it before the start; what is atomic may change later, and
 * twin_network_changed() tells the node. */
struct device_twin {
    int queue;   /* a TAP's, the node's end */
    int monitor; /* an eventfd */
    unsigned mtu;
    uint8_t mac[6];
    struct addr_prefix address;
    bool fails;                       /* device_open does */
    _Atomic unsigned underlay_max;    /* bytes of a datagram */
    _Atomic unsigned peer_addresses;  /* overlay addresses that the node tells of its peers */
    _Atomic bool candidates_withheld; /* no address of the underlay is known */
};

/* What device_open gives out, in this process. */
void device_twin_use(struct device_twin *shared);
