/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Doors from the flags to the process that serves them, and what the node knows for it. */

#include <stdbool.h>

struct helper_job;
struct node;

/* Opens what they listen at. Before helper processes are forked: out is the one that serves them, has its fields but for the channel,
 * and is to be borrowed for their life. False: it cannot, and said why. */
bool control_doors_open(struct node *n, struct helper_job *out);

/* Once helpers are forked: words of clients are theirs alone. */
void control_doors_forget_words(void);

/* Doors of the mesh listen from here on. While the node has all its rights. */
bool control_doors_listen(struct node *n);

bool control_doors_start(struct node *n);

/* The device has other addresses. */
void control_doors_tell(struct node *n);
