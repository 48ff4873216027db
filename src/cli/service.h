/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's node as a running process: of systemd where that is the init and the network is where its unit looks, else a
 * daemon of its own. */

#include "cli/place.h"
#include <jansson.h>

/* True when systemd has it. */
bool service_is_systemd(const struct place *p);

/* What the node answers to `status`, for the caller to decref; NULL when none of this network answers. */
json_t *service_status(const struct place *p);

/* Starts it, and waits until it answers. False when it complained. */
bool service_start(const struct place *p);

/* Becomes the node. Returns when it cannot: it complained. */
void service_become(const struct place *p);

/* Ends it, and it does not come again at the next boot; *ran tells whether it ran. False when it complained. */
bool service_stop(const struct place *p, bool *ran);
