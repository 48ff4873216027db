/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The ways out of this machine (proto/path/ways.h). Internal to the device. */

struct device;

/* Asks the kernel for them, now that interfaces and addresses are known. */
void device_ways_refresh(struct device *d);
