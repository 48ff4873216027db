/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh invite, invites, approve: an issuer's tokens, and who waits to be let in. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/network_call.h"
#include "cli/nodes.h"
#include "cli/qr.h"
#include "cli/table.h"
#include "cli/token_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- invite ---- */

static json_t *wish(const struct cli_options *o)
{
    json_t *request = json_pack("{s:s, s:i, s:I, s:b}", "cmd", "invite", "uses", (int)o->uses, "expires_s",
                                (json_int_t)o->expires_s, "approve", o->approve);
    json_t *roles = json_array();
    for (unsigned i = 0; i < o->role_count; i++)
        json_array_append_new(roles, json_string(o->roles[i]));
    json_object_set_new(request, "roles", roles);
    if (o->name)
        json_object_set_new(request, "name", json_string(o->name));
    return request;
}

static int revoke(const struct cli_options *options)
{
    json_t *result = NULL;
    enum cli_exit verdict =
        network_call(options, "invite",
                     json_pack("{s:s, s:s}", "cmd", "revoke_invitation", "number", options->revoke), &result);
    if (verdict == CLI_OK)
        printf("the token %s is good for nothing from now on\n", options->revoke);
    json_decref(result);
    return verdict;
}

int cmd_invite(const struct cli_options *options)
{
    json_t *result = NULL;
    if (options->revoke)
        return revoke(options);
    if (options->qr && !qr_is_there()) {
        cli_complain("-qr: this program was built without libqrencode: leave it out");
        return CLI_USAGE;
    }
    enum cli_exit verdict = network_call(options, "invite", wish(options), &result);
    if (verdict == CLI_OK)
        token_output(result, options->quiet);
    if (verdict == CLI_OK && options->qr && !token_output_qr(result, options))
        verdict = CLI_FAILURE;
    json_decref(result);
    return verdict;
}

/* ---- invites ---- */

static void format_roles(const json_t *list, char *out, size_t size)
{
    size_t i, at = 0;
    json_t *role;
    out[0] = '\0';
    json_array_foreach(list, i, role)
    {
        int n = snprintf(out + at, size - at, "%s%s", at ? "," : "",
                         json_string_value(role) ? json_string_value(role) : "");
        at += n > 0 && (size_t)n < size - at ? (size_t)n : 0;
    }
}

static void add_invitation(struct table *t, const json_t *i)
{
    char uses[FORMAT_MAX], left[FORMAT_MAX], roles[FORMAT_MAX];
    bool open = strcmp(nodes_text(i, "state"), "open") == 0;
    snprintf(uses, sizeof(uses), "%.0f/%.0f", nodes_number(i, "used"), nodes_number(i, "uses"));
    format_roles(json_object_get(i, "roles"), roles, sizeof(roles));
    table_add(t, (const char *const[]){
                     nodes_text(i, "number"), nodes_text(i, "name"), uses, roles, nodes_text(i, "state"),
                     open ? format_age(nodes_number(i, "expires") - (double)time(NULL), left) : "",
                     json_is_true(json_object_get(i, "approve")) ? "by a person" : ""});
}

static void print_invitations(const struct cli_options *options, const json_t *list)
{
    static const char *const heading[] = {"TOKEN", "NAME", "USED", "ROLES", "STATE", "LEFT", "APPROVED"};
    struct table *t = table_new("lllllrl");
    size_t index;
    json_t *i;
    table_add(t, heading);
    json_array_foreach(list, index, i) add_invitation(t, i);
    if (index == 0)
        printf("no tokens: `shadowmesh invite %s` makes one\n", options->words[0]);
    else
        table_print(t, stdout, &(struct table_style){0, options->width, true, options->colour});
    table_free(t);
}

static void print_waiting(const struct cli_options *options, const json_t *list)
{
    size_t index;
    json_t *w;
    json_array_foreach(list, index, w)
    {
        char *name = format_clean(nodes_text(w, "name")), *id = format_clean(nodes_text(w, "id"));
        printf("%s (%s) %s\n", name[0] ? name : "a node", id,
               json_is_true(json_object_get(w, "approved"))
                   ? "is approved, and will be let in when it asks again"
                   : "waits to be let in");
        free(name);
        free(id);
    }
    if (index > 0)
        printf("`shadowmesh approve %s NAME` lets in, by name or the first digits of the id\n",
               options->words[0]);
}

int cmd_invites(const struct cli_options *options)
{
    json_t *result = NULL;
    enum cli_exit verdict = network_call(options, "invites", json_pack("{s:s}", "cmd", "invites"), &result);
    if (verdict == CLI_OK && options->json) {
        nodes_print_json(json_incref(result));
    } else if (verdict == CLI_OK) {
        print_invitations(options, json_object_get(result, "invitations"));
        print_waiting(options, json_object_get(result, "waiting"));
    }
    json_decref(result);
    return verdict;
}

/* ---- approve ---- */

int cmd_approve(const struct cli_options *options)
{
    enum cli_exit verdict = CLI_OK;
    if (options->word_count < 2) {
        cli_complain("approve needs whom: `shadowmesh invites %s` lists who waits", options->words[0]);
        return CLI_USAGE;
    }
    for (unsigned i = 1; i < options->word_count && verdict == CLI_OK; i++) {
        json_t *result = NULL;
        verdict = network_call(options, "approve",
                               json_pack("{s:s, s:s}", "cmd", "approve", "who", options->words[i]), &result);
        if (verdict == CLI_OK)
            printf("approved %s: it is let in when it asks again\n", options->words[i]);
        json_decref(result);
    }
    return verdict;
}
