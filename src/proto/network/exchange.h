/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Lists on their way between peers: who is asked for which, part by part, and what is made of the answers. A peer that announces
 * what it has not, or sends what does not hold, is left alone for a while. Pure; control thread. docs/PROTOCOL.md §27.
 *
 *   LISTS ──▶ said, queue ── a place is free ──▶ fetch ── LIST_ASK ⇄ LIST_PART ──▶ complete ──▶ rolls_take
 *                                                  └── no answer, or one that does not fit ──▶ given up
 */

#include "proto/message/message.h"
#include "proto/network/rolls.h"

#define EXCHANGE_FETCHES_MAX 8 /* at once, each of another peer; so many buffers of a list's length */
#define EXCHANGE_SAME_MAX    4 /* of them, for one list */
#define EXCHANGE_TRIES       4
#define EXCHANGE_WAIT_US     500000ull    /* for the first try; doubled for each that follows */
#define EXCHANGE_LIST_US     30000000ull  /* for a whole list */
#define EXCHANGE_FAILURES    3            /* after which a peer is not listened to … */
#define EXCHANGE_FORGIVE_US  300000000ull /* … until one is forgiven */

struct exchange;

/* rolls is borrowed while it lives. ERR_NOMEM. */
int exchange_new(struct rolls *rolls, struct exchange **out) must_check;
void exchange_free(struct exchange *x); /* NULL is allowed */

/* The peer in slot says what it holds. What it said before of other lists stays. */
void exchange_on_lists(struct exchange *x, uint32_t slot, const struct message_list *lists, unsigned count,
                       uint64_t now_us);
/* Whether it says that it holds all that we hold, or newer. */
bool exchange_has_all(const struct exchange *x, uint32_t slot);
/* Nobody is in slot any more. */
void exchange_forget(struct exchange *x, uint32_t slot);

enum exchange_event {
    EXCHANGE_NOTHING,
    EXCHANGE_TAKEN,   /* a newer list has taken its place */
    EXCHANGE_UNASKED, /* nobody asked for it */
    EXCHANGE_REFUSED, /* it does not fit, or does not hold: why, by rolls_verdict_str */
};
/* The peer in slot sends a part. Fills list for TAKEN and REFUSED. */
enum exchange_event exchange_on_part(struct exchange *x, uint32_t slot, const struct list_part *part,
                                     uint64_t now_us, struct message_list *list, enum rolls_verdict *why);

/* What is to be asked now, and whom: to be called after each event, and at the deadline, until it is false. */
bool exchange_next(struct exchange *x, uint64_t now_us, uint32_t *slot, struct list_part *ask);
uint64_t exchange_deadline(const struct exchange *x); /* TIME_NEVER: none */

/* The answer to a question; its bytes are of rolls, until the next change. False when there is none. */
bool exchange_answer(const struct rolls *rolls, const struct list_part *ask, struct list_part *part);
