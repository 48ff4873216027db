/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's device from flags to a TAP that is up, and everything around it that is undone at exit: address,
 * MTU, sysctls, host routes beside an interface that already holds the subnet. Control thread. */

#include "base/addr.h"
#include "base/err.h"
#include "net/rtnl.h"
#include "net/tap.h"
#include "node/config/config.h"
#include "proto/path/ways.h"
#include "proto/wire/candidate.h"
#include <stdbool.h>

struct broker;
struct device;

/* Creates or attaches as the flags say, and logs what it did. A device that is created has a MAC made from
 * id, so that the other sites' ARP caches stay right over a restart. One that a run of the same id left
 * changed, because it was killed, is put back first (the record is in config's run_dir). On failure one line
 * has told the person what is wrong and what to do. The caller closes *out. */
int device_open(const struct config *config, const struct node_id *id, unsigned queues,
                struct device **out) must_check;

/* Likewise the device that the broker made in a network namespace of its own: takes it. What this machine has, the
 * device is not among. */
int device_open_inside(const struct config *config, const struct node_id *id, struct broker *broker,
                       struct device **out) must_check;

/* -tun-fd: looks at what is open under that number, and takes it. First of all, before the process opens anything else there.
 * On an error one line was told. */
int device_take(const struct config *config, struct tap *out) must_check;

/* Likewise the device that was taken; it is left as it is, and takes no right. It may be none of this machine's interfaces:
 * then its address and MTU are those of the flags. */
int device_open_given(const struct config *config, const struct node_id *id, struct tap *given,
                      struct device **out) must_check;

/* Gives the device addresses that were not known when it was opened. On an error one line was told. */
int device_give(struct device *d, const struct addr_prefix *list, unsigned count) must_check;

/* Undoes everything: routes, addresses and settings that we made; a TAP that we created goes with its
 * descriptor. NULL is allowed. */
void device_close(struct device *d);

const struct tap *device_tap(const struct device *d);
unsigned device_mtu(const struct device *d);
const uint8_t *device_mac(const struct device *d); /* 6 bytes */

/* Which packets of the device a gateway passes on, or a neighbour takes itself: the routes through it, DEVICE_ROUTES_MAX at
 * most. Borrowed, valid until device_on_change or device_tick. */
#define DEVICE_ROUTES_MAX 256
const struct rtnl_route *device_routes(const struct device *d, size_t *count);

/* False while a person has taken the device down: no frame passes. */
bool device_up(const struct device *d);

/* Our overlay addresses: those of the TAP. Returns how many were copied. */
unsigned device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap);

/* Those and IPv6 link-local ones. Borrowed, valid until device_on_change or device_tick. */
const struct addr_prefix *device_own_addresses(const struct device *d, unsigned *count);

/* A peer's overlay addresses, as its HELLO tells them; replaced on every call, removed with count 0. While
 * another interface overlaps the device's subnet, those inside it get host routes through the device. Our own
 * addresses are never routed, nor are this machine's gateways, name servers and live neighbours unless -host-route
 * allows them; underlay addresses cannot be among them (device_is_overlay). When many peers come at once, routes are set
 * within a second (device_tick). */
void device_peer_addresses(struct device *d, uint32_t slot, const struct addr_prefix *list, unsigned count,
                           uint64_t now_us);

#define DEVICE_HOLDER_NOBODY (-1)
#define DEVICE_HOLDER_US     (-2)

/* Who else has an overlay address that the peer in slot announces: this machine, or the peer in the slot that is returned. */
int device_holder(const struct device *d, uint32_t slot, const struct addr *a);

/* The machine's addresses at which peers could reach us: those of every interface that is up but loopback,
 * link-local, the device's, and any inside the device's subnet. Where there are none, IPv6 link-local ones: who
 * dials one learns the port of data from them. port is the UDP data port. Returns how many were written. */
unsigned device_host_candidates(struct device *d, uint16_t port, uint16_t control_port, struct candidate *out,
                                unsigned cap);

/* True when an address lies in the device's subnet: never an underlay address. */
bool device_is_overlay(const struct device *d, const struct addr *a);

/* The addresses of this machine, whatever their interface: valid until device_on_change or device_tick. */
const struct rtnl_address *device_machine_addresses(const struct device *d, size_t *count);

/* The interface that has an address, if it is up and is not the device: datagrams may leave from there. 0: none. */
uint32_t device_interface_of(const struct device *d, const struct addr *a);

/* The name of an interface, as of the last look; "gone" where there is none of that index any more. Borrowed likewise. */
const char *device_interface_name(const struct device *d, uint32_t index);

/* The ways out of this machine by other interfaces than the device, as of the last look. */
const struct ways *device_ways(const struct device *d);

/* True when what goes to a takes another next hop, or another interface, than what goes to b. False where nothing leads to one
 * of them. Asks the kernel. */
bool device_leads_apart(const struct device *d, const struct addr *a, const struct addr *b);

/* How datagrams to the internet leave this machine, by a router of the underlay: false when they do not. */
bool device_way_out(struct device *d, uint8_t family, struct rtnl_way *out);

/* The largest UDP payload that any underlay interface carries: WIRE_LEAST_SIZE up to what the largest frame
 * needs. */
uint16_t device_underlay_max(struct device *d);

/* Becomes readable when interfaces or addresses change, the device's among them; device_on_change drains it, refreshes the overlap,
 * and returns true when underlay addresses changed. In a storm of changes most are left to device_tick: the kernel's
 * tables are read 4 times at once, and 5 times a second. */
int device_monitor_fd(const struct device *d);
bool device_on_change(struct device *d, uint64_t now_us);

/* Once a second: what was left, and gateways and name servers, which may be other ones now. As device_on_change. */
bool device_tick(struct device *d, uint64_t now_us);
