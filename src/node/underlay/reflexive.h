/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How one STUN server (RFC 8489) sees our data port: Binding requests to one address of it, and its answers. An answer
 * counts once, from the address that was asked, while the request is open: anything else may be forged by
 * whoever can send us a datagram. docs/PROTOCOL.md §10. Time comes in; control thread. */

#include "proto/message/stun.h"
#include <stdbool.h>

#define REFLEXIVE_ASK_US 20000000ull /* also keeps the mapping alive */
#define REFLEXIVE_OPEN_US                                                                                    \
    1000000ull /* then a request is given up; the next one is due, and later each time */
#define REFLEXIVE_FRESH_US                                                                                   \
    5000000ull /* an answer is not asked for anew so soon: two that lie in turn would hurry each other */
#define REFLEXIVE_PATIENCE                                                                                   \
    3 /* requests without an answer after which what a network before ours had is forgotten */

struct reflexive {
    struct addr server, mapped; /* whom we ask; how it sees us. Family 0: unknown */
    bool open;                  /* a request waits for its answer … */
    uint64_t opened_us;         /* … since then */
    bool doubtful;              /* mapped is of another server, or another network of ours */
    unsigned unanswered;        /* requests in a row */
    uint8_t transaction[STUN_TRANSACTION_LEN];
    uint64_t next_us;  /* when a request is due */
    uint64_t heard_us; /* when it last answered */
};

/* Another server, or the network changed: what was asked before counts no more, and a request is due. How we were seen
 * is believed until the answer, or REFLEXIVE_PATIENCE requests without one. Family 0: nobody is asked, and nothing known. */
void reflexive_restart(struct reflexive *r, const struct addr *server);

/* Asks anew soon, unless it has just answered: somebody else sees us elsewhere than before. What was said holds on. */
void reflexive_hurry(struct reflexive *r, uint64_t now_us);

/* Whether mapped is what the server sees now, as far as that can be known. */
bool reflexive_is_current(const struct reflexive *r);

/* Whether an answer may still come. */
bool reflexive_waits(const struct reflexive *r, uint64_t now_us);

/* Whether a request is due. */
bool reflexive_due(const struct reflexive *r, uint64_t now_us);

/* Opens the request that is due, and returns its length. */
size_t reflexive_request(struct reflexive *r, uint64_t now_us, uint8_t out[STUN_MESSAGE_MAX]);

/* 0 when data is the answer that is waited for: mapped is what it says. ERR_UNSUPPORTED when nothing is open or from was
 * not asked, ERR_MISMATCH when it answers another request, ERR_FORMAT when it is no answer. An address at which no peer
 * could reach us (nat_may_be_ours) is taken for none. */
int reflexive_answer(struct reflexive *r, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us) must_check;
