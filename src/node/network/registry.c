/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/registry.h"

#include "base/log.h"
#include "node/network/list_files.h"
#include "node/network/signing.h"
#include "proto/mesh/mesh.h"
#include "proto/network/ledger.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct registry {
    struct registry_config config;
    struct rolls *rolls;
    struct list_files *files;
    struct signing signing;
};

static int take_own_certificate(const struct registry *r)
{
    if (!r->config.own_issuer.len)
        return 0;
    switch (rolls_take(r->rolls, LIST_ISSUER, r->config.own_issuer)) {
    case ROLLS_NEWER:
    case ROLLS_SAME:
    case ROLLS_OLDER:
        return 0;
    case ROLLS_NO_MEMORY:
        return ERR_NOMEM;
    case ROLLS_STRANGER:
        log_warn("this node is an issuer no more: the network's CA has revoked it");
        return 0;
    case ROLLS_FULL:
    case ROLLS_CONTRARY:
    case ROLLS_FALSE:
        break;
    }
    log_warn("this node's certificate as an issuer does not hold: it signs nothing");
    return 0;
}

static int open_all(struct registry *r, uint64_t now_us)
{
    const struct registry_config *c = &r->config;
    int err = rolls_new(membership_ca(c->membership), &r->rolls);
    if (err)
        return err;
    rolls_set_own(r->rolls, c->me);
    rolls_on_time(r->rolls, membership_now(c->membership, now_us));
    const struct list_files_config files = {c->loop, r->rolls, c->keydir};
    err = list_files_open(&files, &r->files);
    return err ? err : take_own_certificate(r);
}

int registry_open(const struct registry_config *config, uint64_t now_us, struct registry **out)
{
    struct registry *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    int err = open_all(r, now_us);
    if (err) {
        registry_close(r);
        return err;
    }
    r->signing = (struct signing){.rolls = r->rolls, .me = config->me};
    *out = r;
    return 0;
}

void registry_stop(struct registry *r)
{
    if (!r)
        return;
    list_files_close(r->files);
    r->files = NULL;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    registry_stop(r);
    rolls_free(r->rolls);
    free(r);
}

struct rolls *registry_rolls(const struct registry *r)
{
    return r->rolls;
}

uint64_t registry_now(const struct registry *r, uint64_t now_us)
{
    return membership_now(r->config.membership, now_us);
}

bool registry_signs(const struct registry *r)
{
    return rolls_issuer(r->rolls, identity_id(r->config.me)) != NULL;
}

void registry_tick(struct registry *r, struct mesh *m, uint64_t now_us)
{
    signing_tick(&r->signing, membership_now(r->config.membership, now_us));
    mesh_on_rolls(m, now_us);
    list_files_save(r->files, now_us);
}

bool registry_is_old(const struct registry *r, uint64_t now_us, char *text, size_t size)
{
    uint64_t signed_s = rolls_revoked_at(r->rolls), now_s = membership_now(r->config.membership, now_us);
    if (!rolls_are_old(r->rolls))
        return false;
    if (signed_s)
        snprintf(text, size,
                 "the newest list of revoked keys is %llu hours old: who was revoked since then is not known "
                 "here; does an issuer run?",
                 (unsigned long long)(now_s - signed_s) / 3600);
    else
        snprintf(text, size,
                 "there is no list of revoked keys: who was revoked is not known here; does an "
                 "issuer run?");
    return true;
}

static struct roster_member listed(const struct ledger_member *m)
{
    struct roster_member out = {.id = m->id,
                                .since = m->joined,
                                .not_after = m->not_after,
                                .roles = m->roles,
                                .address_count = m->address_count};

    memcpy(out.name, m->name, sizeof(out.name));
    memcpy(out.addresses, m->addresses, sizeof(out.addresses));
    return out;
}

int registry_publish(struct registry *r, const struct ledger *ledger, uint64_t now_us)
{
    uint64_t now_s = membership_now(r->config.membership, now_us);
    struct roster_member *members = calloc(ROSTER_MAX, sizeof(*members));
    const struct ledger_member *m;
    size_t count = 0;
    if (!members)
        return ERR_NOMEM;
    for (size_t i = 0; (m = ledger_at(ledger, i)); i++)
        if (m->not_after >= now_s)
            members[count++] = listed(m);
    int err = rolls_publish(r->rolls, r->config.me, members, count);
    free(members);
    return err;
}

int registry_revoke(struct registry *r, struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    int err = rolls_revoke(r->rolls, r->config.me, id);
    if (!err)
        registry_tick(r, m, now_us);
    return err;
}
