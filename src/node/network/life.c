/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/life.h"

#include "crypto/cert.h"
#include <stdio.h>

#define HOUR_S 3600
#define DAY_S  86400

static const unsigned steps[] = {50, 75, 90, 100};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

unsigned life_spent(const struct cert *c, uint64_t now_s)
{
    uint64_t life = c->not_after - c->not_before;

    if (now_s <= c->not_before)
        return 0;
    return now_s - c->not_before >= life ? 100 : (unsigned)((now_s - c->not_before) * 100 / life);
}

uint64_t life_left_s(const struct cert *c, uint64_t now_s)
{
    return c->not_after > now_s ? c->not_after - now_s : 0;
}

bool life_is_news(struct life *l, unsigned spent)
{
    unsigned before = l->told;

    while (l->told < STEPS && spent >= steps[l->told])
        l->told++;
    return l->told > before;
}

bool life_is_shown(unsigned spent)
{
    return spent >= steps[0];
}

char *life_span(uint64_t seconds, char out[LIFE_SPAN_MAX])
{
    if (seconds >= 2 * DAY_S)
        snprintf(out, LIFE_SPAN_MAX, "%llu days", (unsigned long long)seconds / DAY_S);
    else if (seconds >= 2 * HOUR_S)
        snprintf(out, LIFE_SPAN_MAX, "%llu hours", (unsigned long long)seconds / HOUR_S);
    else
        snprintf(out, LIFE_SPAN_MAX, "%llu s", (unsigned long long)seconds);
    return out;
}
