/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of an issuer. Control thread. */

#include "node/command/invites.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "node/api/api.h"
#include "node/command/describe.h"
#include "node/config/config.h"
#include "node/network/issuer.h"
#include "node/network/network.h"
#include "node/underlay/addresses.h"
#include "proto/message/record.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIFE_S 3600 /* of a token, when nobody says */

static const struct {
    const char *name;
    uint16_t role;
} roles[] = {{"relay", CERT_ROLE_RELAY},
             {"gateway", CERT_ROLE_GATEWAY},
             {"dhcp", CERT_ROLE_DHCP},
             {"router", CERT_ROLE_ROUTER}};
#define ROLE_COUNT (sizeof(roles) / sizeof(roles[0]))

/* NULL: it has answered why not. */
static struct issuer *issuer_of(const struct invites *v, const char *verb, struct api_call *call)
{
    struct issuer *is = v->network ? network_issuer(v->network) : NULL;

    if (!is)
        api_fail(call, "%s: this node is no issuer%s", verb,
                 v->network ? ": ask at one that is, such as the one that made the network"
                            : " of a network");
    return is;
}

static void log_by(const struct api_call *call, const char *what, const char *whom)
{
    const struct api_caller *by = api_call_by(call);

    log_info("%s %s: by user %lu, process %ld", what, whom, (unsigned long)by->uid, (long)by->pid);
}

static const char *reason(int err)
{
    return err == ERR_IO ? strerror(errno) : err_str(err);
}

/* ---- what is wished ---- */

static bool read_roles(const json_t *list, uint16_t *out, struct api_call *call)
{
    size_t i;
    json_t *value;

    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);
        size_t at = 0;
        while (at < ROLE_COUNT && (!text || strcmp(text, roles[at].name) != 0))
            at++;
        if (at == ROLE_COUNT) {
            api_fail(call, "invite: no such role: %s; there are relay, gateway, dhcp and router",
                     text ? text : "");
            return false;
        }
        *out |= roles[at].role;
    }
    return true;
}

static uint64_t number_of(const json_t *request, const char *key, uint64_t otherwise)
{
    const json_t *value = json_object_get(request, key);

    return value ? (uint64_t)json_integer_value(value) : otherwise;
}

static bool read_wish(const json_t *request, struct invitation *i, uint64_t *life_s, struct api_call *call)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    uint64_t uses = number_of(request, "uses", 1);

    *i = (struct invitation){.approve = json_is_true(json_object_get(request, "approve"))};
    *life_s = number_of(request, "expires_s", LIFE_S);
    if (name && !cert_name_ok(name))
        api_fail(call, "invite: %s is no name: 1 to 63 of a-z, 0-9 and -, no - at an end, and no id", name);
    else if (uses < 1 || uses > INVITATIONS_USES_MAX)
        api_fail(call, "invite: a token is for 1 to %d nodes", INVITATIONS_USES_MAX);
    else if (name && uses > 1)
        api_fail(call, "invite: a name is for one node: leave it out, and each chooses its own");
    else if (*life_s < 1 || *life_s > INVITATIONS_LIFE_MAX)
        api_fail(call, "invite: a token is good for 1 second to 90 days");
    else {
        i->uses = (uint16_t)uses;
        snprintf(i->name, sizeof(i->name), "%s", name ? name : "");
        return read_roles(json_object_get(request, "roles"), &i->roles, call);
    }
    return false;
}

/* ---- where the issuer is found ---- */

static void add_url(struct token *t, const char *url)
{
    if (t->place_count < TOKEN_PLACES_MAX && strlen(url) < TOKEN_URL_MAX)
        snprintf(t->places[t->place_count++].url, TOKEN_URL_MAX, "%s", url);
}

static void add_kind(struct token *t, const struct record *r, enum candidate_kind kind)
{
    for (unsigned i = 0; i < r->candidate_count && t->place_count < TOKEN_PLACES_MAX; i++) {
        const struct candidate *c = &r->candidates[i];
        if (c->kind != kind || !c->control_port || c->addr.scope)
            continue;
        t->places[t->place_count].addr = c->addr;
        t->places[t->place_count++].addr.port = c->control_port;
    }
}

/* A backbone finds it wherever it is; then what is most likely to be reached from elsewhere. */
static void add_places(const struct invites *v, struct token *t)
{
    static const enum candidate_kind kinds[] = {CANDIDATE_STATIC, CANDIDATE_MAPPED, CANDIDATE_REFLEXIVE,
                                                CANDIDATE_HOST};
    struct record here = {0};

    for (unsigned i = 0; i < v->config->backbone_count; i++)
        add_url(t, v->config->backbones[i]);
    addresses_describe(v->addresses, &here);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        add_kind(t, &here, kinds[i]);
}

/* ---- invite ---- */

static void tell_token(const struct invitation *i, const struct token *token, struct api_call *call)
{
    char text[TOKEN_TEXT_MAX], number[ISSUER_NUMBER_MAX], whom[160];

    if (token_encode(token, text)) {
        api_fail(call, "invite: the token cannot be written");
        return;
    }
    snprintf(whom, sizeof(whom), "%s%s%s for %u node%s", issuer_number(i->key, number),
             i->name[0] ? " for " : "", i->name, i->uses, i->uses == 1 ? "" : "s");
    log_by(call, "invite: token", whom);
    api_reply(call, json_pack("{s:s, s:s, s:I}", "token", text, "number", number, "expires",
                              (json_int_t)i->expires));
    secret_wipe(text, sizeof(text));
}

void invites_make(const struct invites *v, const json_t *request, struct api_call *call)
{
    struct issuer *is = issuer_of(v, "invite", call);
    struct token token = {0};
    struct invitation i;
    uint64_t life_s;

    if (!is || !read_wish(request, &i, &life_s, call))
        return;
    add_places(v, &token);
    if (!token.place_count) {
        api_fail(
            call,
            "invite: nobody can find this node: it has neither a backbone (-backbone) nor an address yet");
        return;
    }
    int err = issuer_invite(is, &i, life_s, clock_monotonic_us(), &token);
    if (err == ERR_SPACE)
        api_fail(call, "invite: %d tokens are good: revoke some with `invite -revoke`", INVITATIONS_MAX);
    else if (err)
        api_fail(call, "invite: %s", reason(err));
    else
        tell_token(&i, &token, call);
    secret_wipe(&token, sizeof(token));
}

/* ---- invites ---- */

static json_t *describe_roles(uint16_t given)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (given & roles[i].role)
            json_array_append_new(list, json_string(roles[i].name));
    return list;
}

static const char *state_of(const struct invitation *i, uint64_t now)
{
    if (i->revoked)
        return "revoked";
    if (i->used >= i->uses)
        return "used";
    return now >= i->expires ? "expired" : "open";
}

static json_t *describe(const struct invitation *i, uint64_t now)
{
    char number[ISSUER_NUMBER_MAX];

    return json_pack("{s:s, s:s, s:o, s:i, s:i, s:I, s:I, s:b, s:s}", "number", issuer_number(i->key, number),
                     "name", i->name, "roles", describe_roles(i->roles), "uses", i->uses, "used", i->used,
                     "made", (json_int_t)i->made, "expires", (json_int_t)i->expires, "approve", i->approve,
                     "state", state_of(i, now));
}

static json_t *describe_waiting(const struct invitation_waiting *w)
{
    char number[ISSUER_NUMBER_MAX];

    return json_pack("{s:o, s:s, s:s, s:I, s:b}", "id", describe_id(&w->id), "name", w->name, "number",
                     issuer_number(w->key, number), "asked", (json_int_t)w->asked, "approved", w->approved);
}

void invites_list(const struct invites *v, struct api_call *call)
{
    const struct issuer *is = issuer_of(v, "invites", call);
    json_t *made = json_array(), *waiting = json_array();
    const struct invitation *i;
    const struct invitation_waiting *w;

    if (!is) {
        json_decref(made);
        json_decref(waiting);
        return;
    }
    for (size_t n = 0; (i = invitations_at(issuer_invitations(is), n)); n++)
        json_array_append_new(made, describe(i, clock_unix_s()));
    for (size_t n = 0; (w = invitations_waiting_at(issuer_invitations(is), n)); n++)
        json_array_append_new(waiting, describe_waiting(w));
    api_reply(call, json_pack("{s:o, s:o}", "invitations", made, "waiting", waiting));
}

/* ---- changes ---- */

void invites_revoke(const struct invites *v, const json_t *request, struct api_call *call)
{
    const char *number = json_string_value(json_object_get(request, "number"));
    struct issuer *is = issuer_of(v, "invite", call);
    const struct invitation *i;
    int err = is ? issuer_revoke_invitation(is, number ? number : "", &i) : 0;

    if (!is)
        return;
    if (err == ERR_NOT_FOUND)
        api_fail(call, "invite: there is no token %s: `shadowmesh invites` lists them", number ? number : "");
    else if (err == ERR_EXISTS)
        api_fail(call, "invite: several tokens are called %s", number);
    else if (err)
        api_fail(call, "invite: it is revoked until the node stops, since that cannot be written: %s",
                 reason(err));
    else {
        log_by(call, "revoked the token", number);
        api_reply(call, json_pack("{s:s}", "number", number));
    }
}

/* Whom a person means by a name, or the first digits of an id. NULL: nobody, or several. */
static const struct invitation_waiting *find_waiting(const struct issuer *is, const char *text)
{
    const struct invitation_waiting *found = NULL, *w;
    char id[ID_TEXT_MAX];

    for (size_t n = 0; (w = invitations_waiting_at(issuer_invitations(is), n)); n++) {
        bool meant = strcmp(w->name, text) == 0 ||
                     (strlen(text) >= 4 && strncmp(id_format(&w->id, id), text, strlen(text)) == 0);
        if (meant && found && id_compare(&found->id, &w->id) != 0)
            return NULL;
        found = meant ? w : found;
    }
    return found;
}

void invites_approve(const struct invites *v, const json_t *request, struct api_call *call)
{
    const char *text = json_string_value(json_object_get(request, "who"));
    struct issuer *is = issuer_of(v, "approve", call);
    const struct invitation_waiting *w = is ? find_waiting(is, text ? text : "") : NULL;
    struct node_id id;
    char hex[ID_TEXT_MAX];

    if (!is)
        return;
    if (!w) {
        api_fail(
            call,
            "approve %s: nobody waits by that name or id, or several do: `shadowmesh invites` lists them",
            text ? text : "");
        return;
    }
    id = w->id;
    int err = issuer_approve(is, &id);
    if (err) {
        api_fail(call, "approve: it holds until the node stops, since it cannot be written: %s", reason(err));
        return;
    }
    log_by(call, "approved", id_format(&id, hex));
    api_reply(call, json_pack("{s:s}", "id", hex));
}
