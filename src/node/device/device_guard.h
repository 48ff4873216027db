/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which addresses peers may not have. Internal to the device. */

#include <stdbool.h>

struct device;
struct device_peer_route;

/* Looks who is around this machine, while there is an overlap. */
void device_guard_refresh(struct device *d);
void device_guard_free(struct device *d);

/* False when a host route for r would take an address from who has it; the person is told once per address. */
bool device_guard_admits(struct device *d, const struct device_peer_route *r);
