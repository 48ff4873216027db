/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of trunk_plan.h. Control thread. */

#include "proto/peer/trunk_plan.h"

#include "base/clock.h"
#include <stdio.h>

#define CONNECT_US     USEC_PER_SEC       /* for one address, before the next is tried */
#define AGAIN_US       (USEC_PER_SEC / 5) /* after one that has served */
#define BACKOFF_MIN_US USEC_PER_SEC
#define BACKOFF_MAX_US (60 * USEC_PER_SEC)
#define NEEDLESS_US    (30 * USEC_PER_SEC)
#define YOUNG_US       (2 * USEC_PER_SEC)

static void enter(struct trunk_plan *t, enum trunk_state state, uint64_t conn, uint64_t now_us)
{
    t->state = state;
    t->conn = conn;
    t->since_us = now_us;
}

void trunk_want(struct trunk_plan *t, bool wanted, uint64_t patience_us, uint64_t now_us)
{
    if (wanted == (t->wanted_us != 0))
        return;
    t->wanted_us = wanted ? now_us : 0;
    t->left_us = wanted ? 0 : now_us;
    if (wanted && t->at_us < now_us + patience_us)
        t->at_us = now_us + patience_us;
}

static uint64_t end_of_open(const struct trunk_plan *t)
{
    return t->ours && t->left_us ? t->left_us + NEEDLESS_US : TIME_NEVER;
}

enum trunk_step trunk_step(const struct trunk_plan *t, uint64_t now_us)
{
    if (trunk_next(t) > now_us)
        return TRUNK_STEP_NONE;
    return t->state == TRUNK_NONE ? TRUNK_STEP_DIAL : TRUNK_STEP_END;
}

uint64_t trunk_next(const struct trunk_plan *t)
{
    switch (t->state) {
    case TRUNK_NONE:
        return t->wanted_us ? t->at_us : TIME_NEVER;
    case TRUNK_DIALLING:
        return t->since_us + CONNECT_US;
    case TRUNK_OPEN:
        return end_of_open(t);
    }
    return TIME_NEVER;
}

void trunk_dial(struct trunk_plan *t, uint64_t conn, const struct addr *to, uint64_t now_us)
{
    t->remote = *to;
    enter(t, TRUNK_DIALLING, conn, now_us);
}

void trunk_opened(struct trunk_plan *t, uint64_t conn, const struct addr *remote, bool ours, uint64_t now_us)
{
    t->remote = *remote;
    enter(t, TRUNK_OPEN, conn, now_us);
    t->ours = ours;
    t->proved = false;
}

void trunk_proved(struct trunk_plan *t)
{
    t->proved = true;
    t->backoff_us = 0;
    t->error[0] = '\0';
}

void trunk_gone(struct trunk_plan *t, const char *why, uint64_t now_us)
{
    snprintf(t->error, sizeof(t->error), "%s", why);
    bool served = t->state == TRUNK_OPEN && t->proved && now_us - t->since_us >= YOUNG_US;
    t->next += t->state == TRUNK_DIALLING || (t->ours && !served);
    if (t->at_us < now_us + AGAIN_US) /* it may be the peer's own that went, while we wait for longer */
        t->at_us = now_us + AGAIN_US;
    enter(t, TRUNK_NONE, 0, now_us);
    t->ours = t->proved = false;
}

void trunk_round_over(struct trunk_plan *t, uint64_t now_us)
{
    t->backoff_us = t->backoff_us ? t->backoff_us * 2 : BACKOFF_MIN_US;
    if (t->backoff_us > BACKOFF_MAX_US)
        t->backoff_us = BACKOFF_MAX_US;
    t->next = 0;
    t->at_us = now_us + t->backoff_us;
}

bool trunk_stays(const struct trunk_plan *t, bool lower_id, bool sound, uint64_t now_us)
{
    return t->state == TRUNK_OPEN && t->ours && lower_id && (sound || t->since_us + YOUNG_US > now_us);
}
