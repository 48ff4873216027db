/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer gives, and the file that it stands in. docs/PROTOCOL.md §26. Control thread. */

#include "node/network/issuer.h"

#include "base/folder.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/certfile.h"
#include "crypto/secret.h"
#include "node/network/change_log.h"
#include "proto/network/issuing.h"
#include "proto/network/rolls.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct issuer {
    struct issuer_config config;
    struct issuing issuing;
    struct serving_issuer serving;
    size_t certificate_len;
    uint8_t certificate[CERT_MAX]; /* our own as an issuer */
    struct issued issued;          /* the last answer */
    struct issuer_counts counts;
    struct change_log *log; /* NULL: there is none yet */
    bool changed;           /* the ledger is, and nobody has asked */
    uint64_t learned;       /* the number of the roster that was last compared with it */
    uint8_t file[ISSUING_FILE_MAX];
};

static uint64_t now_s(const struct issuer *is, uint64_t now_us)
{
    return membership_now(is->config.membership, now_us);
}

/* ---- the file ---- */

static int keep(struct issuer *is)
{
    struct writer w = writer_init(is->file, sizeof(is->file));

    issuing_encode(&is->issuing, &w);
    int err = folder_replace(is->config.keydir, ISSUER_FILE, OWN_FILE_PRIVATE, is->file, writer_len(&w));
    if (err)
        log_error("cannot write %s of the node's folder: %s: nobody is certified until that is mended",
                  ISSUER_FILE, err == ERR_IO ? strerror(errno) : err_str(err));
    return err;
}

static int load(struct issuer *is)
{
    size_t len;
    int err = folder_read(is->config.keydir, ISSUER_FILE, OWN_FILE_PRIVATE, is->file, sizeof(is->file), &len);

    if (err == ERR_NOT_FOUND)
        return 0;
    if (!err)
        err = issuing_decode(&is->issuing, is->file, len);
    if (err)
        log_error("%s of the node's folder: %s: without it addresses could be given twice; put back a copy, "
                  "or remove "
                  "it when this network has no other member",
                  ISSUER_FILE,
                  err == ERR_FORMAT ? "it is damaged"
                  : err == ERR_IO   ? strerror(errno)
                                    : err_str(err));
    return err;
}

/* ---- what is answered ---- */

/* What was signed is written down, or never was. */
static int give(struct issuer *is, int code, struct slice *out)
{
    if (!code && keep(is)) {
        issuing_undo(&is->issuing, &is->issued);
        code = REFUSE_LATER;
    }
    if (code) {
        is->counts.refused++;
        return code;
    }
    *out = (struct slice){is->issued.der, is->issued.len};
    is->changed = true;
    return 0;
}

static void note(const struct issuer *is, enum change_kind kind, const char *by, uint64_t now_us)
{
    const struct ledger_member *m = &is->issued.member;

    change_log_note(is->log, kind, &m->id, m->name, m->not_after, by, now_s(is, now_us));
}

static int redeem(void *context, const struct issuing_join *join, uint64_t now_us, struct slice *out)
{
    struct issuer *is = context;
    char id[ID_TEXT_MAX], number[ISSUER_NUMBER_MAX], by[CHANGES_BY_MAX];
    int code = give(is, issuing_redeem(&is->issuing, join, now_s(is, now_us), now_us, &is->issued), out);

    if (code)
        return code;
    is->counts.joined++;
    log_info("%s (%s) joined by the token %s", is->issued.member.name, id_format(&is->issued.member.id, id),
             issuer_number(is->issued.member.invitation, number));
    snprintf(by, sizeof(by), "token %s", number);
    note(is, CHANGE_JOINED, by, now_us);
    return 0;
}

static int renew(void *context, const struct cert *shown, uint64_t now_us, struct slice *out)
{
    struct issuer *is = context;
    int code = give(is, issuing_renew(&is->issuing, shown, now_s(is, now_us), &is->issued), out);

    if (code)
        return code;
    is->counts.renewed++;
    log_info("%s has a new certificate", shown->name);
    note(is, CHANGE_RENEWED, "", now_us);
    return 0;
}

int issuer_renew_self(struct issuer *is, uint64_t now_us, struct slice *out)
{
    return renew(is, membership_me(is->config.membership), now_us, out);
}

/* ---- at the start ---- */

/* Whether it is ours as an issuer, at whatever time. */
static int judge(const struct issuer *is, struct slice der, struct cert *out)
{
    const struct cert *ca = membership_ca(is->config.membership);
    enum cert_verdict verdict = cert_chain_issuer(ca, der, ca->not_before, out);

    if (verdict >= CERT_NOT_YET)
        verdict = CERT_OK;
    if (verdict == CERT_OK && id_compare(&out->id, identity_id(is->config.me)) != 0)
        verdict = CERT_WRONG_KEY;
    if (verdict != CERT_OK)
        log_error("%s of the node's folder %s", CERTFILE_OWN_ISSUER, cert_verdict_str(verdict));
    return verdict == CERT_OK ? 0 : ERR_CRYPTO;
}

static int read_certificate(struct issuer *is)
{
    struct issuing_config c = {.me = is->config.me,
                               .ca = *membership_ca(is->config.membership),
                               .life = is->config.life_s ? is->config.life_s : ISSUING_LIFE,
                               .random = is->config.random};
    int err = certfile_read(is->config.keydir, CERTFILE_OWN_ISSUER, is->certificate, &is->certificate_len);
    const struct slice der = {is->certificate, is->certificate_len};

    if (!err)
        err = judge(is, der, &c.issuer);
    if (err)
        return err;
    is->serving = (struct serving_issuer){der, redeem, renew, is};
    return issuing_init(&is->issuing, &c);
}

bool issuer_recertify(struct issuer *is, struct slice certificate)
{
    struct cert c;

    if (certificate.len > sizeof(is->certificate) || judge(is, certificate, &c))
        return false;
    memcpy(is->certificate, certificate.data, certificate.len);
    is->certificate_len = is->serving.certificate.len = certificate.len;
    is->issuing.config.issuer = c;
    return true;
}

/* Which of them were used since is not known. */
static int forget_tokens(struct issuer *is)
{
    const struct invitation *i;
    unsigned count = 0;

    for (size_t n = 0; (i = invitations_at(is->issuing.invitations, n)); n++) {
        count += !i->revoked && i->used < i->uses;
        (void)!invitations_revoke(is->issuing.invitations, i->key);
    }
    int err = keep(is);
    if (!err && unlinkat(is->config.keydir, ISSUER_RESTORED, 0) != 0)
        err = ERR_IO;
    if (!err)
        log_warn("this issuer was restored from a backup: %u tokens that were open then hold no more", count);
    return err;
}

static int begin_anew(struct issuer *is)
{
    struct stat st;
    bool restored = fstatat(is->config.keydir, ISSUER_RESTORED, &st, AT_SYMLINK_NOFOLLOW) == 0;

    return restored ? forget_tokens(is) : 0;
}

/* Our own node has a name and addresses, too. */
static void adopt_self(struct issuer *is)
{
    const struct cert *me = membership_me(is->config.membership);

    if (!ledger_find(is->issuing.ledger, &me->id) && issuing_adopt(&is->issuing, me))
        log_warn("the ledger says that this node's own name or address is another member's: join it anew");
}

int issuer_open(const struct issuer_config *config, struct issuer **out)
{
    struct issuer *is = calloc(1, sizeof(*is));

    if (!is)
        return ERR_NOMEM;
    is->config = *config;
    int err = read_certificate(is);
    if (err) {
        free(is);
        return err;
    }
    err = load(is);
    if (!err)
        err = begin_anew(is);
    if (err) {
        issuer_free(is);
        return err;
    }
    adopt_self(is);
    is->changed = true;
    *out = is;
    return 0;
}

void issuer_free(struct issuer *is)
{
    if (!is)
        return;
    issuing_fini(&is->issuing);
    free(is);
}

/* ---- what others know ---- */

static bool is_revoked(void *context, const struct node_id *id)
{
    return rolls_revoked(context, id);
}

static bool is_named(void *context, const char *name, const struct node_id *but)
{
    const struct rolls_member *m = rolls_find_name(context, name);

    return m && id_compare(&m->is.id, but) != 0;
}

/* Nothing is written through the cast. */
void issuer_heed(struct issuer *is, const struct rolls *rolls)
{
    is->issuing.config.context = (void *)(uintptr_t)rolls;
    is->issuing.config.is_revoked = is_revoked;
    is->issuing.config.is_named = is_named;
}

/* ---- what others know of us ---- */

/* True when it is new to the ledger. */
static bool learn_one(struct issuer *is, const struct roster_member *m)
{
    struct ledger_member known = {.id = m->id,
                                  .roles = m->roles,
                                  .joined = m->since,
                                  .issued = m->since,
                                  .not_after = m->not_after,
                                  .address_count = m->address_count};

    memcpy(known.name, m->name, sizeof(known.name));
    memcpy(known.addresses, m->addresses, sizeof(known.addresses));
    return !ledger_find(is->issuing.ledger, &m->id) && ledger_put(is->issuing.ledger, &known) == 0;
}

void issuer_learn(struct issuer *is, const struct rolls *rolls, uint64_t now_us)
{
    const struct node_id *me = identity_id(is->config.me);
    uint64_t number = rolls_number(rolls, LIST_ROSTER, me), now = now_s(is, now_us);
    struct slice members = rolls_roster(rolls, me);
    struct roster_member m;
    unsigned count = 0;

    if (number == is->learned)
        return;
    is->learned = number;
    while (roster_next(&members, &m))
        if (m.not_after >= now && !rolls_revoked(rolls, &m.id))
            count += learn_one(is, &m);
    if (!count || keep(is))
        return;
    is->changed = true;
    log_info("%u members came back into the ledger from this issuer's roster, which others had", count);
}

void issuer_log(struct issuer *is, struct change_log *log)
{
    is->log = log;
}

/* ---- what others read ---- */

bool issuer_has_changed(struct issuer *is)
{
    bool changed = is->changed;

    is->changed = false;
    return changed;
}

const struct serving_issuer *issuer_serving(const struct issuer *is)
{
    return &is->serving;
}

const struct cert *issuer_cert(const struct issuer *is)
{
    return &is->issuing.config.issuer;
}

const struct ledger *issuer_ledger(const struct issuer *is)
{
    return is->issuing.ledger;
}

const struct invitations *issuer_invitations(const struct issuer *is)
{
    return is->issuing.invitations;
}

struct issuer_counts issuer_counts(const struct issuer *is)
{
    return is->counts;
}

char *issuer_number(const uint8_t key[KDF_LEN], char out[ISSUER_NUMBER_MAX])
{
    return hex_encode(key, ISSUER_NUMBER_LEN, out);
}

/* ---- what people ask for ---- */

static int make_secret(struct token *token, uint8_t key[KDF_LEN])
{
    struct identity *id;

    secret_random(token->seed, sizeof(token->seed));
    int err = identity_from_seed(token->seed, &id);
    if (err)
        return err;
    const struct slice spki = {identity_spki(id), IDENTITY_SPKI_LEN};
    err = kdf_hash(&spki, 1, key);
    identity_free(id);
    return err;
}

int issuer_invite(struct issuer *is, struct invitation *i, uint64_t life_s, uint64_t now_us,
                  struct token *token)
{
    const struct cert *ca = &is->issuing.config.ca;

    token->network = ca->id;
    token->issuer = *identity_id(is->config.me);
    memcpy(token->name, ca->network, sizeof(token->name));
    i->made = now_s(is, now_us);
    i->expires = i->made + life_s;
    int err = make_secret(token, i->key);
    if (!err)
        err = invitations_add(is->issuing.invitations, i, i->made);
    if (err)
        return err;
    err = keep(is);
    if (err) /* nobody has its secret */
        invitations_drop(is->issuing.invitations, i->key);
    return err;
}

static const struct invitation *find_number(const struct issuer *is, const char *number, int *err)
{
    const struct invitation *found = NULL, *i;
    char text[ISSUER_NUMBER_MAX];

    *err = ERR_NOT_FOUND;
    for (size_t n = 0; (i = invitations_at(is->issuing.invitations, n)); n++) {
        if (strcmp(issuer_number(i->key, text), number) != 0)
            continue;
        *err = found ? ERR_EXISTS : 0;
        found = i;
    }
    return found;
}

int issuer_revoke_invitation(struct issuer *is, const char *number, const struct invitation **out)
{
    int err;

    *out = find_number(is, number, &err);
    if (!err)
        err = invitations_revoke(is->issuing.invitations, (*out)->key);
    return err ? err : keep(is);
}

int issuer_approve(struct issuer *is, const struct node_id *id)
{
    int err = invitations_approve(is->issuing.invitations, id);

    return err ? err : keep(is);
}
