/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a link is made of. link.c alone changes it, its unit test looks into it. Control thread. */

#include "crypto/ratchet.h"
#include "proto/link/link.h"

struct link {
    uint64_t conn;
    struct target remote; /* where the stream leads */
    bool opener;          /* we dialled */
    bool has_stream;
    enum link_state state;
    struct channel *channel;   /* NULL once the stream is gone */
    struct keychain *keychain; /* from KEYED on */
    struct hello mine, theirs;
    struct ratchet_offer *offer; /* the opener's, until the keys are made */
    bool fresh_root;             /* a fresh secret is mixed into the first root */
    uint32_t generation;         /* of handshakes between these two processes: the opener's word */
    uint64_t live_us, deadline_us;
    uint64_t asked_us; /* when the opener was last asked to renew it; 0: never */
    bool ready_received;
    int error;
    char reason[160];
    char suite[160];
    struct message message; /* the last one received */
    void *owner;            /* the peer that it belongs to, once known */
};
