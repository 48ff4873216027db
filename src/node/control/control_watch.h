/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is wrong with a node's membership, as long as it is so: told in the log, and standing in `status`. Control thread.
 * docs/PROTOCOL.md §26, §27. */

#include <stdint.h>

struct node;

/* Once a second, on a member. */
void control_watch(struct node *n, uint64_t now_us);
