/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on peers' certificates by a node's own chain, and the issuers that it keeps for them. docs/PROTOCOL.md §25. Control
 * thread. */

#include "proto/network/membership.h"

#include "base/clock.h"
#include <assert.h>
#include <stdlib.h>

#define PARTS (MEMBERSHIP_MEMBER + 1)
#define OWN   0 /* the place of our own issuer's certificate, which stays */

struct kept_bytes {
    uint8_t data[CERT_MAX];
    size_t len;
};

struct kept_issuer {
    struct cert cert;
    uint8_t hash[KDF_LEN]; /* of its DER */
    uint64_t used;         /* the higher the later; 0: the place is free */
};

struct membership {
    uint8_t spki[IDENTITY_SPKI_LEN];
    struct cert ca, me;
    struct kept_bytes bytes[PARTS]; /* by enum membership_part */
    struct kept_issuer issuers[MEMBERSHIP_ISSUERS_MAX];
    uint64_t uses;
    struct membership_revoked revoked;
    uint64_t clock_s, clock_us; /* what was told, and when */
    uint64_t floor_s, floor_us; /* it was no earlier than that, then */
};

static bool is_about_time(enum cert_verdict verdict)
{
    return verdict == CERT_NOT_YET || verdict == CERT_RENEWABLE || verdict == CERT_EXPIRED;
}

static bool holds(enum cert_verdict verdict)
{
    return verdict == CERT_OK || is_about_time(verdict);
}

/* ---- our own chain ---- */

/* A chain that was judged, before it is taken. */
struct judged {
    struct cert ca, issuer, me;
};

static enum cert_verdict judge_ca(struct slice der, struct cert *out)
{
    struct node_id network;

    if (cert_decode(der.data, der.len, out))
        return CERT_MALFORMED;
    network = out->id;
    return cert_chain_ca(der, &network, out->not_before, out);
}

/* Its signatures, whatever the time is. */
static int judge_chain(const struct membership *ms, const struct membership_chain *chain, struct judged *out,
                       enum membership_part *part, enum cert_verdict *why)
{
    *part = MEMBERSHIP_CA;
    *why = judge_ca(chain->ca, &out->ca);
    if (holds(*why)) {
        *part = MEMBERSHIP_ISSUER;
        *why = cert_chain_issuer(&out->ca, chain->issuer, out->ca.not_before, &out->issuer);
    }
    if (holds(*why)) {
        *part = MEMBERSHIP_MEMBER;
        *why =
            cert_chain_member(&out->ca, &out->issuer, chain->member, ms->spki, out->ca.not_before, &out->me);
    }
    return holds(*why) ? 0 : ERR_CRYPTO;
}

static void keep_bytes(struct kept_bytes *kept, struct slice der)
{
    assert(der.len <= sizeof(kept->data)); /* a longer one is malformed */
    memcpy(kept->data, der.data, der.len);
    kept->len = der.len;
}

static int take(struct membership *ms, const struct membership_chain *chain, const struct judged *judged)
{
    uint8_t hash[KDF_LEN];
    int err = kdf_hash(&chain->issuer, 1, hash);

    if (err)
        return err;
    ms->ca = judged->ca;
    ms->me = judged->me;
    ms->issuers[OWN] = (struct kept_issuer){.cert = judged->issuer, .used = UINT64_MAX};
    memcpy(ms->issuers[OWN].hash, hash, sizeof(hash));
    keep_bytes(&ms->bytes[MEMBERSHIP_CA], chain->ca);
    keep_bytes(&ms->bytes[MEMBERSHIP_ISSUER], chain->issuer);
    keep_bytes(&ms->bytes[MEMBERSHIP_MEMBER], chain->member);
    return 0;
}

int membership_new(const struct membership_chain *chain, const uint8_t spki[IDENTITY_SPKI_LEN],
                   enum membership_part *part, enum cert_verdict *why, struct membership **out)
{
    struct membership *ms = calloc(1, sizeof(*ms));
    struct judged judged;

    *part = MEMBERSHIP_CA;
    *why = CERT_OK;
    if (!ms)
        return ERR_NOMEM;
    memcpy(ms->spki, spki, IDENTITY_SPKI_LEN);
    int err = judge_chain(ms, chain, &judged, part, why);
    if (!err)
        err = take(ms, chain, &judged);
    if (err) {
        free(ms);
        return err;
    }
    *out = ms;
    return 0;
}

void membership_free(struct membership *ms)
{
    free(ms);
}

int membership_renew(struct membership *ms, const struct membership_chain *chain, enum membership_part *part,
                     enum cert_verdict *why)
{
    struct judged judged;
    int err = judge_chain(ms, chain, &judged, part, why);

    if (!err && id_compare(&judged.ca.id, &ms->ca.id) != 0) {
        *part = MEMBERSHIP_CA;
        *why = CERT_WRONG_CA;
        err = ERR_CRYPTO;
    }
    return err ? err : take(ms, chain, &judged);
}

void membership_set_revoked(struct membership *ms, const struct membership_revoked *revoked)
{
    ms->revoked = *revoked;
}

const struct node_id *membership_issuer(const struct membership *ms, unsigned i)
{
    for (unsigned at = 0; at < MEMBERSHIP_ISSUERS_MAX; at++) {
        const struct kept_issuer *k = &ms->issuers[at];
        bool again = at != OWN && id_compare(&k->cert.id, &ms->issuers[OWN].cert.id) == 0;
        if (k->used && !again && i-- == 0)
            return &k->cert.id;
    }
    return NULL;
}

const struct cert *membership_me(const struct membership *ms)
{
    return &ms->me;
}

const struct cert *membership_ca(const struct membership *ms)
{
    return &ms->ca;
}

struct slice membership_bytes(const struct membership *ms, enum membership_part part)
{
    return (struct slice){ms->bytes[part].data, ms->bytes[part].len};
}

/* ---- time ---- */

void membership_set_clock(struct membership *ms, uint64_t seconds, uint64_t now_us)
{
    ms->clock_s = seconds;
    ms->clock_us = now_us;
}

void membership_set_floor(struct membership *ms, uint64_t seconds, uint64_t now_us)
{
    ms->floor_s = seconds < ms->me.not_after ? seconds : ms->me.not_after;
    ms->floor_us = now_us;
}

uint64_t membership_clock(const struct membership *ms, uint64_t now_us)
{
    return ms->clock_s + (now_us - ms->clock_us) / USEC_PER_SEC;
}

uint64_t membership_now(const struct membership *ms, uint64_t now_us)
{
    uint64_t now = membership_clock(ms, now_us), floor = ms->me.not_before, since = ms->floor_s;

    if (now_us > ms->floor_us)
        since += (now_us - ms->floor_us) / USEC_PER_SEC;
    if (ms->floor_s && since > floor)
        floor = since;
    return now > floor ? now : floor;
}

/* When it was so late at at_us. */
static uint64_t end_by(const struct cert *member, uint64_t seconds, uint64_t at_us)
{
    return member->not_after < seconds ? at_us : at_us + (member->not_after + 1 - seconds) * USEC_PER_SEC;
}

uint64_t membership_end_us(const struct membership *ms, const struct cert *member)
{
    uint64_t by_clock = end_by(member, ms->clock_s, ms->clock_us);
    uint64_t by_floor = ms->floor_s ? end_by(member, ms->floor_s, ms->floor_us) : TIME_NEVER;

    return by_clock < by_floor ? by_clock : by_floor;
}

/* ---- verdicts on others ---- */

static bool is_shut_out(const struct membership *ms, const struct node_id *key, enum cert_kind kind)
{
    return ms->revoked.has && ms->revoked.has(ms->revoked.context, key, kind);
}

enum cert_verdict membership_still(const struct membership *ms, const struct cert *member, uint64_t now_us)
{
    uint64_t now = membership_now(ms, now_us);

    if (is_shut_out(ms, &member->id, CERT_MEMBER) || is_shut_out(ms, &member->issuer, CERT_ISSUER))
        return CERT_REVOKED;
    if (now <= member->not_after)
        return CERT_OK;
    return now - member->not_after <= CERT_RENEWAL && now <= ms->ca.not_after ? CERT_RENEWABLE : CERT_EXPIRED;
}

enum cert_verdict membership_own(const struct membership *ms, uint64_t now_us)
{
    return membership_still(ms, &ms->me, now_us);
}

/* By one issuer's certificate. That its key signed these bytes is remembered, whatever else is wrong with them. */
static enum cert_verdict judge_by(const struct membership *ms, const struct cert *issuer, struct slice der,
                                  const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now,
                                  struct membership_seen *seen, struct cert *out)
{
    const struct slice both[] = {der, {issuer->spki, sizeof(issuer->spki)}};
    struct membership_seen this;
    enum cert_verdict verdict;

    if (kdf_hash(both, 2, this.hash) == 0 && memcmp(&this, seen, sizeof(this)) == 0)
        return cert_chain_member_again(&ms->ca, issuer, der, spki, now, out);
    verdict = cert_chain_member(&ms->ca, issuer, der, spki, now, out);
    if (holds(verdict) || verdict == CERT_WRONG_KEY || verdict == CERT_OUTSIDE)
        *seen = this;
    return verdict;
}

/* An issuer that was certified again has the same key and other limits: one of its certificates has to cover the member's. */
static enum cert_verdict judge_by_any(struct membership *ms, struct slice der,
                                      const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now,
                                      struct membership_seen *seen, struct cert *out)
{
    const struct node_id issuer = out->issuer;
    enum cert_verdict none = CERT_UNKNOWN_ISSUER;

    for (unsigned i = 0; i < MEMBERSHIP_ISSUERS_MAX; i++) {
        struct kept_issuer *kept = &ms->issuers[i];
        enum cert_verdict verdict;
        if (!kept->used || id_compare(&kept->cert.id, &issuer) != 0)
            continue;
        verdict = judge_by(ms, &kept->cert, der, spki, now, seen, out);
        if (verdict == CERT_OUTSIDE) {
            none = verdict;
            continue;
        }
        if (i != OWN)
            kept->used = ++ms->uses;
        return verdict;
    }
    *out = (struct cert){.issuer = issuer};
    return none;
}

static enum cert_verdict refuse(enum cert_verdict why, struct cert *out)
{
    memset(out, 0, sizeof(*out));
    return why;
}

enum cert_verdict membership_judge(struct membership *ms, struct slice der,
                                   const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now_us,
                                   struct membership_seen *seen, struct cert *out)
{
    enum cert_verdict verdict;

    if (cert_decode(der.data, der.len, out))
        return refuse(CERT_MALFORMED, out);
    if (out->kind != CERT_MEMBER)
        return refuse(CERT_WRONG_KIND, out);
    if (strcmp(out->network, ms->ca.network) != 0) /* nobody is asked for an issuer of another network */
        return refuse(CERT_WRONG_CA, out);
    verdict = judge_by_any(ms, der, spki, membership_now(ms, now_us), seen, out);
    if (holds(verdict) && membership_still(ms, out, now_us) == CERT_REVOKED)
        return refuse(CERT_REVOKED, out);
    return verdict;
}

/* ---- issuers ---- */

static struct kept_issuer *find_kept(struct membership *ms, const uint8_t hash[KDF_LEN])
{
    for (unsigned i = 0; i < MEMBERSHIP_ISSUERS_MAX; i++)
        if (ms->issuers[i].used && memcmp(ms->issuers[i].hash, hash, KDF_LEN) == 0)
            return &ms->issuers[i];
    return NULL;
}

/* A free place, or the one of whoever was used longest ago. */
static struct kept_issuer *place_for(struct membership *ms)
{
    struct kept_issuer *place = &ms->issuers[OWN + 1];

    for (unsigned i = OWN + 2; i < MEMBERSHIP_ISSUERS_MAX; i++)
        if (ms->issuers[i].used < place->used)
            place = &ms->issuers[i];
    return place;
}

enum cert_verdict membership_learn(struct membership *ms, struct slice der, uint64_t now_us)
{
    uint8_t hash[KDF_LEN];
    struct cert issuer;
    struct kept_issuer *kept;

    if (kdf_hash(&der, 1, hash))
        return CERT_MALFORMED;
    kept = find_kept(ms, hash);
    if (kept)
        return is_shut_out(ms, &kept->cert.id, CERT_ISSUER) ? CERT_REVOKED : CERT_OK;
    enum cert_verdict verdict = cert_chain_issuer(&ms->ca, der, membership_now(ms, now_us), &issuer);
    if (!holds(verdict))
        return verdict;
    if (is_shut_out(ms, &issuer.id, CERT_ISSUER))
        return CERT_REVOKED;
    kept = place_for(ms);
    *kept = (struct kept_issuer){.cert = issuer, .used = ++ms->uses};
    memcpy(kept->hash, hash, sizeof(hash));
    return verdict;
}
