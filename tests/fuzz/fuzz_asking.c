/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer says to a joiner, two bytes a message: which certificate or refusal, and where it is altered. Only the
 * network's own, its issuer's of that key, and after the joiner's proof one for the joiner's key are a certificate. */

#include "proto/network/asking.h"

#include <stdlib.h>
#include "../unit/cert_lab.h"

enum shown { NETWORK, ISSUER, JOINED, OTHER_NETWORK, OTHER_ISSUER, OTHER_JOINED, SHOWN_COUNT };

static struct cert_bytes certificates[SHOWN_COUNT];
static struct token token = {.name = "lab"};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void prepare(void)
{
    struct cert c;

    cert_lab_open(&lab);
    token.network = *identity_id(lab.ca);
    c = lab_ca(&lab);
    certificates[NETWORK] = lab_sign(&c, lab.ca);
    c.issuer = *identity_id(lab.other);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    certificates[OTHER_NETWORK] = lab_sign(&c, lab.other);
    c = lab_issuer(&lab);
    certificates[ISSUER] = lab_sign(&c, lab.ca);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    certificates[OTHER_ISSUER] = lab_sign(&c, lab.ca);
    c = lab_member(&lab);
    certificates[JOINED] = lab_sign(&c, lab.issuer);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    certificates[OTHER_JOINED] = lab_sign(&c, lab.issuer);
}

/* What has been said whole, and what the joiner has said. */
struct said {
    bool network, issuer, joined;
    unsigned proofs, asks;
};

static void take_answers(struct asking *a, struct said *said)
{
    struct message m;

    while (asking_take_answer(a, &m)) {
        said->proofs += m.type == MESSAGE_JOIN;
        said->asks += m.type == MESSAGE_JOIN_ASK;
        check(m.type != MESSAGE_JOIN || (said->network && said->issuer));
    }
}

static void step(struct asking *a, const uint8_t in[2], struct said *said)
{
    static const enum message_type types[] = {MESSAGE_NETWORK, MESSAGE_ISSUER, MESSAGE_JOINED, MESSAGE_REFUSE,
                                              MESSAGE_MEMBER};
    enum shown which = in[0] / 8 % SHOWN_COUNT;
    struct message m = {.type = types[in[0] % 5]};
    struct cert_bytes b = certificates[which];

    if (m.type == MESSAGE_REFUSE) {
        m.refuse.code = in[1];
    } else {
        if (in[1])
            b.der[in[1] * 37u % b.len] ^= 1;
        m.certificate = lab_slice(&b);
        said->network |= !in[1] && m.type == MESSAGE_NETWORK && which == NETWORK;
        said->issuer |= !in[1] && m.type == MESSAGE_ISSUER && which == ISSUER;
        said->joined |= !in[1] && m.type == MESSAGE_JOINED && which == JOINED;
    }
    (void)asking_on_message(a, &m);
    take_answers(a, said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t exporter[KDF_LEN];
    struct said said = {0};
    struct asking *a;

    if (!certificates[NETWORK].len)
        prepare();
    check(asking_join(&token, lab.member, "berlin", &a) == 0);
    asking_set_clock(a, LAB_NOW);
    asking_begin(a, identity_id(lab.issuer), exporter);
    take_answers(a, &said);
    for (size_t i = 0; i + 1 < size && i < 128; i += 2)
        step(a, data + i, &said);
    check(said.asks == 1 && said.proofs <= 1);
    if (asking_state(a) == ASKING_DONE)
        check(said.network && said.issuer && said.joined && said.proofs == 1);
    if (asking_state(a) == ASKING_REFUSED)
        check(asking_reason(a)[0]);
    asking_free(a);
    return 0;
}
