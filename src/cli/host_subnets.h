/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which IPv4 subnets this machine knows already: its addresses and its routes, of every table. */

#include "base/addr.h"
#include <stdio.h>

#define HOST_SUBNETS_MAX 8192

/* From the kernel. Those behind the last that fits are left out. Returns how many. */
size_t host_subnets_list(struct addr_prefix *out, size_t cap);

/* From text as of /proc/net/fib_trie. */
size_t host_subnets_read(FILE *text, struct addr_prefix *out, size_t cap);
