/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the configuration of a node lies. */

#include "base/err.h"
#include <stddef.h>

#define CONF_FILE_MAX 4096

struct cli_options;

/* The file of the verb's first word: itself where it is a path, else that of the node with this name, below -etc. ERR_SPACE,
 * which it complained about for the verb. */
int conf_file_of(const char *verb, const struct cli_options *options, char out[CONF_FILE_MAX]) must_check;
