/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How far a node is that joins, told to a person line by line. */

struct place;

/* Looks at the node's status until a peer answers, and prints a line for each step that is done, or the one that says why it does
 * not go on. An exit code. */
int join_report(const struct place *p);
