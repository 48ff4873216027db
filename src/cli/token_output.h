/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A join token for a person: a secret that is printed, and nothing else has it. */

#include <jansson.h>
#include <stdbool.h>

/* The node's answer to `invite`, as the line that another machine types; quiet: the token alone. */
void token_output(const json_t *result, bool quiet);
