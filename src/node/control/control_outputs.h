/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the mesh wants done, done. Control thread. */

struct node;

/* Carries out what waits, in order, until nothing does. */
void control_do_outputs(struct node *n);
