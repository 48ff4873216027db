/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A virtual machine that is resumed from a snapshot runs on with keys and counters that were used already. */

struct node;

/* From here on all sessions are made anew when the kernel tells of it. */
void snapshot_watch(struct node *n);

/* After the loop has closed its handles. */
void snapshot_unwatch(struct node *n);
