/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network check without a node: no key, no device, no port of its own. Main thread. */

struct node;

/* Its helpers have been started. Prints the result on standard output. Returns the program's exit code: 0, or 1 after one line
 * on stderr. */
int control_netcheck(struct node *n);
