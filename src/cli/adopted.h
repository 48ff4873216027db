/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node that was driven by flags, and goes on as a member of a network: with its key, so with its id. */

#include <stdbool.h>

struct cli_options;
struct identity;

/* The key in the folder of options->adopt, for the caller to free; NULL when there is no such option. False when it complained, in
 * the words of verb: also while its node runs, as two may not have one id. */
bool adopted_key(const struct cli_options *options, const char *verb, struct identity **out);
