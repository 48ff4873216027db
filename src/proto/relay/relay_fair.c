/* SPDX-License-Identifier: Apache-2.0 */
/* Shares are made once in a period. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_fair.h"

#include "base/fair.h"

#define USEC 1000000ull

static const void *next_share(const void *set, const void *at, uint64_t *wanted)
{
    const struct relay_fair *f = set;
    const struct relay_share *s = at ? ((const struct relay_share *)at)->after : f->active;
    if (s)
        *wanted = s->asked;
    return s;
}

static uint64_t sum_asked(const struct relay_fair *f)
{
    uint64_t sum = 0;
    for (const struct relay_share *s = f->active; s; s = s->after)
        sum += s->asked;
    return sum;
}

/* A train that went over the level is paid for in the next period. */
static uint64_t debt_of(const struct relay_share *s, uint64_t level)
{
    return level && s->passed > level ? s->passed - level : 0;
}

static void unlist(struct relay_fair *f, struct relay_share *s)
{
    if (s->before)
        s->before->after = s->after;
    else
        f->active = s->after;
    if (s->after)
        s->after->before = s->before;
    *s = (struct relay_share){0};
}

/* A little less than what passed. But a queue that stays full, whatever is dropped, is not emptied by dropping all. */
static uint64_t pressed_capacity(const struct relay_fair *f)
{
    uint64_t less = f->passed * 7 / 8;
    return less > f->peak / 2 ? less : f->peak / 2;
}

static void end_period(struct relay_fair *f, uint64_t now_us)
{
    uint64_t took_us = now_us - f->period_us, most_us = took_us < USEC ? took_us : USEC;
    uint64_t capacity = f->bytes_per_s * most_us / USEC;
    f->peak = f->passed > f->peak ? f->passed : f->peak - f->peak / 64;
    if (f->pressed && pressed_capacity(f) < capacity)
        capacity = pressed_capacity(f);
    bool was_idle = took_us >= 2 * RELAY_FAIR_PERIOD_US; /* what was asked for came long before its end */
    uint64_t level = !was_idle && sum_asked(f) > capacity
                         ? fair_level(f, next_share, capacity) * RELAY_FAIR_PERIOD_US / took_us + 1
                         : 0;
    for (struct relay_share *s = f->active, *after; s; s = after) {
        after = s->after;
        s->passed = debt_of(s, f->level);
        s->asked = 0;
        if (!s->passed)
            unlist(f, s);
    }
    f->level = level;
    f->period_us = now_us;
    f->passed = 0;
    f->pressed = false;
}

bool relay_fair_pass(struct relay_fair *f, struct relay_share *s, size_t bytes, uint64_t now_us)
{
    if (now_us - f->period_us >= RELAY_FAIR_PERIOD_US)
        end_period(f, now_us);
    if (!s->listed) {
        *s = (struct relay_share){.listed = true, .after = f->active};
        if (f->active)
            f->active->before = s;
        f->active = s;
    }
    s->asked += bytes;
    if (f->level && s->passed >= f->level)
        return false;
    s->passed += bytes;
    f->passed += bytes;
    return true;
}

void relay_fair_press(struct relay_fair *f, unsigned percent)
{
    f->pressed |= percent >= RELAY_FAIR_PRESSED;
}

void relay_fair_leave(struct relay_fair *f, struct relay_share *s)
{
    if (s->listed)
        unlist(f, s);
}
