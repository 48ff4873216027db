/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A join token for a person: a secret that is printed, and nothing else has it. */

#include <jansson.h>
#include <stdbool.h>

struct cli_options;

/* The node's answer to `invite`, as the line that another machine types; quiet: the token alone. */
void token_output(const json_t *result, bool quiet);

/* The token alone as a QR code, as wide as the terminal at most. False when it complained. */
bool token_output_qr(const json_t *result, const struct cli_options *options);
