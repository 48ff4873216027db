/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The key of a network's CA moves to where no attacker of this machine finds it. */

#include <stdbool.h>

struct cli_options;
struct place;

/* Writes a copy to file: sealed by a passphrase, unless options say plain. False when it complained. */
bool ca_key_export(const struct cli_options *options, const struct place *place, const char *file);

/* Removes it from the network's folder, once options->ca has proven to be a copy, or a person is sure. False when it complained, or
 * nothing was removed. */
bool ca_key_remove(const struct cli_options *options, const struct place *place);
