/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The whole backbone: opens its parts, waits for the end, closes them in reverse. */

#include "backbone/config.h"

#define SERVER_NODES_MAX 100000

/* Runs until SIGTERM or SIGINT. Returns the exit code: 0, or 1 after one log line that says what failed. */
int server_run(const struct backbone_config *config);
