/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Living beside an interface that holds the same subnet. Internal to the device. */

#include <stdbool.h>

struct device;

/* Looks for overlaps in the snapshots, tells the person of new ones, and sets or removes what they call for. */
void device_overlap_refresh(struct device *d);

/* Judges anew what peers announce: by who is around this machine now. again: routes that were set before are set again. */
void device_overlap_look(struct device *d, bool again);

/* True when that is due by itself, once in a few calls. */
bool device_overlap_due(struct device *d);

/* Removes host routes and settings. */
void device_overlap_undo(struct device *d);
