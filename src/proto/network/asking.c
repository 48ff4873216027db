/* SPDX-License-Identifier: Apache-2.0 */
/* From a token, or from a certificate, to a certificate. docs/PROTOCOL.md §26. Control thread. */

#include "proto/network/asking.h"

#include "proto/network/issuing.h"
#include <stdio.h>
#include <stdlib.h>

struct kept {
    size_t len;
    uint8_t der[CERT_MAX];
};

struct asking {
    const struct identity *me;
    const struct membership *ms; /* a member's; NULL: a joiner's */
    struct identity *key;        /* of a joiner's token */
    struct node_id network;
    char name[CERT_LABEL_MAX]; /* of the network */
    char wish[CERT_LABEL_MAX];
    enum asking_state state;
    struct node_id issuer;
    uint8_t exporter[KDF_LEN];
    uint64_t now;
    struct kept ca, issuers, mine;
    struct cert ca_cert, issuer_cert, cert; /* kind CERT_MEMBER: ours has come */
    bool has_ca, has_issuer;
    bool ask_due, member_due, issuer_due, join_due;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    int code;
    char reason[ASKING_REASON_MAX];
};

static int make(const struct identity *me, struct asking **out)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return ERR_NOMEM;
    (*out)->me = me;
    return 0;
}

int asking_join(const struct token *token, const struct identity *me, const char *wish, struct asking **out)
{
    int err = make(me, out);

    if (err)
        return err;
    (*out)->network = token->network;
    memcpy((*out)->name, token->name, sizeof(token->name));
    snprintf((*out)->wish, sizeof((*out)->wish), "%s", wish);
    err = identity_from_seed(token->seed, &(*out)->key);
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}

int asking_renew(const struct membership *ms, const struct identity *me, struct asking **out)
{
    int err = make(me, out);

    if (!err)
        (*out)->ms = ms;
    return err;
}

void asking_free(struct asking *a)
{
    if (!a)
        return;
    identity_free(a->key);
    free(a);
}

void asking_set_clock(struct asking *a, uint64_t now)
{
    a->now = now;
}

void asking_begin(struct asking *a, const struct node_id *issuer, const uint8_t exporter[KDF_LEN])
{
    a->state = ASKING_ISSUER;
    a->issuer = *issuer;
    memcpy(a->exporter, exporter, KDF_LEN);
    a->has_issuer = a->issuer_due = a->join_due = false;
    a->has_ca = a->ms != NULL;
    if (a->ms)
        a->ca_cert = *membership_ca(a->ms);
    a->ask_due = true;
    a->member_due = a->ms != NULL;
    a->code = 0;
    a->reason[0] = '\0';
}

void asking_end(struct asking *a)
{
    if (a->state == ASKING_ISSUER || a->state == ASKING_PROVING)
        a->state = ASKING_IDLE;
}

/* ---- what comes ---- */

static void refuse(struct asking *a, const char *whose, const char *why)
{
    a->state = ASKING_REFUSED;
    a->ask_due = a->member_due = a->issuer_due = a->join_due = false;
    snprintf(a->reason, sizeof(a->reason), "%s%s%s", whose, whose[0] ? " " : "", why);
}

/* One that is not valid yet is good enough for whoever has no clock: what comes of it is judged again in use (§25). */
static bool is_good(struct asking *a, const char *whose, enum cert_verdict verdict)
{
    if (verdict == CERT_OK || verdict == CERT_NOT_YET)
        return true;
    refuse(a, whose, cert_verdict_str(verdict));
    return false;
}

static void keep(struct kept *k, struct slice der)
{
    memcpy(k->der, der.data, der.len); /* what was read as a certificate is no longer than CERT_MAX */
    k->len = der.len;
}

static void on_network(struct asking *a, struct slice der)
{
    if (!is_good(a, "its network's certificate", cert_chain_ca(der, &a->network, a->now, &a->ca_cert)))
        return;
    if (strcmp(a->ca_cert.network, a->name) != 0) {
        refuse(a, "", "its network has another name than the token");
        return;
    }
    keep(&a->ca, der);
    a->has_ca = true;
}

/* What is signed is bound to this channel, to us and to the network. */
static void prove(struct asking *a)
{
    uint8_t proof[ISSUING_PROOF_LEN];

    issuing_proof(a->exporter, identity_id(a->me), &a->network, proof);
    if (identity_sign(a->key, issuing_context, proof, sizeof(proof), a->signature))
        refuse(a, "", "the proof could not be made: out of memory");
    else
        a->join_due = true;
}

static void on_issuer(struct asking *a, struct slice der)
{
    if (!is_good(a, "its issuer's certificate", cert_chain_issuer(&a->ca_cert, der, a->now, &a->issuer_cert)))
        return;
    if (id_compare(&a->issuer_cert.id, &a->issuer) != 0) {
        refuse(a, "its issuer's certificate", cert_verdict_str(CERT_WRONG_KEY));
        return;
    }
    keep(&a->issuers, der);
    a->has_issuer = true;
    a->state = ASKING_PROVING;
    if (a->key)
        prove(a);
}

/* A renewed one is the same member's, and lasts longer. */
static bool is_renewal(const struct asking *a)
{
    const struct cert *last = a->ms ? membership_me(a->ms) : NULL;

    return !last || (strcmp(last->name, a->cert.name) == 0 && a->cert.not_after > last->not_after);
}

static void on_joined(struct asking *a, struct slice der)
{
    if (!is_good(
            a, "our new certificate",
            cert_chain_member(&a->ca_cert, &a->issuer_cert, der, identity_spki(a->me), a->now, &a->cert)))
        return;
    if (!is_renewal(a)) {
        refuse(a, "our new certificate", "is no later one of the same name");
        return;
    }
    keep(&a->mine, der);
    a->state = ASKING_DONE;
}

static void on_refuse(struct asking *a, const struct message *m)
{
    refuse(a, "", m->refuse.text[0] ? m->refuse.text : "it refuses");
    a->code = m->refuse.code;
}

enum asking_state asking_on_message(struct asking *a, const struct message *m)
{
    bool asks = a->state == ASKING_ISSUER;

    if ((asks || a->state == ASKING_PROVING) && m->type == MESSAGE_REFUSE)
        on_refuse(a, m);
    else if (asks && !a->has_ca && m->type == MESSAGE_NETWORK)
        on_network(a, m->certificate);
    else if (asks && a->has_ca && m->type == MESSAGE_ISSUER)
        on_issuer(a, m->certificate);
    else if (asks && a->ms && m->type == MESSAGE_ISSUER_ASK)
        a->issuer_due = id_compare(&m->issuer.id, &membership_me(a->ms)->issuer) == 0;
    else if (a->state == ASKING_PROVING && a->has_issuer && m->type == MESSAGE_JOINED)
        on_joined(a, m->certificate);
    return a->state;
}

/* ---- what is said ---- */

static bool take(bool *due)
{
    bool was = *due;

    *due = false;
    return was;
}

static struct message join_message(const struct asking *a)
{
    struct message m = {.type = MESSAGE_JOIN,
                        .join = {.key = {identity_spki(a->key), IDENTITY_SPKI_LEN},
                                 .signature = {a->signature, sizeof(a->signature)}}};

    snprintf(m.join.name, sizeof(m.join.name), "%s", a->wish);
    return m;
}

bool asking_take_answer(struct asking *a, struct message *out)
{
    if (take(&a->ask_due)) {
        *out = (struct message){.type = a->ms ? MESSAGE_CERT_ASK : MESSAGE_JOIN_ASK};
        if (!a->ms)
            out->join_ask.network = a->network;
        return true;
    }
    if (take(&a->member_due)) {
        *out = (struct message){.type = MESSAGE_MEMBER};
        out->certificate = membership_bytes(a->ms, MEMBERSHIP_MEMBER);
        return true;
    }
    if (take(&a->issuer_due)) {
        *out = (struct message){.type = MESSAGE_ISSUER};
        out->certificate = membership_bytes(a->ms, MEMBERSHIP_ISSUER);
        return true;
    }
    if (take(&a->join_due)) {
        *out = join_message(a);
        return true;
    }
    return false;
}

/* ---- what others read ---- */

enum asking_state asking_state(const struct asking *a)
{
    return a->state;
}

int asking_code(const struct asking *a)
{
    return a->code;
}

const char *asking_reason(const struct asking *a)
{
    return a->reason;
}

struct membership_chain asking_chain(const struct asking *a)
{
    return (struct membership_chain){a->ms ? membership_bytes(a->ms, MEMBERSHIP_CA)
                                           : (struct slice){a->ca.der, a->ca.len},
                                     {a->issuers.der, a->issuers.len},
                                     {a->mine.der, a->mine.len}};
}

const struct cert *asking_cert(const struct asking *a)
{
    return &a->cert;
}
