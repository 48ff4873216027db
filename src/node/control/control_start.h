/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The start of a node: what is opened in which order. docs/ARCHITECTURE.md, "Start and stop". */

#include <stdbool.h>

struct node;

/* Starts everything around the loop and the identity, which are there. False: one line has told what is wrong and how to
 * mend it, and control_stop ends what has been started. */
bool control_start(struct node *n);
