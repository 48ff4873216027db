/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper that tells this machine's resolver of a network's names, and takes it back once the node is gone, however that
 * ended. It keeps the node's rights, which the node gives up: so it hears the node alone, runs one program, and changes one
 * file. docs/ARCHITECTURE.md, "Processes". */

#include "node/config/resolver_mode.h"
#include "node/helper/hosts_block.h"
#include <stdbool.h>

#define RESOLVER_HOSTS_FILE "/etc/hosts"
#define RESOLVER_NAMES_MAX  4096

struct resolver_helper_config {
    enum resolver_mode mode;
    const char *network; /* its label */
    const char *hosts;   /* RESOLVER_HOSTS_FILE, or a test's */
};

/* Runs it on its end of the channel, until the node's is gone. */
int resolver_helper_run(int fd, const struct resolver_helper_config *config);
