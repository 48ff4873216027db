/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a link and its work are made of. link.c and link_input.c alone change a link, its unit test looks into it. Control
 * thread; a work is its thread's while it runs. */

#include "crypto/ratchet.h"
#include "proto/link/link.h"
#include "proto/link/link_work.h"
#include "proto/network/asking.h"
#include "proto/network/entry.h"

/* In the vault. */
struct link_work {
    struct link *link;      /* NULL: nobody waits for it */
    struct link_work *next; /* of whoever has it */
    enum link_work_kind kind;
    bool opener, fresh; /* as the link's */
    bool all;           /* ROOT: over all that was said before HELLO, too */
    bool ran;
    int err;
    struct channel *channel;
    uint8_t *bytes; /* SECURE: from the stream; none: the opener's first step */
    size_t len;
    struct ratchet_offer *offer;       /* SECURE makes the opener's, ROOT uses it up */
    uint8_t theirs[RATCHET_OFFER_LEN]; /* ROOT: the peer's offer, or its answer */
    uint8_t ours[RATCHET_OFFER_LEN];   /* the opener's offer, or the acceptor's answer */
    uint8_t root[KDF_LEN];
};

static_assert(RATCHET_OFFER_LEN == RATCHET_ANSWER_LEN, "one field holds either");

struct link {
    uint64_t conn;
    struct target remote; /* where the stream leads */
    bool opener;          /* we dialled */
    bool has_stream;
    enum link_state state;
    struct channel *channel; /* NULL once the stream is gone, and while busy */
    struct link_work *work;  /* out, or done and not used up; else NULL */
    bool work_due;           /* there is something to do, and it has not begun */
    bool busy;               /* work is out, with our channel */
    bool keyable;            /* work holds the first root, and nobody was told */
    uint8_t *inbox;          /* what came of the stream and waits for work to be done */
    size_t inbox_len;
    struct entry *entry;     /* in a network; NULL: out of it */
    bool held;               /* until the entry has admitted the peer … */
    size_t held_bytes;       /* … which so much came for … */
    struct message *kept[2]; /* … its HELLO and READY wait */
    unsigned kept_count;
    struct asking *asking;     /* the channel is for it; NULL: it is not */
    struct keychain *keychain; /* from KEYED on */
    struct hello mine, theirs;
    struct ratchet_offer *offer; /* the opener's, until the keys are made */
    bool fresh_root;             /* a fresh secret is mixed into the first root */
    uint32_t generation;         /* of handshakes between these two processes: the opener's word */
    uint64_t live_us, used_us, deadline_us;
    uint64_t asked_us; /* when the opener was last asked to renew it; 0: never */
    bool ready_received;
    int error;
    char reason[160];
    char suite[160];
    struct message *message; /* the last one received, while there may be others */
    void *owner;             /* the peer that it belongs to, once known */
};
