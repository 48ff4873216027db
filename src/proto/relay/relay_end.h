/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Our end of a relay's channel to one peer: asking for it, binding our address, and keeping that. Where the kernel's choice of an
 * interface leads nowhere, a standby (proto/path/ways.h) is bound in its place. Pure: time comes in, what is to be done goes
 * out. docs/PROTOCOL.md §17.
 *
 *   NONE ──want──▶ WANTED ──▶ ASKED ──granted──▶ BINDING ──BOUND──▶ BOUND
 *                    ▲          │ no answer        │ 4 unanswered     │ 4 unanswered
 *                    └──────────┴──────────────────┴──────────────────┘ */

#include "base/addr.h"
#include "proto/path/ways.h"
#include "proto/relay/relay_message.h"
#include <stdbool.h>
#include <stdint.h>

#define RELAY_END_RENEW_US 60000000ull /* the address is shown anew */
#define RELAY_END_RETRY_US 250000ull   /* a message without an answer; doubles … */
#define RELAY_END_TRIES    4           /* … so often: then the channel is lost */
#define RELAY_END_TURN_US                                                                                    \
    100000ull /* the first of them, where another way out is next: twice a round trip, if that is more */
#define RELAY_END_TEST_US      5000000ull /* bound by a standby: the kernel's choice is asked so often, … */
#define RELAY_END_RETURN_US    10000000ull /* … and taken again when it has answered for so long */
#define RELAY_END_ASK_US       2000000ull  /* a channel is asked for again; doubles up to … */
#define RELAY_END_ASK_MAX_US   300000000ull
#define RELAY_END_GRANT_GAP_US 1000000ull  /* between two channels that are taken */
#define RELAY_END_WHERE_US     60000000ull /* what it says of the other end holds so long */
#define RELAY_END_HURRY_GAP_US 1000000ull  /* between messages that nothing but silence on the path causes */

enum relay_end_state {
    RELAY_END_NONE,
    RELAY_END_WANTED,
    RELAY_END_ASKED,
    RELAY_END_BINDING,
    RELAY_END_BOUND
};

/* What is to be done. */
enum relay_end_step {
    RELAY_END_WAIT,
    RELAY_END_ASK,  /* the backbone, for a channel */
    RELAY_END_SAY,  /* to the relay: relay_end_message */
    RELAY_END_LOST, /* the relay does not know us any more, or is gone */
};

/* All zero: none is wanted. */
struct relay_end {
    enum relay_end_state state;
    struct addr relay;
    uint32_t channel; /* 0 while there is none */
    uint8_t token[ENVELOPE_TOKEN_LEN], cookie[RELAY_COOKIE_LEN];
    uint64_t number;    /* of the newest message */
    unsigned tries;     /* messages since the last BOUND … */
    bool excused;       /* … and whether a cookie has given one more */
    uint64_t said_us;   /* when the newest was */
    uint64_t rtt_us;    /* of the last one that was answered; 0: none was */
    bool heard;         /* the newest was answered, by a cookie: the next leaves by the same way */
    uint32_t interface; /* by which the newest left, a standby; 0: the kernel's choice … */
    uint32_t bound_by;  /* … and that by which we are bound */
    bool testing;       /* the newest asks nothing but whether the kernel's choice leads there again, … */
    uint64_t test_us;   /* … which is due then, … */
    uint64_t well_us;   /* … and since when each was answered; 0: the last one was not */
    uint64_t at_us;     /* the next step */
    uint64_t wait_us;   /* for the backbone's word, the next time */
    uint64_t granted_us;
    struct addr other; /* where the relay sees the other end; without family: it has not said … */
    uint64_t other_us; /* … and when it did */
};

/* A channel may be asked for: after delay_us, in case the other end does. */
void relay_end_want(struct relay_end *e, uint64_t delay_us, uint64_t now_us);

/* The backbone gave one. False when it did so just now: then the first one stays. */
bool relay_end_granted(struct relay_end *e, const struct addr *relay, uint32_t channel,
                       const uint8_t token[ENVELOPE_TOKEN_LEN], uint64_t now_us);

/* What is due; may_ask: the backbone can be asked. Call until RELAY_END_WAIT. */
enum relay_end_step relay_end_poll(struct relay_end *e, bool may_ask, uint64_t now_us);
uint64_t relay_end_next(const struct relay_end *e, bool may_ask);

/* Whether it would ask now; and then not before that. */
bool relay_end_would_ask(const struct relay_end *e, uint64_t now_us);
void relay_end_put_off(struct relay_end *e, uint64_t at_us);

/* After RELAY_END_SAY: the message, which leaves by e->interface. What a silent way is followed by is the next of ways. As
 * relay_message_encode. */
int relay_end_message(struct relay_end *e, const struct ways *ways,
                      uint8_t out[RELAY_MESSAGE_LEN]) must_check;

/* Asks where the relay sees the other end: ERR_AGAIN while we are not bound by the kernel's choice, or
 * another answer is waited for. Else as
 * relay_message_encode. An earlier relay does not answer. */
int relay_end_ask_where(struct relay_end *e, uint8_t out[RELAY_MESSAGE_LEN]) must_check;
/* What it said of late; NULL: nothing. */
const struct addr *relay_end_other(const struct relay_end *e, uint64_t now_us);

/* What came from an address in an envelope of the channel: true when we are bound by it, and were not by that way. It counts
 * from the relay, under the token, as the answer to the newest message. */
bool relay_end_on_answer(struct relay_end *e, const struct addr *from, const uint8_t *data, size_t len,
                         uint64_t now_us);

/* Nothing comes back by the relay, or our addresses have changed: ours there may be another now. */
void relay_end_hurry(struct relay_end *e, uint64_t now_us);

/* None is wanted any more. */
void relay_end_drop(struct relay_end *e);
