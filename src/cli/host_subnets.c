/* SPDX-License-Identifier: Apache-2.0 */
/* A leaf of the trie is an address, and behind it a line for each of its prefixes:
 *
 *     |-- 192.168.7.0
 *        /24 link UNICAST
 */
#include "cli/host_subnets.h"

#include <string.h>

#define TRIE "/proc/net/fib_trie"

size_t host_subnets_read(FILE *text, struct addr_prefix *out, size_t cap)
{
    struct addr leaf = {0};
    char line[256], host[64];
    size_t count = 0;
    unsigned bits;
    while (count < cap && fgets(line, sizeof(line), text)) {
        if (sscanf(line, " |-- %63s", host) == 1) {
            if (addr_parse(host, 0, &leaf) != 0)
                leaf = (struct addr){0};
        } else if (leaf.family == 4 && sscanf(line, " /%u", &bits) == 1 && bits <= 32) {
            out[count++] = (struct addr_prefix){leaf, (uint8_t)bits};
        }
    }
    return count;
}

size_t host_subnets_list(struct addr_prefix *out, size_t cap)
{
    FILE *text = fopen(TRIE, "re");
    size_t count = text ? host_subnets_read(text, out, cap) : 0;
    if (text)
        fclose(text);
    return count;
}
