/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What one peer may ask of the control thread: a rate for each kind, many times what an honest node needs.
 * docs/PROTOCOL.md §14 has the numbers. Pure; control thread. */

#include "base/bucket.h"

enum allowance_kind {
    ALLOWANCE_PROBE,      /* a PROBE that asks for an answer; over it: dropped */
    ALLOWANCE_CONTROL,    /* a CONTROL datagram; over it: dropped */
    ALLOWANCE_MESSAGE,    /* a message on a LIVE link's connection; over it: the connection is closed */
    ALLOWANCE_KILOBYTE,   /* of such a connection, as TLS; likewise */
    ALLOWANCE_CONNECTION, /* accepted from it; over it: refused */
    ALLOWANCE_STREAM,     /* over its session, before any handshake; over it: reset */
    ALLOWANCE_RELAY,      /* a question for a relay, or for a channel; over it: dropped */
    ALLOWANCE_RECORD,     /* that we pass on to it; over it: it has to ask again */
    ALLOWANCE_LIST,       /* a question for a part of a list; over it: dropped */
    ALLOWANCE_COUNT
};

struct allowance {
    struct bucket buckets[ALLOWANCE_COUNT];
};

/* Takes cost of one kind. False when the peer has asked for too much lately. */
bool allowance_take(struct allowance *a, enum allowance_kind kind, unsigned cost, uint64_t now_us);
