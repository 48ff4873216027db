/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The CA's own list of revoked keys, the only one that shuts out issuers. docs/PROTOCOL.md §24. */

#include <stdbool.h>

#define CA_LIST_MAX 370 /* keys in it: a list has to fit into one request to a node */

struct authority;
struct cli_options;

/* Signs the CA's next list with who in it, too, and gives it to this machine's node in the network that options name, which spreads
 * it. False when it complained. */
bool ca_list_revoke(const struct cli_options *options, const struct authority *a, const char *who);
