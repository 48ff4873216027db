/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The members of a network as lines of hosts(5), between two marks. All else in the file is a person's, and stays. Pure. */

#include "base/addr.h"
#include <stddef.h>

#define HOSTS_NAME_MAX      64 /* a label of at most 63 characters, and a NUL */
#define HOSTS_ADDRESSES_MAX 8

struct hosts_name {
    char name[HOSTS_NAME_MAX];
    unsigned count;
    struct addr addresses[HOSTS_ADDRESSES_MAX];
};

/* Returns text with the network's block as it is to be, at the end; without names it has none. The caller frees it. NULL: out
 * of memory. A block whose end is missing was cut by somebody: then its first line alone is ours. */
char *hosts_block_put(const char *text, size_t len, const char *network, const struct hosts_name *names,
                      size_t count, size_t *out_len);
