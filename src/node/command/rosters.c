/* SPDX-License-Identifier: Apache-2.0 */
/* Who the members are is what rosters say; whether one is there is what the mesh sees. Control thread. */

#include "node/command/rosters.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/identity.h"
#include "node/api/api.h"
#include "node/command/describe.h"
#include "node/command/features.h"
#include "node/network/change_log.h"
#include "node/network/issuer.h"
#include "node/network/network.h"
#include "node/network/registry.h"
#include "proto/mesh/mesh.h"
#include "proto/network/rolls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 256 /* characters of issuers' names in one line */

static const struct rolls *rolls_of(const struct rosters *r)
{
    return registry_rolls(r->registry);
}

static bool is_in_network(const struct rosters *r, const char *verb, struct api_call *call)
{
    if (!r->registry)
        api_fail(call, "%s: this node is in no network: it has no -network", verb);
    return r->registry != NULL;
}

/* ---- members ---- */

static json_t *describe_roles(uint16_t roles, bool issuer)
{
    static const char *const names[] = {"relay", "gateway", "dhcp", "router"};
    json_t *list = json_array();
    if (issuer)
        json_array_append_new(list, json_string("issuer"));
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (roles & 1u << i)
            json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *describe_addresses(const struct roster_member *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->address_count; i++)
        json_array_append_new(list, describe_addr(&m->addresses[i]));
    return list;
}

/* How long ago it was there; null: not since this node started. */
static json_t *describe_seen(const struct mesh_peer *peer, uint64_t now_us)
{
    if (peer->state == MESH_PEER_CONNECTED)
        return json_integer(0);
    return peer->handshakes ? json_integer((json_int_t)((now_us - peer->state_us) / USEC_PER_SEC))
                            : json_null();
}

/* When the newest certificate was: as we issued it, or saw it; null: neither. */
static json_t *describe_issued(const struct rosters *r, const struct node_id *id, bool self,
                               const struct mesh_peer *peer)
{
    const struct issuer *is = network_issuer(r->network);
    const struct ledger_member *m = is ? ledger_find(issuer_ledger(is), id) : NULL;
    const struct cert *c = self ? network_me(r->network) : peer->certificate;
    uint64_t issued = m ? m->issued : 0;
    if (c && c->not_before > issued)
        issued = c->not_before;
    return issued ? json_integer((json_int_t)issued) : json_null();
}

/* Of a member that is connected, and says it; null: else. */
static json_t *describe_version(const struct mesh_peer *peer, bool self)
{
    const char *version = self ? SHADOWMESH_VERSION : peer->version;
    return version && version[0] ? json_string(version) : json_null();
}

static json_t *describe_clock(const struct rosters *r, const struct node_id *id, uint64_t now_us)
{
    int64_t ahead_s;
    return mesh_knows_clock(r->mesh, id, now_us, &ahead_s) ? json_integer(ahead_s) : json_null();
}

static json_t *describe_member(const struct rosters *r, const struct rolls_member *m)
{
    uint64_t now_us = clock_monotonic_us();
    bool self = id_compare(&m->is.id, identity_id(r->me)) == 0, known;
    struct mesh_peer peer = {.state = MESH_PEER_CONNECTING};
    known = !self && mesh_view_peer(r->mesh, &m->is.id, &peer);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "name",
                     m->is.name, "id", describe_id(&m->is.id), "addresses", describe_addresses(&m->is),
                     "roles", describe_roles(m->is.roles, rolls_issuer(rolls_of(r), &m->is.id) != NULL),
                     "issuer", describe_id(&m->issuer), "joined", (json_int_t)m->is.since, "issued",
                     describe_issued(r, &m->is.id, self, &peer), "expires", (json_int_t)m->is.not_after,
                     "self", self, "state",
                     self    ? "self"
                     : known ? mesh_peer_state_name(peer.state)
                             : "unknown",
                     "seen_age_s", self ? json_integer(0) : describe_seen(&peer, now_us), "path",
                     describe_path(&peer.path, r->backbones, r->device), "version",
                     describe_version(&peer, self), "features",
                     peer.features ? features_describe(peer.our_features, peer.features) : json_null(),
                     "clock_ahead_s", describe_clock(r, &m->is.id, now_us));
}

/* What is left to be told: a copy, as members come and go meanwhile. */
struct telling {
    const struct rosters *rosters;
    size_t count, next;
    struct rolls_member members[];
};

static json_t *next_member(void *context)
{
    struct telling *t = context;
    return t->next < t->count ? describe_member(t->rosters, &t->members[t->next++]) : NULL;
}

void rosters_list(struct rosters *r, struct api_call *call)
{
    size_t count;
    if (!is_in_network(r, "members", call))
        return;
    const struct rolls_member *members = rolls_members(rolls_of(r), &count);
    struct telling *t = malloc(sizeof(*t) + count * sizeof(*members));
    if (!t) {
        api_fail(call, "out of memory");
        return;
    }
    *t = (struct telling){.rosters = r, .count = count};
    if (count)
        memcpy(t->members, members, count * sizeof(*members));
    api_reply_list(call, &(struct api_list){"entries", next_member, free, t});
}

bool rosters_find(const struct rosters *r, const char *verb, const char *text, struct node_id *id,
                  struct api_call *call)
{
    if (!is_in_network(r, verb, call))
        return false;
    bool fits = text && strlen(text) <= ID_HEX_LEN + CERT_LABEL_MAX;
    const struct rolls_member *m = fits ? rolls_find_name(rolls_of(r), text) : NULL;
    if (m)
        *id = m->is.id;
    if (m || (fits && id_parse(text, id) == 0))
        return true;
    api_fail(call, "%s %.64s: no member has that name: give the name, or all 40 digits of the id", verb,
             text ? text : "");
    return false;
}

/* ---- revoke ---- */

static void list_issuers(const struct rosters *r, char out[NAMES_MAX])
{
    struct message_list lists[ROLLS_LISTS_MAX];
    unsigned count = rolls_lists(rolls_of(r), lists);
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        char hex[ID_TEXT_MAX];
        const struct rolls_member *m = rolls_find(rolls_of(r), &lists[i].signer);
        if (lists[i].kind != LIST_ISSUER || !rolls_issuer(rolls_of(r), &lists[i].signer))
            continue;
        int n = snprintf(out + len, NAMES_MAX - len, "%s%s", len ? ", " : "",
                         m && m->is.name[0] ? m->is.name : id_format(&lists[i].signer, hex));
        if (n < 0 || (size_t)n >= NAMES_MAX - len)
            return;
        len += (size_t)n;
    }
}

bool rosters_log_is_here(const struct rosters *r, struct api_call *call)
{
    char issuers[NAMES_MAX];
    if (!is_in_network(r, "log", call))
        return false;
    list_issuers(r, issuers);
    if (!r->changes)
        api_fail(call, "log: this node is no issuer, and they alone keep one: ask at one, which is %s",
                 issuers[0] ? issuers : "not known here");
    return r->changes != NULL;
}

static bool may_revoke(const struct rosters *r, const char *text, const struct node_id *id,
                       struct api_call *call)
{
    char issuers[NAMES_MAX];
    if (!registry_signs(r->registry)) {
        list_issuers(r, issuers);
        api_fail(call, "revoke: this node is no issuer: do it at one, which is %s",
                 issuers[0] ? issuers : "not known here");
        return false;
    }
    if (id_compare(id, identity_id(r->me)) == 0) {
        api_fail(call, "revoke %s: that is this node itself: do it at another issuer", text);
        return false;
    }
    if (rolls_issuer(rolls_of(r), id)) {
        api_fail(call, "revoke %s: it is an issuer: only the network's CA revokes one", text);
        return false;
    }
    return true;
}

static void note_revoked(const struct rosters *r, const struct node_id *id, const char *name,
                         const struct api_caller *by)
{
    char who[CHANGES_BY_MAX];
    snprintf(who, sizeof(who), "user %lu, process %ld", (unsigned long)by->uid, (long)by->pid);
    change_log_note(r->changes, CHANGE_REVOKED, id, name, 0, who,
                    registry_now(r->registry, clock_monotonic_us()));
}

/* name: what it was called, where it was a member. */
static void report(const struct rosters *r, const char *text, const struct node_id *id, const char *name,
                   int err, struct api_call *call)
{
    char hex[ID_TEXT_MAX];
    const struct api_caller *by = api_call_by(call);
    id_format(id, hex);
    if (err == ERR_EXISTS)
        api_fail(call, "revoke %s: it is revoked already", text);
    else if (err == ERR_SPACE)
        api_fail(call, "revoke %s: this issuer's list is full", text);
    else if (err)
        api_fail(call, "revoke %s: %s", text, err_str(err));
    if (err)
        return;
    log_info("revoked %s (%s): by user %lu, process %ld", text, hex, (unsigned long)by->uid, (long)by->pid);
    note_revoked(r, id, name, by);
    api_reply(call, json_pack("{s:s, s:s, s:I}", "member", text, "id", hex, "number",
                              (json_int_t)rolls_number(rolls_of(r), LIST_REVOCATIONS, identity_id(r->me))));
}

void rosters_revoke(struct rosters *r, const json_t *request, struct api_call *call)
{
    const char *text = json_string_value(json_object_get(request, "member"));
    struct node_id id;
    if (!rosters_find(r, "revoke", text, &id, call) || !may_revoke(r, text, &id, call))
        return;
    char name[CERT_LABEL_MAX] = "";
    const struct rolls_member *m = rolls_find(rolls_of(r), &id);
    if (m)
        snprintf(name, sizeof(name), "%s", m->is.name);
    report(r, text, &id, name, registry_revoke(r->registry, r->mesh, &id, clock_monotonic_us()), call);
}
