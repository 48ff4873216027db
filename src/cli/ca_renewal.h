/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Issuers live for a year: the CA certifies them anew, each with the key and the addresses that it has. */

#include <stdbool.h>

struct authority;
struct cli_options;

/* Of the network that options name: the issuers that are named behind it, or all that are past half of their life. This machine's
 * node tells which there are, and spreads what is signed. tell: also what is not due. False when it complained. */
bool ca_renewal(const struct cli_options *options, const struct authority *a, bool tell);
