/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asks this machine's node in a network. */

#include "cli/cli.h"
#include <jansson.h>

/* The answer to request (taken), for the caller to decref. verb is who asks, for complaints; NETWORK is the first word of
 * the command line. CLI_OK; otherwise it has complained. */
enum cli_exit network_call(const struct cli_options *options, const char *verb, json_t *request,
                           json_t **result);
