/* SPDX-License-Identifier: Apache-2.0 */
/* From a proof to a certificate, and from one to the next. Pure; control thread. docs/PROTOCOL.md §26. */

#include "proto/network/issuing.h"

#include "base/cbor.h"
#include "base/hex.h"
#include <stdio.h>
#include <string.h>

#define FILE_VERSION  1
#define FILE_ITEMS    3
#define BACKDATED     3600 /* seconds: for clocks that are behind */
#define BACKDATED_MAX 8    /* that part of a life, of shorter ones */
#define EARLIEST_PART 3    /* a certificate of which that part is over may be renewed … */
#define BETWEEN       60   /* … so many seconds after the last time … */
#define BETWEEN_PART  16   /* … or that part of a life, when it is shorter */
#define NAME_BYTES    4    /* of the id, in a name that nobody chose */

static const struct bucket_rate proof_rate = {.interval_us = 62500, .burst = 64};

const char issuing_context[] = "ShadowMesh join 1";

int issuing_init(struct issuing *s, const struct issuing_config *config)
{
    *s = (struct issuing){.config = *config};
    int err = ledger_new(&s->ledger);
    if (!err)
        err = invitations_new(&s->invitations);
    if (err)
        issuing_fini(s);
    return err;
}

void issuing_fini(struct issuing *s)
{
    ledger_free(s->ledger);
    invitations_free(s->invitations);
    *s = (struct issuing){0};
}

void issuing_proof(const uint8_t exporter[KDF_LEN], const struct node_id *joiner,
                   const struct node_id *network, uint8_t out[ISSUING_PROOF_LEN])
{
    memcpy(out, exporter, KDF_LEN);
    memcpy(out + KDF_LEN, joiner->bytes, ID_LEN);
    memcpy(out + KDF_LEN + ID_LEN, network->bytes, ID_LEN);
}

static bool is_revoked(const struct issuing *s, const struct node_id *id)
{
    return s->config.is_revoked && s->config.is_revoked(s->config.context, id);
}

static bool is_named(const struct issuing *s, const char *name, const struct node_id *but)
{
    return s->config.is_named && s->config.is_named(s->config.context, name, but);
}

/* ---- certificates ---- */

static bool may_sign(const struct issuing *s, uint64_t now)
{
    return now >= s->config.issuer.not_before && now < s->config.issuer.not_after;
}

/* Its life, within the issuer's. */
static void set_times(const struct issuing *s, uint64_t now, struct cert *c)
{
    const struct cert *issuer = &s->config.issuer;
    uint64_t life = s->config.life, back = life / BACKDATED_MAX;

    if (back > BACKDATED)
        back = BACKDATED;
    c->not_before = now - issuer->not_before > back ? now - back : issuer->not_before;
    c->not_after = issuer->not_after - now > life ? now + life : issuer->not_after;
}

/* Signs c for what member says, and writes that down. */
static int issue(struct issuing *s, struct cert *c, const struct ledger_member *member, uint64_t now,
                 struct issued *out)
{
    const struct ledger_member *before;

    c->kind = CERT_MEMBER;
    c->issuer = s->config.issuer.id;
    c->id = member->id;
    memcpy(c->network, s->config.issuer.network, sizeof(c->network));
    memcpy(c->name, member->name, sizeof(c->name));
    memcpy(c->addresses, member->addresses, sizeof(c->addresses));
    c->address_count = member->address_count;
    c->roles = member->roles;
    set_times(s, now, c);
    random_fill(&s->config.random, c->serial, sizeof(c->serial));
    c->serial[0] = (uint8_t)(c->serial[0] % 0x7f + 1); /* as §22 has it */
    if (cert_sign(c, s->config.me, out->der, &out->len))
        return REFUSE_LATER;
    out->member = *member;
    out->member.issued = now;
    out->member.not_after = c->not_after;
    memcpy(out->member.serial, c->serial, sizeof(c->serial));
    before = ledger_find(s->ledger, &member->id);
    out->was_member = before != NULL;
    if (before)
        out->before = *before;
    return ledger_put(s->ledger, &out->member) ? REFUSE_LATER : 0;
}

void issuing_undo(struct issuing *s, const struct issued *issued)
{
    ledger_undo(s->ledger, &issued->member.id, issued->was_member ? &issued->before : NULL);
    if (issued->spent)
        invitations_give_back(s->invitations, issued->member.invitation);
}

/* ---- joining ---- */

/* What it costs to be told no: nothing but a hash, until the token is good. */
static int judge_token(const struct issuing *s, const struct issuing_join *join, uint64_t now,
                       const struct invitation **out)
{
    uint8_t key[KDF_LEN];

    if (kdf_hash(&join->said->key, 1, key))
        return REFUSE_LATER;
    *out = invitations_find(s->invitations, key);
    if (!*out)
        return REFUSE_TOKEN_UNKNOWN;
    if ((*out)->revoked)
        return REFUSE_TOKEN_REVOKED;
    return now >= (*out)->expires ? REFUSE_TOKEN_EXPIRED : 0;
}

static int judge_proof(struct issuing *s, const struct issuing_join *join, const struct node_id *id,
                       uint64_t now_us)
{
    const struct slice *key = &join->said->key, *signature = &join->said->signature;
    uint8_t proof[ISSUING_PROOF_LEN];

    if (!bucket_take(&s->proofs, &proof_rate, 1, now_us))
        return REFUSE_LATER;
    issuing_proof(join->exporter, id, &s->config.ca.id, proof);
    return identity_verify(key->data, key->len, issuing_context, proof, sizeof(proof), signature->data,
                           signature->len)
               ? REFUSE_TOKEN_FORGED
               : 0;
}

/* Who comes again by the same token, as its answer was lost, uses it no second time. */
static bool came_by(const struct ledger_member *m, const struct invitation *i)
{
    return m && memcmp(m->invitation, i->key, KDF_LEN) == 0;
}

/* Who may, once its proof holds. */
static int judge_joiner(struct issuing *s, const struct invitation *i, const struct node_id *id,
                        const char *wish, uint64_t now)
{
    bool again = came_by(ledger_find(s->ledger, id), i);

    if (is_revoked(s, id))
        return REFUSE_REVOKED;
    if (!again && i->used >= i->uses)
        return REFUSE_TOKEN_USED;
    if (wish[0] && !cert_name_ok(wish))
        return REFUSE_NAME;
    if (!i->approve || again || invitations_is_approved(s->invitations, i, id, wish))
        return 0;
    invitations_wait(s->invitations, i, id, wish, now);
    return REFUSE_WAITS;
}

/* The token's, what it wishes, or one of its id. */
static int choose_name(const struct issuing *s, const struct invitation *i, const char *wish,
                       struct ledger_member *m)
{
    char digits[2 * NAME_BYTES + 1];

    if (i->name[0])
        memcpy(m->name, i->name, sizeof(m->name));
    else if (wish[0])
        snprintf(m->name, sizeof(m->name), "%s", wish);
    else
        snprintf(m->name, sizeof(m->name), "node-%s", hex_encode(m->id.bytes, NAME_BYTES, digits));
    return ledger_named(s->ledger, m->name) || is_named(s, m->name, &m->id) ? REFUSE_NAME_TAKEN : 0;
}

/* A newcomer. */
static int admit(const struct issuing *s, const struct invitation *i, const char *wish,
                 struct ledger_member *m)
{
    int code = choose_name(s, i, wish, m);

    if (code)
        return code;
    m->address_count = s->config.issuer.slice_count;
    return ledger_free_addresses(s->ledger, &s->config.issuer, m->addresses) ? REFUSE_ADDRESSES : 0;
}

/* What the ledger will say of it: who is a member already stays what it is, but for its roles. */
static int enter(struct issuing *s, const struct invitation *i, const char *wish, uint64_t now,
                 struct ledger_member *m)
{
    const struct ledger_member *known;
    int code = 0;

    ledger_forget(s->ledger, now, s->config.is_revoked, s->config.context);
    known = ledger_find(s->ledger, &m->id);
    if (known)
        *m = *known;
    else
        code = admit(s, i, wish, m);
    m->roles = i->roles;
    memcpy(m->invitation, i->key, sizeof(m->invitation));
    return code;
}

int issuing_redeem(struct issuing *s, const struct issuing_join *join, uint64_t now, uint64_t now_us,
                   struct issued *out)
{
    const char *wish = join->said->name;
    const struct invitation *i = NULL;
    struct ledger_member m = {.joined = now};
    struct cert c = {0};
    int code = may_sign(s, now) ? judge_token(s, join, now, &i) : REFUSE_NO_ISSUER;

    *out = (struct issued){0};
    if (!code && identity_id_of_spki(join->spki, IDENTITY_SPKI_LEN, &m.id))
        code = REFUSE_LATER;
    if (!code)
        code = judge_proof(s, join, &m.id, now_us);
    if (!code)
        code = judge_joiner(s, i, &m.id, wish, now);
    if (!code)
        code = enter(s, i, wish, now, &m);
    if (code)
        return code;
    memcpy(c.spki, join->spki, sizeof(c.spki));
    out->spent = !came_by(ledger_find(s->ledger, &m.id), i);
    code = issue(s, &c, &m, now, out);
    if (!code && out->spent)
        invitations_spend(s->invitations, i->key);
    if (!code)
        invitations_forget_waiting(s->invitations, &m.id);
    return code;
}

/* ---- renewing ---- */

static struct ledger_member member_of(const struct cert *c)
{
    struct ledger_member m = {.id = c->id,
                              .roles = c->roles,
                              .joined = c->not_before,
                              .issued = c->not_before,
                              .not_after = c->not_after,
                              .address_count = c->address_count};

    memcpy(m.name, c->name, sizeof(m.name));
    memcpy(m.addresses, c->addresses, sizeof(m.addresses));
    memcpy(m.serial, c->serial, sizeof(m.serial));
    return m;
}

int issuing_adopt(struct issuing *s, const struct cert *member)
{
    struct ledger_member m = member_of(member);

    return ledger_find(s->ledger, &m.id) ? 0 : ledger_put(s->ledger, &m);
}

/* Each signature costs, and each certificate that is not needed is one more that may be stolen. */
static bool is_too_early(const struct issuing *s, const struct cert *shown, const struct ledger_member *m,
                         uint64_t now)
{
    uint64_t life = shown->not_after - shown->not_before, between = s->config.life / BETWEEN_PART;

    if (between > BETWEEN)
        between = BETWEEN;
    return now < shown->not_before + life / EARLIEST_PART || now < m->issued + between;
}

int issuing_renew(struct issuing *s, const struct cert *shown, uint64_t now, struct issued *out)
{
    const struct ledger_member *known;
    struct ledger_member m;
    struct cert c = *shown;

    *out = (struct issued){0};
    if (!may_sign(s, now))
        return REFUSE_NO_ISSUER;
    if (is_revoked(s, &shown->id))
        return REFUSE_REVOKED;
    if (issuing_adopt(s, shown))
        return REFUSE_NAME_TAKEN;
    known = ledger_find(s->ledger, &shown->id);
    if (is_too_early(s, shown, known, now))
        return REFUSE_LATER;
    m = *known;
    return issue(s, &c, &m, now, out);
}

/* ---- words ---- */

const char *issuing_refusal(enum refuse_code code)
{
    switch (code) {
    case REFUSE_NO_ISSUER:
        return "it is no issuer of this network, or no longer";
    case REFUSE_TOKEN_UNKNOWN:
        return "it did not make this token, or no longer knows it: ask for another one";
    case REFUSE_TOKEN_USED:
        return "the token was used already: ask for another one";
    case REFUSE_TOKEN_EXPIRED:
        return "the token has expired: ask for another one";
    case REFUSE_TOKEN_REVOKED:
        return "the token was revoked: ask for another one";
    case REFUSE_TOKEN_FORGED:
        return "the proof does not hold: the token's secret is another one";
    case REFUSE_NAME:
        return "a name has 1 to 63 of a-z, 0-9 and -, with no - at an end, and is no id: choose another one";
    case REFUSE_NAME_TAKEN:
        return "another member has this name: choose another one";
    case REFUSE_ADDRESSES:
        return "it has no address left to give: another issuer may";
    case REFUSE_WAITS:
        return "a person has to approve it: shadowmesh approve, at the issuer";
    case REFUSE_REVOKED:
        return "this key was revoked for good: join with a new one";
    case REFUSE_LATER:
        return "not now: it is asked again";
    case REFUSE_STRANGER:
    case REFUSE_VERSION:
    case REFUSE_AEAD:
    case REFUSE_SELF:
    case REFUSE_FULL:
    case REFUSE_MEMBERS_ONLY:
    case REFUSE_OTHER_NETWORK:
    case REFUSE_CERTIFICATE:
    case REFUSE_NOT_YET:
    case REFUSE_EXPIRED:
    case REFUSE_DOUBT:
        break;
    }
    return "it will not";
}

/* ---- the file ---- */

void issuing_encode(const struct issuing *s, struct writer *w)
{
    cbor_put_array(w, FILE_ITEMS);
    cbor_put_uint(w, FILE_VERSION);
    ledger_encode(s->ledger, w);
    invitations_encode(s->invitations, w);
}

int issuing_decode(struct issuing *s, const uint8_t *data, size_t len)
{
    struct reader r = reader_init(data, len);

    r.bad |= cbor_take_array(&r, FILE_ITEMS) != FILE_ITEMS;
    r.bad |= cbor_take_uint(&r, FILE_VERSION) != FILE_VERSION;
    ledger_decode(s->ledger, &r);
    invitations_decode(s->invitations, &r);
    return cbor_done(&r) ? 0 : ERR_FORMAT;
}
