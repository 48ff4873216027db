/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an uplink consists of, for the files that drive it. What ends it is told by the helper, also when it is us who leave: so
 * nothing of the connection before reaches the next one. Control thread.
 *
 *   DOWN ──→ CONNECTING ──→ PROVING ──→ UP
 *    ↑ wait      │ failed      │ lost    │ lost
 *    ├───────────┴─────────────┼─────────┤
 *    └──────── LEAVING ←───────┴─────────┘ it broke the rules, or another one is to take its place
 */
#include "base/log.h"
#include "node/helper/http_url.h"
#include "node/uplink/uplink.h"
#include "node/uplink/uplink_line.h"
#include "node/uplink/uplink_proof.h"
#include "node/uplink/uplink_ways.h"

enum uplink_state { STATE_DOWN, STATE_CONNECTING, STATE_PROVING, STATE_UP, STATE_LEAVING };

struct uplink {
    struct uplink_config config;
    const char *instance; /* the URL of another one that it goes to; empty: none */
    struct http_url url;  /* where it goes */
    bool is_named;        /* what is connected to has to be looked up */
    bool moves;           /* it has another place to go to once it has left this one, or another way */
    struct uplink_ways way;
    bool impatient; /* it leaves an attempt that takes too long */
    bool has_been;  /* up, since the owner was told that it failed */
    struct uplink_line *line;
    struct uplink_streams *streams;
    enum uplink_state state;
    bool ready; /* the helper may be asked */
    bool lost;  /* it is gone for good */
    bool closing;
    bool was_up;          /* since the log was told of a failure */
    bool signing;         /* the job is the pool's */
    bool challenged;      /* by this connection */
    uint32_t connection;  /* counted, … */
    uint32_t signing_for; /* … so that no signature goes to another one than it was made for */
    unsigned failures;
    uint64_t since_us, changed_us;
    uint64_t asked_us;                                  /* the wait that the backbone asked for; 0: none */
    char cause[HELPER_TEXT_MAX], told[HELPER_TEXT_MAX]; /* why it is down; and what of that the log has */
    struct log_limit cause_limit;
    uv_timer_t retry;
    struct uplink_proof proof;
    unsigned handles; /* a timer not closed and a job not done; the last one frees us */
};

uint32_t uplink_random(void);
void uplink_release(struct uplink *u); /* a handle of it is closed, or its job done */

const char *uplink_place(const struct uplink *u); /* where it goes */
bool uplink_is_idle(const struct uplink *u);      /* it is for visits, and makes none */
bool uplink_is_down(enum uplink_state state);
void uplink_enter(struct uplink *u, enum uplink_state state);
