/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the world sees our data port: STUN Binding requests (RFC 8489) to one server, and its answers. An answer
 * counts once, from the address that was asked, while the request is open: anything else may be forged by
 * whoever can send us a datagram. docs/PROTOCOL.md §10. Time comes in; control thread. */

#include "proto/message/stun.h"
#include <stdbool.h>

#define REFLEXIVE_ASK_US  20000000ull /* also keeps the mapping alive */
#define REFLEXIVE_OPEN_US 1000000ull  /* then a request is given up, and the next one is due */

struct reflexive {
    struct addr server, mapped; /* whom we ask; how it sees us. Family 0: unknown */
    bool open;                  /* a request waits for its answer … */
    uint64_t opened_us;         /* … since then */
    uint8_t transaction[STUN_TRANSACTION_LEN];
    uint64_t next_us; /* when a request is due */
};

/* Another server, or the network changed: what was asked before counts no more, and a request is due. */
void reflexive_restart(struct reflexive *r, const struct addr *server);

/* Opens a request when one is due and returns its length, else 0. */
size_t reflexive_request(struct reflexive *r, uint64_t now_us, uint8_t out[STUN_MESSAGE_MAX]);

/* 0 when data is the answer that is waited for, and *changed tells whether we are seen elsewhere than before.
 * ERR_UNSUPPORTED when nothing is open or from was not asked, ERR_MISMATCH when it answers another request,
 * ERR_FORMAT when it is no answer. An address that no peer could use is taken for none. */
int reflexive_answer(struct reflexive *r, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us, bool *changed) must_check;
