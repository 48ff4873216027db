/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/network/census.h"

#include "proto/network/changes.h"
#include "proto/network/rolls.h"
#include <stdlib.h>
#include <string.h>

/* Sorted by id, as the rolls have them. */
struct counted {
    struct node_id id;
    char name[CERT_LABEL_MAX];
    struct node_id issuer;
    uint64_t not_after;
};

struct census {
    struct counted *members;
    size_t count;
    struct {
        struct node_id id;
        uint64_t not_after;
    } issuers[ROLLS_ISSUERS_MAX];
    unsigned issuer_count;
    uint64_t version; /* of the rolls; 0: they were never looked at */
};

/* What the rolls say now, and where it goes. */
struct look {
    const struct rolls *rolls;
    struct changes *log;
    uint64_t now_s;
};

int census_new(struct census **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void census_free(struct census *c)
{
    if (!c)
        return;
    free(c->members);
    free(c);
}

static bool is_certified(enum change_kind kind)
{
    return kind == CHANGE_JOINED || kind == CHANGE_RENEWED;
}

/* Whoever asked for it has put it there, and knows more. */
static bool is_told(const struct look *k, const struct change *change)
{
    const struct change *last = changes_last(k->log, &change->id);

    if (!last || last->until != change->until)
        return false;
    return last->kind == change->kind || (is_certified(last->kind) && is_certified(change->kind));
}

static void tell(const struct look *k, const struct change *change)
{
    if (!is_told(k, change))
        changes_put(k->log, change);
}

/* ---- members ---- */

static struct change change_of(enum change_kind kind, const struct node_id *id, const char *name)
{
    struct change change = {.kind = kind, .id = *id};

    memcpy(change.name, name, strnlen(name, sizeof(change.name) - 1));
    return change;
}

/* Who had expired and is back has joined before. */
static void on_here(const struct look *k, const struct rolls_member *m, const struct counted *before)
{
    bool known = before || changes_last(k->log, &m->is.id);
    struct change change = change_of(known ? CHANGE_RENEWED : CHANGE_JOINED, &m->is.id, m->is.name);

    if (before && before->not_after == m->is.not_after)
        return;
    change.signer = m->issuer;
    change.until = m->is.not_after;
    change.time = known ? rolls_time(k->rolls, LIST_ROSTER, &m->issuer) : m->is.since;
    tell(k, &change);
}

/* An issuer may also leave somebody out for no reason that we know: that is no change. */
static void on_gone(const struct look *k, const struct counted *before)
{
    bool revoked = rolls_revoked(k->rolls, &before->id);
    struct change change = change_of(revoked ? CHANGE_REVOKED : CHANGE_EXPIRED, &before->id, before->name);

    if (!revoked && before->not_after >= k->now_s)
        return;
    change.signer = before->issuer;
    change.time = before->not_after;
    if (revoked) {
        change.signer = *rolls_revoker(k->rolls, &before->id);
        change.time = rolls_time(k->rolls, LIST_REVOCATIONS, &change.signer);
    }
    tell(k, &change);
}

static void compare(const struct look *k, const struct census *c, const struct rolls_member *members,
                    size_t count)
{
    size_t i = 0, j = 0;

    while (i < c->count || j < count) {
        int order = i == c->count ? 1 : j == count ? -1 : id_compare(&c->members[i].id, &members[j].is.id);
        if (order < 0)
            on_gone(k, &c->members[i++]);
        else
            on_here(k, &members[j++], order == 0 ? &c->members[i++] : NULL);
    }
}

/* ---- issuers ---- */

static bool had_certificate(const struct census *c, const struct cert *issuer)
{
    for (unsigned i = 0; i < c->issuer_count; i++)
        if (id_compare(&c->issuers[i].id, &issuer->id) == 0 && c->issuers[i].not_after == issuer->not_after)
            return true;
    return false;
}

static void on_issuer(const struct look *k, const struct cert *issuer)
{
    const struct rolls_member *m = rolls_find(k->rolls, &issuer->id);
    struct change change = change_of(CHANGE_PROMOTED, &issuer->id, m ? m->is.name : "");

    change.time = issuer->not_before;
    change.signer = issuer->issuer;
    change.until = issuer->not_after;
    tell(k, &change);
}

static void take_issuers(const struct look *k, struct census *c)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    struct census old = *c;
    unsigned count = rolls_lists(k->rolls, lists);

    c->issuer_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct cert *issuer =
            lists[i].kind == LIST_ISSUER ? rolls_issuer(k->rolls, &lists[i].signer) : NULL;
        if (!issuer)
            continue;
        if (k->log && !had_certificate(&old, issuer))
            on_issuer(k, issuer);
        c->issuers[c->issuer_count].id = issuer->id;
        c->issuers[c->issuer_count++].not_after = issuer->not_after;
    }
}

/* ---- the whole ---- */

static struct counted *copy(const struct rolls_member *members, size_t count)
{
    struct counted *out = calloc(count + 1, sizeof(*out));

    for (size_t i = 0; out && i < count; i++) {
        out[i] = (struct counted){
            .id = members[i].is.id, .issuer = members[i].issuer, .not_after = members[i].is.not_after};
        memcpy(out[i].name, members[i].is.name, sizeof(out[i].name));
    }
    return out;
}

void census_take(struct census *c, const struct rolls *rolls, struct changes *log, uint64_t now_s)
{
    const struct look look = {rolls, log, now_s};
    size_t count;
    const struct rolls_member *members = rolls_members(rolls, &count);
    struct counted *fresh;

    if (c->version && c->version == rolls_version(rolls))
        return;
    fresh = copy(members, count);
    if (!fresh)
        return;
    if (log)
        compare(&look, c, members, count);
    take_issuers(&look, c);
    free(c->members);
    c->members = fresh;
    c->count = count;
    c->version = rolls_version(rolls);
}
