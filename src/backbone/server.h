/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The whole backbone: opens its parts, waits for the end, closes them in reverse. */

#include "backbone/config.h"

#define SERVER_NODES_MAX        100000   /* in SQLite */
#define SERVER_SHARED_NODES_MAX 10000000 /* in a store that several share */

/* Runs until SIGTERM or SIGINT, reads config again at SIGHUP, and wipes the store's password. Returns the exit code: 0, or
 * 1 after one log line that says what failed. */
int server_run(struct backbone_config *config);
