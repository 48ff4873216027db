/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control thread of one node: it owns the libuv loop, the mesh, and everything that is not per frame, and
 * ties the parts together. docs/ARCHITECTURE.md, "Control". */

#include "node/config/config.h"

/* Runs a node until SIGTERM or SIGINT. config changes when it is read again (node/command/reloads.h). Returns the program's exit code: 0, or 1 after one line on stderr has
 * said what is wrong and how to mend it. */
int control_run(struct config *config);
