/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The routes through a device that has no link layer (device_routes). Internal to the device. */

struct device;

/* Reads them; does nothing where the device has a link layer. What cannot be read is tried again. */
void device_routes_refresh(struct device *d);
