/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a killed run left of an attached device is put back. Internal to the device. */

struct config;
struct device;
struct node_id;

/* Where the record of d lies. Before anything else. */
void device_undo_init(struct device *d, const struct config *config, const struct node_id *id);

/* Puts back what a run that was killed left. Before the device is opened. */
void device_undo_heal(struct device *d);

/* Makes the record agree with d->undo: before every change, and after every undoing. */
void device_undo_sync(struct device *d);
