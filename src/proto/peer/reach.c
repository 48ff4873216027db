/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of reach.h. Control thread. */

#include "proto/peer/reach.h"

#include "base/clock.h"

#define FIRST_US  (3 * USEC_PER_SEC) /* for the first answer: three tries of each address */
#define SILENT_US USEC_PER_SEC       /* a hiccup is no news */

static void enter(struct reach *r, enum reach_state state, uint64_t since_us)
{
    r->state = state;
    r->since_us = since_us;
}

static enum reach_news open_up(struct reach *r, uint64_t now_us, uint64_t *silence_us)
{
    bool again = r->dark_us != 0;
    if (again)
        *silence_us = now_us - r->dark_us;
    enter(r, REACH_OPEN, now_us);
    r->dark_us = 0;
    return again ? REACH_NEWS_REOPEN : REACH_NEWS_OPEN;
}

static enum reach_news darken(struct reach *r)
{
    r->dark_us = r->silent_us;
    enter(r, REACH_DARK, r->dark_us);
    return REACH_NEWS_DARK;
}

/* One that follows another without a path is no news. */
static void begin(struct reach *r, uint64_t now_us)
{
    if (r->dark_us)
        enter(r, REACH_DARK, r->dark_us);
    else
        enter(r, REACH_TRYING, now_us);
}

enum reach_news reach_update(struct reach *r, bool session, bool answers, uint64_t now_us,
                             uint64_t *silence_us)
{
    if (!session) {
        if (r->state != REACH_APART)
            enter(r, REACH_APART, now_us);
        r->silent_us = 0;
        return REACH_NEWS_NONE;
    }
    if (answers) {
        r->silent_us = 0;
        return r->state == REACH_OPEN ? REACH_NEWS_NONE : open_up(r, now_us, silence_us);
    }
    if (r->state == REACH_APART)
        begin(r, now_us);
    if (!r->silent_us)
        r->silent_us = now_us;
    return now_us >= reach_deadline(r) ? darken(r) : REACH_NEWS_NONE;
}

uint64_t reach_deadline(const struct reach *r)
{
    if (!r->silent_us || r->state == REACH_DARK || r->state == REACH_APART)
        return TIME_NEVER;
    return r->silent_us + (r->state == REACH_TRYING ? FIRST_US : SILENT_US);
}
