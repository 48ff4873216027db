/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether data can flow to a peer: what people are told, in one wording everywhere. A session alone carries nothing.
 * Pure; control thread.
 *
 *             session             a path answers
 *   APART ──────────────▶ TRYING ────────────────▶ OPEN
 *     ▲                     │ 3 s                   │ ▲
 *     │ no session          ▼          1 s without  │ │ a path answers
 *     └── from any ─────  DARK ◀────────────────────┘ │
 *                           └─────────────────────────┘
 * A session that follows one in the DARK begins there.
 */

#include <stdbool.h>
#include <stdint.h>

enum reach_state {
    REACH_APART,  /* no session */
    REACH_TRYING, /* a session; its first paths are being probed */
    REACH_OPEN,   /* data can flow */
    REACH_DARK,   /* a session, and no path that answers */
};

struct reach {
    enum reach_state state;
    uint64_t since_us;  /* when it entered this state; 0: never another one */
    uint64_t dark_us;   /* since when it was DARK last, with no path since; 0: never, or there was one */
    uint64_t silent_us; /* since when no path answers in this session; 0: one does */
};

enum reach_news {
    REACH_NEWS_NONE,
    REACH_NEWS_OPEN,   /* data can flow */
    REACH_NEWS_REOPEN, /* … again, after silence_us without a path */
    REACH_NEWS_DARK,   /* it cannot, and that is not known yet */
};

/* Takes what is so now: whether there is a session to send under, and whether its best path answers. silence_us is
 * written for REOPEN alone. */
enum reach_news reach_update(struct reach *r, bool session, bool answers, uint64_t now_us,
                             uint64_t *silence_us);

/* When time alone changes the state; TIME_NEVER when it does not. */
uint64_t reach_deadline(const struct reach *r);
