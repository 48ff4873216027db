/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What this machine and its limits grant a node. */

#include "node/config/config.h"

/* Data workers: for bulk flows as many as the flag says, else as there are CPUs for us; and one for sparse flows. */
unsigned resources_workers(const struct config *config);

/* False when memory is short, which one line has told with the remedy. Before anything is made: what has no room later
 * on may be a thread of a library, which aborts. */
bool resources_room(const struct config *config);

/* How many peers there can be: as many as files may be open for. Told when those are fewer than the most. */
unsigned resources_peers(void);

/* How many connections doors may have at once: fewer than they are meant to where fewer files may be open, which the log says. */
unsigned resources_doors(void);
