/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger says before it is a member, three bytes a message: which certificate, and where it is altered. Only its own
 * certificate, whole, and its issuer's where we do not have it, let it in; whatever it says, it has one question of ours and
 * one answer at most, and two checks of a signature. */

#include "proto/network/entry.h"
#include <stdlib.h>
#include "../unit/cert_lab.h"

enum shown { OURS, FAR, FAR_ISSUER, FORGED, SHOWN_COUNT };

static struct membership *ms;
static struct cert_bytes certificates[SHOWN_COUNT];
static struct cert_bytes chain[3];
static unsigned checks;

static void check(bool ok)
{
    if (!ok)
        abort();
}

int __real_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);
int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);

int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len)
{
    checks++;
    return __real_identity_verify(spki, spki_len, context, message, len, signature, signature_len);
}

static struct cert peer_cert(const struct identity *issuer)
{
    struct cert c = lab_member(&lab);
    c.issuer = *identity_id(issuer);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    return c;
}

static void prepare(void)
{
    struct cert ca, issuer, member, c;
    struct identity *far;
    cert_lab_open(&lab);
    check(identity_generate(&far) == 0);
    ca = lab_ca(&lab);
    issuer = lab_issuer(&lab);
    member = lab_member(&lab);
    chain[0] = lab_sign(&ca, lab.ca);
    chain[1] = lab_sign(&issuer, lab.ca);
    chain[2] = lab_sign(&member, lab.issuer);
    c = peer_cert(lab.issuer);
    certificates[OURS] = certificates[FORGED] = lab_sign(&c, lab.issuer);
    certificates[FORGED].der[certificates[FORGED].len - 1] ^= 1;
    c = peer_cert(far);
    certificates[FAR] = lab_sign(&c, far);
    memcpy(issuer.spki, identity_spki(far), sizeof(issuer.spki));
    certificates[FAR_ISSUER] = lab_sign(&issuer, lab.ca);
    identity_free(far);
}

static void open_membership(void)
{
    const struct membership_chain own = {lab_slice(&chain[0]), lab_slice(&chain[1]), lab_slice(&chain[2])};
    enum membership_part part;
    enum cert_verdict why;
    membership_free(ms);
    check(membership_new(&own, identity_spki(lab.member), &part, &why, &ms) == 0);
    membership_set_clock(ms, LAB_NOW, 0);
}

/* What of it has been said whole. */
struct said {
    bool shown[SHOWN_COUNT];
    unsigned asks, answers;
    bool ours; /* we have shown ours, as we do to whom we dial, and to who is admitted */
};

static void take_answers(struct entry *e, struct said *said)
{
    struct message m;
    while (entry_take_answer(e, &m)) {
        said->asks += m.type == MESSAGE_ISSUER_ASK;
        said->answers += m.type == MESSAGE_ISSUER;
    }
}

static void step(struct entry *e, const uint8_t in[3], struct said *said)
{
    static const enum message_type types[] = {MESSAGE_MEMBER, MESSAGE_ISSUER, MESSAGE_ISSUER_ASK,
                                              MESSAGE_HELLO,  MESSAGE_READY,  MESSAGE_MEMBER};
    struct message m = {.type = types[in[0] % 6]};
    enum shown which = in[1] % SHOWN_COUNT;
    struct cert_bytes b = certificates[which];
    if (in[2] && in[2] < 0xf0)
        b.der[in[2] * 37u % b.len] ^= 1;
    else if (in[2])
        b.len = in[2] * 31u;
    else
        said->shown[which] |= m.type == MESSAGE_MEMBER || m.type == MESSAGE_ISSUER;
    if (m.type == MESSAGE_MEMBER || m.type == MESSAGE_ISSUER)
        m.certificate = lab_slice(&b);
    else if (m.type == MESSAGE_ISSUER_ASK)
        m.issuer.id = in[1] & 1 ? *identity_id(lab.issuer) : *identity_id(lab.other);
    if (entry_on_message(e, &m, 0) == ENTRY_ADMITTED && !said->ours) {
        entry_shown(e);
        said->ours = true;
    }
    take_answers(e, said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct membership_seen none = {0};
    struct said said = {0};
    struct entry *e;
    if (!certificates[OURS].len)
        prepare();
    open_membership();
    checks = 0;
    check(entry_new(ms, identity_spki(lab.other), &none, size % 3 == 2, &e) == 0);
    for (size_t i = 0; i + 2 < size && i < 192; i += 3)
        step(e, data + i, &said);
    check(said.asks <= 1 && said.answers <= said.ours && checks <= 2);
    if (entry_state(e) == ENTRY_ADMITTED && size % 3 != 2)
        check(entry_cert(e) && (said.shown[OURS] || (said.shown[FAR] && said.shown[FAR_ISSUER])));
    else
        check(!entry_cert(e));
    if (entry_state(e) == ENTRY_REFUSED)
        check(entry_reason(e)[0] && entry_refusal(entry_code(e))[0]);
    entry_free(e);
    return 0;
}
