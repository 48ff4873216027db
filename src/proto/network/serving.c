/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer says to who wants a certificate. docs/PROTOCOL.md §26. Control thread. */

#include "proto/network/serving.h"

#include "proto/network/issuing.h"

static int on_join_ask(struct serving *s, const struct membership *ms, const struct node_id *network)
{
    if (!s->issuer || s->state != SERVING_NOBODY || id_compare(network, &membership_ca(ms)->id) != 0)
        return REFUSE_NO_ISSUER;
    s->state = SERVING_JOINER;
    s->network_due = s->issuer_due = true;
    return 0;
}

static int on_cert_ask(struct serving *s)
{
    if (!s->issuer || s->state != SERVING_NOBODY)
        return REFUSE_NO_ISSUER;
    s->state = SERVING_MEMBER;
    return 0;
}

static int on_join(struct serving *s, const uint8_t spki[IDENTITY_SPKI_LEN], const struct message_join *said,
                   uint64_t now_us)
{
    const struct issuing_join join = {.said = said, .spki = spki, .exporter = s->exporter};
    int code = REFUSE_NO_ISSUER;

    if (s->state == SERVING_JOINER)
        code = s->issuer->redeem(s->issuer->context, &join, now_us, &s->joined);
    s->state = SERVING_DONE;
    s->joined_due = code == 0;
    return code;
}

int serving_on_message(struct serving *s, const struct membership *ms, const uint8_t spki[IDENTITY_SPKI_LEN],
                       const struct message *m, uint64_t now_us)
{
    if (m->type == MESSAGE_JOIN_ASK)
        return on_join_ask(s, ms, &m->join_ask.network);
    return m->type == MESSAGE_CERT_ASK ? on_cert_ask(s) : on_join(s, spki, &m->join, now_us);
}

int serving_on_shown(struct serving *s, const struct cert *shown, uint64_t now_us)
{
    int code = s->issuer->renew(s->issuer->context, shown, now_us, &s->joined);

    s->state = SERVING_DONE;
    s->issuer_due = s->joined_due = code == 0;
    return code;
}

bool serving_take_answer(struct serving *s, const struct membership *ms, struct message *out)
{
    bool *due = s->network_due ? &s->network_due : s->issuer_due ? &s->issuer_due : &s->joined_due;

    if (!*due)
        return false;
    if (due == &s->network_due) {
        *out = (struct message){.type = MESSAGE_NETWORK};
        out->certificate = membership_bytes(ms, MEMBERSHIP_CA);
    } else if (due == &s->issuer_due) {
        *out = (struct message){.type = MESSAGE_ISSUER};
        out->certificate = s->issuer->certificate;
    } else {
        *out = (struct message){.type = MESSAGE_JOINED};
        out->certificate = s->joined;
    }
    *due = false;
    return true;
}
