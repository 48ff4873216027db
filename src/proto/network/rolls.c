/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is believed for who brought it: a list counts for its signature, and only if it is newer. What an issuer signed before
 * the CA shut it out stays, as revocations never end; what it signs later is nothing. docs/PROTOCOL.md §24 and §27. Control
 * thread. */

#include "proto/network/rolls.h"

#include "crypto/cert_chain.h"
#include "proto/network/rolls_impl.h"
#include "proto/network/rolls_sign.h"
#include <assert.h>
#include <stdlib.h>

const char *rolls_verdict_str(enum rolls_verdict verdict)
{
    switch (verdict) {
    case ROLLS_NEWER:
        return "is newer";
    case ROLLS_SAME:
        return "is known";
    case ROLLS_OLDER:
        return "is older than the one that is held";
    case ROLLS_STRANGER:
        return "is of no issuer of this network, or of one that its CA has revoked";
    case ROLLS_FULL:
        return "is of one issuer too many";
    case ROLLS_CONTRARY:
        return "takes back what its issuer revoked";
    case ROLLS_FALSE:
        return "is malformed, forged, or of another network";
    case ROLLS_NO_MEMORY:
        return "finds no memory";
    }
    return "is unknown";
}

int rolls_new(const struct cert *ca, struct rolls **out)
{
    struct rolls *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->signers[0].cert = *ca;
    r->signer_count = 1;
    *out = r;
    return 0;
}

void rolls_free(struct rolls *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->signer_count; i++)
        for (unsigned kind = 0; kind < ROLLS_KINDS; kind++)
            free(r->signers[i].lists[kind].bytes);
    members_fini(&r->members);
    free(r);
}

/* The signer_count where there is none. */
static unsigned place_of(const struct rolls *r, const struct node_id *id)
{
    unsigned i = 0;
    while (i < r->signer_count && id_compare(&r->signers[i].cert.id, id) != 0)
        i++;
    return i;
}

struct rolls_signer *rolls_signer(struct rolls *r, const struct node_id *id)
{
    unsigned i = place_of(r, id);
    return i < r->signer_count ? &r->signers[i] : NULL;
}

static const struct rolls_signer *find_const(const struct rolls *r, const struct node_id *id)
{
    unsigned i = place_of(r, id);
    return i < r->signer_count ? &r->signers[i] : NULL;
}

/* ---- who is shut out, and who is in ---- */

static bool ca_revoked(const struct rolls *r, const struct node_id *id)
{
    return revocations_has(&r->signers[0].revoked, id);
}

const struct node_id *rolls_revoker(const struct rolls *r, const struct node_id *id)
{
    bool issuer = find_const(r, id) != NULL;
    for (unsigned i = 0; i < (issuer ? 1 : r->signer_count); i++)
        if (revocations_has(&r->signers[i].revoked, id))
            return &r->signers[i].cert.id;
    return NULL;
}

bool rolls_revoked(const struct rolls *r, const struct node_id *id)
{
    return rolls_revoker(r, id) != NULL;
}

static bool is_out(const void *context, const struct node_id *id)
{
    return rolls_revoked(context, id);
}

/* Without memory they stay as they are for now: who is revoked is asked elsewhere. */
static void find_members(struct rolls *r)
{
    struct members_roster rosters[ROLLS_ISSUERS_MAX];
    struct members fresh;
    unsigned count = 0;
    for (unsigned i = 1; i < r->signer_count; i++) {
        const struct rolls_signer *s = &r->signers[i];
        if (s->lists[LIST_ROSTER].bytes && !ca_revoked(r, &s->cert.id))
            rosters[count++] = (struct members_roster){s->roster.members, s->cert.id, s->cert.not_before};
    }
    r->version++;
    r->stale = members_init(&fresh, rosters, count, &(struct members_filter){is_out, r}, r->now_s) != 0;
    if (r->stale)
        return;
    members_fini(&r->members);
    r->members = fresh;
}

void rolls_on_time(struct rolls *r, uint64_t now_s)
{
    r->now_s = now_s;
    if (r->stale || (r->members.count > 0 && r->members.end_s < now_s))
        find_members(r);
}

/* ---- what comes ---- */

static void hold(struct rolls_signer *s, enum list_kind kind, uint8_t *bytes, size_t len, uint64_t number,
                 uint64_t time)
{
    free(s->lists[kind].bytes);
    s->lists[kind] = (struct rolls_held){bytes, len, number, time};
}

static bool vouched_for(enum cert_verdict verdict)
{
    return verdict == CERT_OK || verdict == CERT_NOT_YET || verdict == CERT_RENEWABLE ||
           verdict == CERT_EXPIRED;
}

/* Later ones of an issuer begin later. */
static enum rolls_verdict take_issuer(struct rolls *r, uint8_t *bytes, size_t len)
{
    struct cert cert;
    if (cert_decode(bytes, len, &cert) || cert.kind != CERT_ISSUER)
        return ROLLS_FALSE;
    struct rolls_signer *s = rolls_signer(r, &cert.id);
    if (s && cert.not_before <= s->cert.not_before)
        return cert.not_before < s->cert.not_before ? ROLLS_OLDER : ROLLS_SAME;
    if (ca_revoked(r, &cert.id))
        return ROLLS_STRANGER;
    if (!s && r->signer_count == ROLLS_SIGNERS_MAX)
        return ROLLS_FULL;
    if (!vouched_for(cert_chain_issuer(&r->signers[0].cert, (struct slice){bytes, len}, r->now_s, &cert)))
        return ROLLS_FALSE;
    if (!s)
        s = &r->signers[r->signer_count++];
    s->cert = cert;
    hold(s, LIST_ISSUER, bytes, len, cert.not_before, cert.not_before);
    return ROLLS_NEWER;
}

static enum rolls_verdict of_revocations(enum revocations_verdict verdict)
{
    switch (verdict) {
    case REVOCATIONS_NEWER:
        return ROLLS_NEWER;
    case REVOCATIONS_SAME:
        return ROLLS_SAME;
    case REVOCATIONS_OLDER:
        return ROLLS_OLDER;
    case REVOCATIONS_CONTRARY:
        return ROLLS_CONTRARY;
    case REVOCATIONS_MALFORMED:
    case REVOCATIONS_WRONG_SIGNER:
    case REVOCATIONS_FORGED:
        break;
    }
    return ROLLS_FALSE;
}

static enum rolls_verdict take_revocations(struct rolls *r, struct rolls_signer *s, uint8_t *bytes,
                                           size_t len)
{
    const struct revocations *held = s->lists[LIST_REVOCATIONS].bytes ? &s->revoked : NULL;
    struct revocations list;
    enum rolls_verdict verdict =
        of_revocations(revocations_judge(&s->cert, &r->signers[0].cert.id, held, bytes, len, &list));
    if (verdict != ROLLS_NEWER)
        return verdict;
    s->revoked = list;
    hold(s, LIST_REVOCATIONS, bytes, len, list.number, list.time);
    return ROLLS_NEWER;
}

static enum rolls_verdict of_roster(enum roster_verdict verdict)
{
    switch (verdict) {
    case ROSTER_NEWER:
        return ROLLS_NEWER;
    case ROSTER_SAME:
        return ROLLS_SAME;
    case ROSTER_OLDER:
        return ROLLS_OLDER;
    case ROSTER_MALFORMED:
    case ROSTER_WRONG_SIGNER:
    case ROSTER_FORGED:
        break;
    }
    return ROLLS_FALSE;
}

static enum rolls_verdict take_roster(struct rolls *r, struct rolls_signer *s, uint8_t *bytes, size_t len)
{
    const struct roster *held = s->lists[LIST_ROSTER].bytes ? &s->roster.head : NULL;
    struct roster_view view;
    if (s == &r->signers[0])
        return ROLLS_STRANGER; /* the CA certifies no members */
    enum rolls_verdict verdict =
        of_roster(roster_judge(&s->cert, &r->signers[0].cert.id, held, bytes, len, &view));
    if (verdict != ROLLS_NEWER)
        return verdict;
    s->roster = view;
    hold(s, LIST_ROSTER, bytes, len, view.head.number, view.head.time);
    return ROLLS_NEWER;
}

/* Of one whose signer stands in it. */
static enum rolls_verdict take_signed(struct rolls *r, enum list_kind kind, uint8_t *bytes, size_t len)
{
    struct reader reader = reader_init(bytes, len);
    struct node_id id;
    reader_take(&reader, ID_LEN);
    reader_copy(&reader, id.bytes, ID_LEN);
    struct rolls_signer *s = rolls_signer(r, &id);
    if (reader.bad)
        return ROLLS_FALSE;
    if (!s || ca_revoked(r, &id))
        return ROLLS_STRANGER;
    return kind == LIST_ROSTER ? take_roster(r, s, bytes, len) : take_revocations(r, s, bytes, len);
}

enum rolls_verdict rolls_take(struct rolls *r, enum list_kind kind, struct slice bytes)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    if (!copy)
        return ROLLS_NO_MEMORY;
    memcpy(copy, bytes.data, bytes.len);
    enum rolls_verdict verdict =
        kind == LIST_ISSUER ? take_issuer(r, copy, bytes.len) : take_signed(r, kind, copy, bytes.len);
    if (verdict == ROLLS_NEWER) {
        find_members(r);
        return verdict;
    }
    if (verdict == ROLLS_CONTRARY)
        verdict = rolls_unite(r, (struct slice){copy, bytes.len});
    free(copy);
    return verdict;
}

/* ---- what is held ---- */

const struct cert *rolls_issuer(const struct rolls *r, const struct node_id *id)
{
    const struct rolls_signer *s = find_const(r, id);
    return s && s != &r->signers[0] && !ca_revoked(r, id) ? &s->cert : NULL;
}

unsigned rolls_lists(const struct rolls *r, struct message_list *out)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->signer_count; i++)
        for (unsigned kind = LIST_REVOCATIONS; kind < ROLLS_KINDS; kind++) {
            const struct rolls_held *h = &r->signers[i].lists[kind];
            if (h->bytes)
                out[count++] =
                    (struct message_list){(uint8_t)kind, r->signers[i].cert.id, h->number, h->time};
        }
    assert(count <= ROLLS_LISTS_MAX);
    return count;
}

static const struct rolls_held *held(const struct rolls *r, unsigned kind, const struct node_id *signer)
{
    static const struct rolls_held none;
    const struct rolls_signer *s = kind < ROLLS_KINDS ? find_const(r, signer) : NULL;
    return s ? &s->lists[kind] : &none;
}

struct slice rolls_bytes(const struct rolls *r, enum list_kind kind, const struct node_id *signer)
{
    const struct rolls_held *h = held(r, kind, signer);
    return (struct slice){h->bytes, h->len};
}

uint64_t rolls_number(const struct rolls *r, enum list_kind kind, const struct node_id *signer)
{
    return held(r, kind, signer)->number;
}

uint64_t rolls_time(const struct rolls *r, enum list_kind kind, const struct node_id *signer)
{
    return held(r, kind, signer)->time;
}

struct slice rolls_roster(const struct rolls *r, const struct node_id *signer)
{
    const struct rolls_signer *s = find_const(r, signer);
    return s && s->lists[LIST_ROSTER].bytes ? s->roster.members : (struct slice){0};
}

uint64_t rolls_signed_at(const struct rolls *r, const struct node_id *issuer)
{
    const struct node_id *signers[] = {&r->signers[0].cert.id, issuer};
    uint64_t newest = 0;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned kind = LIST_REVOCATIONS; kind <= LIST_ROSTER; kind++)
            if (rolls_time(r, kind, signers[i]) > newest)
                newest = rolls_time(r, kind, signers[i]);
    return newest;
}

bool rolls_is_ca(const struct rolls *r, const struct node_id *signer)
{
    return place_of(r, signer) == 0;
}

bool rolls_wants(const struct rolls *r, const struct message_list *l)
{
    const struct rolls_signer *s = find_const(r, &l->signer);
    if (l->kind < LIST_REVOCATIONS || l->kind > LIST_ISSUER || ca_revoked(r, &l->signer))
        return false;
    if (!s)
        return l->kind == LIST_ISSUER && r->signer_count < ROLLS_SIGNERS_MAX;
    if (s == &r->signers[0] && l->kind != LIST_REVOCATIONS)
        return false;
    return !s->lists[l->kind].bytes || l->number > s->lists[l->kind].number;
}

uint64_t rolls_revoked_at(const struct rolls *r)
{
    uint64_t newest = 0;
    for (unsigned i = 0; i < r->signer_count; i++) {
        uint64_t time = r->signers[i].lists[LIST_REVOCATIONS].time;
        if (time <= r->now_s && time > newest)
            newest = time;
    }
    return newest;
}

bool rolls_are_old(const struct rolls *r)
{
    return r->now_s - rolls_revoked_at(r) > ROLLS_OLD_S;
}

const struct rolls_member *rolls_members(const struct rolls *r, size_t *count)
{
    *count = r->members.count;
    return r->members.list;
}

const struct rolls_member *rolls_find(const struct rolls *r, const struct node_id *id)
{
    return members_find(&r->members, id);
}

const struct rolls_member *rolls_find_name(const struct rolls *r, const char *name)
{
    return members_find_name(&r->members, name);
}

const struct rolls_member *rolls_find_address(const struct rolls *r, const struct addr *a)
{
    return members_find_address(&r->members, a);
}

uint64_t rolls_version(const struct rolls *r)
{
    return r->version;
}
