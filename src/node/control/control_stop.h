/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The end of a node, in the reverse order of its start. */

struct node;

/* Ends what has been started, however far that came: peers are told, callers answered, the device is put back. The
 * identity is the caller's. Where something keeps the loop from running out, the program ends here, with this code. */
void control_stop(struct node *n, int code);
