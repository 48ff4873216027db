/* SPDX-License-Identifier: Apache-2.0 */
/* One peer's way from a proven key to a member. docs/PROTOCOL.md §25. Control thread. */

#include "proto/network/entry.h"

#include "proto/network/issuing.h"
#include "proto/network/serving.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
    struct membership *ms;
    uint8_t spki[IDENTITY_SPKI_LEN];
    struct membership_seen seen;
    enum entry_state state;
    bool needless;        /* admitted without one … */
    bool looked;          /* … which was shown all the same, and judged once */
    bool ask_due;         /* ISSUER_ASK is to be said */
    bool shown;           /* our own certificate, and so our issuer's may be asked for */
    bool issuer_due;      /* ISSUER is to be said … */
    bool issuer_said;     /* … and is not said again */
    struct node_id asked; /* whose certificate we asked for */
    uint8_t *waiting;     /* the peer's certificate, until we have its issuer's */
    size_t waiting_len;
    struct cert *cert; /* the peer's, once it holds */
    struct serving serving;
    enum refuse_code code;
    char reason[ENTRY_REASON_MAX];
};

int entry_new(struct membership *ms, const uint8_t spki[IDENTITY_SPKI_LEN],
              const struct membership_seen *seen, bool needless, struct entry **out)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return ERR_NOMEM;
    e->ms = ms;
    memcpy(e->spki, spki, sizeof(e->spki));
    e->seen = *seen;
    e->needless = needless;
    e->state = needless ? ENTRY_ADMITTED : ENTRY_AWAITED;
    *out = e;
    return 0;
}

void entry_free(struct entry *e)
{
    if (!e)
        return;
    free(e->waiting);
    free(e->cert);
    free(e);
}

void entry_serve(struct entry *e, const struct serving_issuer *issuer, const uint8_t exporter[KDF_LEN])
{
    e->serving.issuer = issuer;
    memcpy(e->serving.exporter, exporter, KDF_LEN);
}

/* ---- refusing ---- */

static enum refuse_code code_of(enum cert_verdict verdict)
{
    switch (verdict) {
    case CERT_WRONG_CA:
    case CERT_UNKNOWN_ISSUER:
        return REFUSE_OTHER_NETWORK;
    case CERT_NOT_YET:
        return REFUSE_NOT_YET;
    case CERT_RENEWABLE:
    case CERT_EXPIRED:
        return REFUSE_EXPIRED;
    case CERT_REVOKED:
        return REFUSE_REVOKED;
    case CERT_OK:
    case CERT_MALFORMED:
    case CERT_WRONG_KIND:
    case CERT_FORGED:
    case CERT_WRONG_KEY:
    case CERT_OUTSIDE:
        return REFUSE_CERTIFICATE;
    }
    return REFUSE_CERTIFICATE;
}

const char *entry_refusal(enum refuse_code code)
{
    static const char *const texts[] = {
        [REFUSE_MEMBERS_ONLY] = "it is for members of its network alone, and saw no certificate of ours",
        [REFUSE_OTHER_NETWORK] = "our certificate is of another network or issuer",
        [REFUSE_CERTIFICATE] = "our certificate does not hold",
        [REFUSE_NOT_YET] = "our certificate is not valid yet: a clock is wrong, here or there",
        [REFUSE_EXPIRED] = "our certificate has expired",
        [REFUSE_REVOKED] = "our certificate is revoked",
    };

    return code >= REFUSE_NO_ISSUER ? issuing_refusal(code) : texts[code];
}

/* How long ago, or until when, as a person says it. */
static void put_span(char *out, size_t cap, uint64_t seconds)
{
    if (seconds >= 2 * 86400)
        snprintf(out, cap, "%" PRIu64 " days", seconds / 86400);
    else if (seconds >= 2 * 3600)
        snprintf(out, cap, "%" PRIu64 " hours", seconds / 3600);
    else
        snprintf(out, cap, "%" PRIu64 " s", seconds);
}

static void describe(struct entry *e, enum cert_verdict verdict, const struct cert *c, uint64_t now)
{
    char span[32];
    const char *text = cert_verdict_str(verdict);

    if (verdict == CERT_NOT_YET) {
        put_span(span, sizeof(span), c->not_before - now);
        snprintf(e->reason, sizeof(e->reason), "its certificate (%s) %s: it begins in %s", c->name, text,
                 span);
    } else if (verdict == CERT_RENEWABLE || verdict == CERT_EXPIRED) {
        put_span(span, sizeof(span), now - c->not_after);
        snprintf(e->reason, sizeof(e->reason), "its certificate (%s) %s: it ended %s ago", c->name, text,
                 span);
    } else {
        snprintf(e->reason, sizeof(e->reason), "its certificate %s", text);
    }
}

static void refuse(struct entry *e, enum refuse_code code)
{
    e->state = ENTRY_REFUSED;
    e->code = code;
    e->ask_due = false;
}

/* ---- joining and renewing ---- */

/* What we told it, and our own log: it goes on, unless there is a code. */
static void served(struct entry *e, int code)
{
    if (!code)
        return;
    snprintf(e->reason, sizeof(e->reason), "it asked for a certificate, and was told: %s",
             issuing_refusal((enum refuse_code)code));
    refuse(e, (enum refuse_code)code);
}

static bool is_of_serving(enum message_type type)
{
    return type == MESSAGE_JOIN_ASK || type == MESSAGE_JOIN || type == MESSAGE_CERT_ASK;
}

/* ---- certificates ---- */

static void refuse_by(struct entry *e, enum cert_verdict verdict, const struct cert *c, uint64_t now_us)
{
    if (verdict == CERT_RENEWABLE && e->serving.state == SERVING_MEMBER) {
        e->state = ENTRY_AWAITED;
        served(e, serving_on_shown(&e->serving, c, now_us));
        return;
    }
    describe(e, verdict, c, membership_now(e->ms, now_us));
    refuse(e, code_of(verdict));
}

static bool keep(struct entry *e, const struct cert *c)
{
    e->cert = malloc(sizeof(*e->cert));
    if (e->cert)
        *e->cert = *c;
    return e->cert != NULL;
}

static void admit(struct entry *e, const struct cert *c, uint64_t now_us)
{
    if (e->serving.state == SERVING_MEMBER) {
        e->state = ENTRY_AWAITED;
        served(e, serving_on_shown(&e->serving, c, now_us));
        return;
    }
    if (!keep(e, c)) {
        snprintf(e->reason, sizeof(e->reason), "out of memory");
        refuse(e, REFUSE_FULL);
        return;
    }
    e->state = ENTRY_ADMITTED;
}

/* The certificate waits for its issuer's, for which we ask. */
static void ask_issuer(struct entry *e, struct slice der, const struct node_id *issuer)
{
    e->waiting = malloc(der.len);
    if (!e->waiting) {
        snprintf(e->reason, sizeof(e->reason), "out of memory");
        refuse(e, REFUSE_FULL);
        return;
    }
    memcpy(e->waiting, der.data, der.len);
    e->waiting_len = der.len;
    e->asked = *issuer;
    e->ask_due = true;
    e->state = ENTRY_ASKED;
}

static void on_member(struct entry *e, struct slice der, uint64_t now_us)
{
    struct cert c;
    enum cert_verdict verdict = membership_judge(e->ms, der, e->spki, now_us, &e->seen, &c);

    if (verdict == CERT_OK)
        admit(e, &c, now_us);
    else if (verdict == CERT_UNKNOWN_ISSUER || verdict == CERT_OUTSIDE)
        ask_issuer(e, der, &c.issuer);
    else
        refuse_by(e, verdict, &c, now_us);
}

static void on_issuer(struct entry *e, struct slice der, uint64_t now_us)
{
    struct cert c = {0};
    enum cert_verdict verdict = membership_learn(e->ms, der, now_us);

    if (verdict == CERT_OK || verdict >= CERT_NOT_YET) {
        const struct slice waiting = {e->waiting, e->waiting_len};
        verdict = membership_judge(e->ms, waiting, e->spki, now_us, &e->seen, &c);
    }
    if (verdict == CERT_OK)
        admit(e, &c, now_us);
    else
        refuse_by(e, verdict, &c, now_us);
}

/* It is in whatever this says; its name and its roles are by a certificate that holds. */
static void look(struct entry *e, struct slice der, uint64_t now_us)
{
    struct cert c;

    if (e->looked)
        return;
    e->looked = true;
    if (membership_judge(e->ms, der, e->spki, now_us, &e->seen, &c) == CERT_OK)
        (void)keep(e, &c);
}

/* What it showed is its issuer's own to show, once: whoever asks again learns nothing more. */
static void on_ask(struct entry *e, const struct node_id *issuer)
{
    if (!e->shown || e->issuer_said || id_compare(issuer, &membership_me(e->ms)->issuer) != 0)
        return;
    e->issuer_due = e->issuer_said = true;
}

static void on_hello(struct entry *e)
{
    snprintf(e->reason, sizeof(e->reason),
             "it shows no certificate, and is in no -connect or -allow of ours");
    refuse(e, REFUSE_MEMBERS_ONLY);
}

enum entry_state entry_on_message(struct entry *e, const struct message *m, uint64_t now_us)
{
    if (e->state != ENTRY_REFUSED && is_of_serving(m->type))
        served(e, serving_on_message(&e->serving, e->ms, e->spki, m, now_us));
    else if (e->state != ENTRY_REFUSED && m->type == MESSAGE_ISSUER_ASK)
        on_ask(e, &m->issuer.id);
    else if (e->state == ENTRY_AWAITED && m->type == MESSAGE_MEMBER)
        on_member(e, m->certificate, now_us);
    else if (e->needless && e->state == ENTRY_ADMITTED && m->type == MESSAGE_MEMBER)
        look(e, m->certificate, now_us);
    else if (e->state == ENTRY_AWAITED && m->type == MESSAGE_HELLO)
        on_hello(e);
    else if (e->state == ENTRY_ASKED && m->type == MESSAGE_ISSUER)
        on_issuer(e, m->certificate, now_us);
    return e->state;
}

void entry_shown(struct entry *e)
{
    e->shown = true;
}

bool entry_take_answer(struct entry *e, struct message *out)
{
    if (e->ask_due) {
        e->ask_due = false;
        *out = (struct message){.type = MESSAGE_ISSUER_ASK, .issuer = {e->asked}};
        return true;
    }
    if (e->issuer_due) {
        e->issuer_due = false;
        *out = (struct message){.type = MESSAGE_ISSUER};
        out->certificate = membership_bytes(e->ms, MEMBERSHIP_ISSUER);
        return true;
    }
    return serving_take_answer(&e->serving, e->ms, out);
}

/* ---- what others read ---- */

enum entry_state entry_state(const struct entry *e)
{
    return e->state;
}

const struct cert *entry_cert(const struct entry *e)
{
    return e->cert;
}

const struct membership_seen *entry_seen(const struct entry *e)
{
    return &e->seen;
}

enum refuse_code entry_code(const struct entry *e)
{
    return e->code;
}

const char *entry_reason(const struct entry *e)
{
    return e->reason;
}
