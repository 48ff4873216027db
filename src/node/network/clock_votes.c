/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/clock_votes.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t clock_votes_off(struct clock_votes *v, unsigned *agree)
{
    unsigned behind = 0, ahead = 0;
    qsort(v->ahead_s, v->count, sizeof(*v->ahead_s), compare);
    for (unsigned i = 0; i < v->count; i++) {
        behind += v->ahead_s[i] < -CLOCK_VOTES_OFF;
        ahead += v->ahead_s[i] > CLOCK_VOTES_OFF;
    }
    *agree = behind > ahead ? behind : ahead;
    if (2 * *agree <= v->count)
        return 0;
    return -(behind > ahead ? v->ahead_s[behind / 2] : v->ahead_s[v->count - 1 - ahead / 2]);
}
