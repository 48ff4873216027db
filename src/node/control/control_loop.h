/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The loop of a running node: its timers, signals, changes of the network, and what is done after each round. Control
 * thread. */

#include <stdbool.h>

struct node;

/* Makes the loop and its handles. Signals that would end the node wait from here on: n->ending is readable then. */
void control_loop_init(struct node *n);

/* Signals are the loop's from here on: threads that are made later block them themselves. False: one has come, and has
 * been told. */
bool control_loop_listen(struct node *n);

/* Everything has been started: timers and watching begin. */
void control_loop_begin(struct node *n);

/* Closes the handles and runs the loop until nothing of it is left, or for as long as a stop may take. */
void control_loop_run_out(struct node *n);
