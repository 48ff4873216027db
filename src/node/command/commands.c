/* SPDX-License-Identifier: Apache-2.0 */
/* A table of commands. */

#include "node/command/commands.h"

#include "base/clock.h"
#include "node/api/api.h"
#include "node/command/ca_lists.h"
#include "node/command/checks.h"
#include "node/command/history.h"
#include "node/command/learned.h"
#include "node/command/leaving.h"
#include "node/command/pings.h"
#include "node/command/promotions.h"
#include "node/command/reloads.h"
#include <string.h>

static void tell_status(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    api_reply(call, status_describe(&c->status, clock_monotonic_us()));
}

static void list_fdb(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    learned_tell(c->sw, c->status.mesh, call);
}

static void ping(struct commands *c, const json_t *request, struct api_call *call)
{
    pings_start(c->pings, request, call);
}

static void netcheck(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    checks_start(c->checks, call);
}

static void allow(struct commands *c, const json_t *request, struct api_call *call)
{
    lists_allow(&c->lists, request, call);
}

static void disallow(struct commands *c, const json_t *request, struct api_call *call)
{
    lists_disallow(&c->lists, request, call);
}

static void connect_peer(struct commands *c, const json_t *request, struct api_call *call)
{
    lists_connect(&c->lists, request, call);
}

static void disconnect(struct commands *c, const json_t *request, struct api_call *call)
{
    lists_disconnect(&c->lists, request, call);
}

static void reload(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    reloads_start(c->reloads, call);
}

static void list_changes(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    history_list(&c->rosters, call);
}

static void list_members(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    rosters_list(&c->rosters, call);
}

static void revoke_member(struct commands *c, const json_t *request, struct api_call *call)
{
    rosters_revoke(&c->rosters, request, call);
}

static void leave(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    leaving_ask(&c->rosters, call);
}

static void tell_promotion(struct commands *c, const json_t *request, struct api_call *call)
{
    promotions_tell(&c->rosters, request, call);
}

static void list_issuers(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    promotions_list(&c->rosters, call);
}

static void take_issuer(struct commands *c, const json_t *request, struct api_call *call)
{
    promotions_take(&c->rosters, request, call);
}

static void tell_revocation(struct commands *c, const json_t *request, struct api_call *call)
{
    ca_lists_tell(&c->rosters, request, call);
}

static void take_revoked(struct commands *c, const json_t *request, struct api_call *call)
{
    ca_lists_take(&c->rosters, request, call);
}

static void invite(struct commands *c, const json_t *request, struct api_call *call)
{
    invites_make(&c->invites, request, call);
}

static void list_invites(struct commands *c, const json_t *request, struct api_call *call)
{
    (void)request;
    invites_list(&c->invites, call);
}

static void revoke_invitation(struct commands *c, const json_t *request, struct api_call *call)
{
    invites_revoke(&c->invites, request, call);
}

static void approve(struct commands *c, const json_t *request, struct api_call *call)
{
    invites_approve(&c->invites, request, call);
}

static const struct {
    const char *name;
    bool
        reads; /* alone: whoever may only read may ask it. A ping makes traffic, and uses up what the peer grants */
    void (*run)(struct commands *c, const json_t *request, struct api_call *call);
} commands[] = {
    {"status", true, tell_status},
    {"fdb", true, list_fdb},
    {"ping", false, ping},
    {"allow", false, allow},
    {"disallow", false, disallow},
    {"connect", false, connect_peer},
    {"disconnect", false, disconnect},
    {"netcheck", false, netcheck},
    {"reload", false, reload},
    {"invite", false, invite},
    {"invites", true, list_invites},
    {"revoke_invitation", false, revoke_invitation},
    {"approve", false, approve},
    {"members", true, list_members},
    {"log", true, list_changes},
    {"revoke", false, revoke_member},
    {"leave", false, leave},
    {"promotion", false, tell_promotion},
    {"take_issuer", false, take_issuer},
    {"issuers", true, list_issuers},
    {"revocation", false, tell_revocation},
    {"take_revoked", false, take_revoked},
};

void commands_handle(void *context, const char *command, const json_t *request, struct api_call *call)
{
    size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);
    while (i < count && strcmp(commands[i].name, command) != 0)
        i++;
    if (i == count)
        api_fail(call, "no such command: %s", command);
    else if (api_call_by(call)->reads_only && !commands[i].reads)
        api_fail(call, "this socket is for reading: %s needs the node's other one, without .ro", command);
    else
        commands[i].run(context, request, call);
}
