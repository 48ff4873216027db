/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is said on a channel in which we want a certificate: a joiner by its token, a member by its last one. Such a channel
 * does nothing else. Sans-I/O, control thread. docs/PROTOCOL.md §26.
 *
 *   joiner: JOIN_ASK ─▶ NETWORK, ISSUER: judged ─▶ JOIN ─▶ JOINED: judged ─▶ DONE
 *   member: CERT_ASK, MEMBER ──────────────────────────▶ ISSUER, JOINED: judged ─▶ DONE
 */

#include "crypto/token.h"
#include "proto/message/message.h"
#include "proto/network/membership.h"

#define ASKING_REASON_MAX 240

enum asking_state {
    ASKING_IDLE,    /* in no channel */
    ASKING_ISSUER,  /* it is asked who it is, and what its network is */
    ASKING_PROVING, /* it has our proof, and judges it */
    ASKING_DONE,    /* asking_chain has it */
    ASKING_REFUSED, /* by the issuer, or its certificates by us: asking_reason; it may be begun again */
};

struct asking;

/* A joiner: token is only read, wish is the name that it would have, or empty. ERR_NOMEM, ERR_CRYPTO. */
int asking_join(const struct token *token, const struct identity *me, const char *wish,
                struct asking **out) must_check;
/* A member: ms is borrowed. */
int asking_renew(const struct membership *ms, const struct identity *me, struct asking **out) must_check;
void asking_free(struct asking *a); /* NULL is allowed */

/* Seconds since 1970, as far as the clock tells: to be told at first, and again when it is another time. */
void asking_set_clock(struct asking *a, uint64_t now);

/* A channel to that issuer begins, with this exporter (§26). */
void asking_begin(struct asking *a, const struct node_id *issuer, const uint8_t exporter[KDF_LEN]);

/* What the issuer says, REFUSE, too. Others' messages are not looked at. Take the answers then. */
enum asking_state asking_on_message(struct asking *a, const struct message *m);

/* The channel is gone: unless it was DONE or REFUSED, it has done nothing. */
void asking_end(struct asking *a);

/* What is to be said next: true, and a message that borrows from a until its next change. */
bool asking_take_answer(struct asking *a, struct message *out);

enum asking_state asking_state(const struct asking *a);

/* Once REFUSED: the issuer's code, 0 when it was us who refused; and the end of a sentence about the issuer. */
int asking_code(const struct asking *a);
const char *asking_reason(const struct asking *a);

/* Once DONE: the CA's, the issuer's and our certificate, and the last as a value. Borrowed. */
struct membership_chain asking_chain(const struct asking *a);
const struct cert *asking_cert(const struct asking *a);
