/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fair.h"

#include <stddef.h>

/* Each pass raises the level by what those below it leave to the others; it ends when no more fall below it. */
uint64_t fair_level(const void *set, fair_next next, uint64_t capacity)
{
    uint64_t level = 0, before, wanted;
    do {
        uint64_t left = capacity, heavy = 0;
        before = level;
        for (const void *at = next(set, NULL, &wanted); at; at = next(set, at, &wanted)) {
            if (wanted > before)
                heavy++;
            else
                left -= wanted < left ? wanted : left;
        }
        if (heavy)
            level = left / heavy;
    } while (level > before);
    return level;
}
