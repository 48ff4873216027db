/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the size of a path. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_size.h"
#include "base/clock.h"
#include "proto/wire/wire.h"
#include <stddef.h>

/* UDP payloads of links as they are: MTU less 28 bytes of IPv4 and UDP, or 48 of IPv6 and UDP. */
static const uint16_t usual[] = {
    978,        /* 1006: SLIP */
    996,        /* 1024 */
    1200,       /* WIRE_BASE_SIZE */
    1232, 1252, /* 1280: the least of IPv6 */
    1352, 1372, /* 1400 */
    1392,       /* 1420: WireGuard */
    1412,       /* 1440, 1460: Google Cloud over IPv6 */
    1432,       /* 1460 */
    1444, 1464, /* 1492: PPPoE */
    1452, 1472, /* 1500 */
    8872,       /* 8900 */
    8952, 8972, /* 9000 */
};
#define USUAL_COUNT (sizeof(usual) / sizeof(usual[0]))

/* The least usual size between the two, or 0. */
static uint16_t usual_between(uint32_t above, uint32_t below)
{
    uint16_t best = 0;
    for (size_t i = 0; i < USUAL_COUNT; i++) {
        if (usual[i] > above && usual[i] < below && (best == 0 || usual[i] < best))
            best = usual[i];
    }
    return best;
}

static bool is_usual(uint16_t size)
{
    return usual_between(size - 1u, size + 1u) == size;
}

static void next_trial(struct path_size *s, uint64_t now_us)
{
    s->tries = 0;
    s->due_us = now_us;
    if (s->failed - s->proven <= PATH_SIZE_STEP) {
        s->trial = 0;
        s->due_us = TIME_NEVER;
        s->raise_us = now_us + PATH_SIZE_RAISE_US;
        return;
    }
    s->trial = usual_between(s->proven, s->failed);
    if (s->trial)
        return;
    /* A usual size is most likely the exact one: one more step shows it. */
    s->trial = is_usual(s->proven) ? s->proven + PATH_SIZE_STEP : (uint16_t)((s->proven + s->failed) / 2);
}

static void begin(struct path_size *s, uint16_t first, uint64_t now_us)
{
    s->failed = s->limit + 1;
    next_trial(s, now_us);
    if (first > s->proven && first <= s->limit) {
        s->trial = first;
        s->due_us = now_us;
    }
}

void path_size_start(struct path_size *s, uint16_t proven, uint16_t limit, uint16_t first, uint64_t now_us)
{
    s->limit = limit > proven ? limit : proven;
    s->proven = proven;
    begin(s, first ? first : limit, now_us);
}

void path_size_raise(struct path_size *s, uint16_t limit, uint64_t now_us)
{
    if (limit < s->proven) {
        path_size_start(s, WIRE_LEAST_SIZE, limit, 0, now_us);
        return;
    }
    s->limit = limit;
    begin(s, limit, now_us);
}

bool path_size_due(struct path_size *s, uint64_t now_us)
{
    if (!s->trial && s->raise_us <= now_us)
        path_size_raise(s, (uint16_t)s->limit, now_us);
    while (s->trial && s->due_us <= now_us && s->tries == PATH_SIZE_TRIES) {
        s->failed = s->trial;
        next_trial(s, now_us);
    }
    return s->trial && s->due_us <= now_us;
}

void path_size_on_sent(struct path_size *s, uint64_t now_us, uint64_t timeout_us)
{
    s->tries++;
    s->due_us = now_us + timeout_us;
}

void path_size_on_answer(struct path_size *s, uint16_t size, uint64_t now_us)
{
    if (size <= s->proven || size > s->limit)
        return;
    s->proven = size;
    /* An answer that came after its size was given up. */
    if (size >= s->failed)
        s->failed = s->limit + 1;
    next_trial(s, now_us);
}

uint64_t path_size_next(const struct path_size *s)
{
    return s->trial ? s->due_us : s->raise_us;
}
