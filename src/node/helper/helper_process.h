/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each process beside the node begins with. */

/* It ignores the signals that end a node, which reach a whole terminal or service at once, and leaves the terminal, but
 * for the standard error. title and name are process_title's. */
void helper_process_begin(const char *title, const char *name);
