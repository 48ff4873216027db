/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is said on one link before HELLO counts: certificates, until the peer is a member or refused. Sans-I/O, control
 * thread. docs/PROTOCOL.md §25.
 *
 *   AWAITED ── MEMBER, its issuer is known ──────────────────────────▶ ADMITTED
 *      │ └──── MEMBER, unknown issuer: ISSUER_ASK ──▶ ASKED ─ ISSUER ──▶ ┘
 *      ▼ HELLO, or a certificate that does not hold    ▼ likewise
 *   REFUSED                                          REFUSED
 *
 * At an issuer (§26) JOIN_ASK or CERT_ASK before that leads elsewhere: to JOINED once, and to no more than that.
 */

#include "proto/message/message.h"
#include "proto/network/membership.h"

#define ENTRY_REASON_MAX 240

enum entry_state {
    ENTRY_AWAITED,
    ENTRY_ASKED,
    ENTRY_ADMITTED,
    ENTRY_REFUSED,
};

struct entry;
struct serving_issuer;

/* Of a peer that proved the key spki in TLS. needless: we know it by a list of our own: it is admitted from the start. A
 * certificate that it shows is judged once, if its issuer is known, and refuses nobody. seen is what is known of it from before. ms is borrowed. */
int entry_new(struct membership *ms, const uint8_t spki[IDENTITY_SPKI_LEN],
              const struct membership_seen *seen, bool needless, struct entry **out) must_check;
void entry_free(struct entry *e); /* NULL is allowed */

/* We are an issuer, and this is the exporter (§26) of e's channel: who says JOIN_ASK or CERT_ASK is not admitted, but gets a
 * certificate, or is refused. Borrows issuer. */
void entry_serve(struct entry *e, const struct serving_issuer *issuer, const uint8_t exporter[KDF_LEN]);

/* A message that it sent before it was admitted, or MEMBER, ISSUER_ASK and ISSUER at any time before READY: others are not
 * looked at. At most one ISSUER_ASK is answered, and at most two signatures are checked. Take the answers then. */
enum entry_state entry_on_message(struct entry *e, const struct message *m, uint64_t now_us);

/* We have said MEMBER: it may ask for our issuer's certificate from now on. Before, it learns nothing of us. */
void entry_shown(struct entry *e);

/* What is to be said next: true, and a message that borrows from the membership until its next change. */
bool entry_take_answer(struct entry *e, struct message *out);

enum entry_state entry_state(const struct entry *e);

/* Once ADMITTED, for whoever keeps it: the peer's certificate, NULL where none was needed and none that holds was shown, and what to give to the next
 * entry of the same peer. */
const struct cert *entry_cert(const struct entry *e);
const struct membership_seen *entry_seen(const struct entry *e);

/* Once REFUSED: what the peer is told, and what our own log says: the end of a sentence about it. */
enum refuse_code entry_code(const struct entry *e);
const char *entry_reason(const struct entry *e);

/* The words that go with a code of ours, to whom it refuses. They tell no more than the code. */
const char *entry_refusal(enum refuse_code code);
