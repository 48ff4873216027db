/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An issuer's half of joining and renewing on one channel. A part of its entry (entry.h), which judges certificates and
 * refuses. Sans-I/O, control thread. docs/PROTOCOL.md §26. */

#include "crypto/kdf.h"
#include "proto/message/message.h"
#include "proto/network/membership.h"

struct issuing_join;

/* What the issuer's node answers. Each returns 0, and the certificate, borrowed until the next call; or an enum
 * refuse_code. */
struct serving_issuer {
    struct slice certificate; /* the issuer's own; borrowed */
    int (*redeem)(void *context, const struct issuing_join *join, uint64_t now_us, struct slice *out);
    int (*renew)(void *context, const struct cert *shown, uint64_t now_us, struct slice *out);
    void *context;
};

enum serving_state {
    SERVING_NOBODY, /* nobody has asked */
    SERVING_JOINER, /* JOIN_ASK: it was told who we are, and is to prove its token */
    SERVING_MEMBER, /* CERT_ASK: MEMBER is to follow */
    SERVING_DONE,   /* it was told what it gets */
};

/* All zero: of no issuer. */
struct serving {
    const struct serving_issuer *issuer; /* borrowed; NULL: we are none */
    uint8_t exporter[KDF_LEN];
    enum serving_state state;
    bool network_due, issuer_due, joined_due;
    struct slice joined;
};

/* JOIN_ASK, JOIN or CERT_ASK of a peer with the key spki. 0: it goes on; or an enum refuse_code. */
int serving_on_message(struct serving *s, const struct membership *ms, const uint8_t spki[IDENTITY_SPKI_LEN],
                       const struct message *m, uint64_t now_us) must_check;

/* The certificate of who said CERT_ASK holds, or is renewable. Likewise. */
int serving_on_shown(struct serving *s, const struct cert *shown, uint64_t now_us) must_check;

/* What is to be said next: true, and a message that borrows. */
bool serving_take_answer(struct serving *s, const struct membership *ms, struct message *out);
