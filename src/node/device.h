/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's device from flags to a TAP that is up, and everything around it that is undone at exit: address,
 * MTU, sysctls, host routes beside an interface that already holds the subnet. Control thread. */

#include "base/addr.h"
#include "base/err.h"
#include "net/tap.h"
#include "node/config.h"
#include "proto/candidate.h"
#include <stdbool.h>

struct device;

/* Creates or attaches as the flags say, and logs what it did. On failure one line has told the person what is
 * wrong and what to do. The caller closes *out. */
int device_open(const struct config *config, unsigned queues, struct device **out) must_check;

/* Undoes everything: routes, addresses and settings that we made; a TAP that we created goes with its
 * descriptor. */
void device_close(struct device *d);

const struct tap *device_tap(const struct device *d);
unsigned device_mtu(const struct device *d);
const uint8_t *device_mac(const struct device *d); /* 6 bytes */

/* Our overlay addresses: those of the TAP. Returns how many were copied. */
unsigned device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap);

/* A peer's overlay addresses, as its HELLO tells them: when another interface overlaps the device's subnet,
 * host routes through the device are set for those inside it; replaced on every call, removed with count 0.
 * Ours are never routed, and an address that is also an underlay address of a peer (underlay) never is. */
void device_peer_addresses(struct device *d, uint32_t slot, const struct addr_prefix *list, unsigned count);

/* The machine's addresses at which peers could reach us: every interface's but loopback, link-local, the
 * device's, and any inside the device's subnet. port is the UDP data port. Returns how many were written. */
unsigned device_host_candidates(struct device *d, uint16_t port, uint16_t control_port, struct candidate *out,
                                unsigned cap);

/* True when an address lies in the device's subnet: never an underlay address. */
bool device_is_overlay(const struct device *d, const struct addr *a);

/* The largest UDP payload that any underlay interface carries. */
uint16_t device_underlay_max(struct device *d);

/* Becomes readable when interfaces or addresses change; device_on_change drains it, refreshes the overlap,
 * and returns true when underlay addresses changed. */
int device_monitor_fd(const struct device *d);
bool device_on_change(struct device *d);
