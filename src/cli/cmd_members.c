/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh members: who is in the network, until when, and whether it is there. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/peer_text.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "relay, router", for the caller to free. */
static char *roles_of(const json_t *member)
{
    char *text = strdup("");
    size_t index;
    json_t *role;
    json_array_foreach(json_object_get(member, "roles"), index, role)
    {
        char *longer = NULL;
        if (asprintf(&longer, "%s%s%s", text, index ? ", " : "", json_string_value(role)) < 0)
            abort();
        free(text);
        text = longer;
    }
    return text;
}

static const char *expiry_of(const json_t *member, char out[FORMAT_MAX])
{
    char age[FORMAT_MAX];
    double left_s = nodes_number(member, "expires") - (double)time(NULL);
    if (left_s < 0)
        return "expired";
    snprintf(out, FORMAT_MAX, "in %.40s", format_age(left_s, age));
    return out;
}

static const char *seen_of(const json_t *member, char out[FORMAT_MAX])
{
    char age[FORMAT_MAX];
    double seen_s = nodes_number(member, "seen_age_s");
    if (seen_s <= 0)
        return seen_s < 0 ? "-" : "now";
    snprintf(out, FORMAT_MAX, "%.40s ago", format_age(seen_s, age));
    return out;
}

static char *path_of(const json_t *member)
{
    return json_is_true(json_object_get(member, "self")) ? strdup("this node") : peer_text_path(member);
}

static void add_member(const struct cli_options *options, struct table *t, const json_t *member)
{
    char id[ID_TEXT_MAX], expires[FORMAT_MAX], seen[FORMAT_MAX];
    const char *name = nodes_text(member, "name");
    char *addresses = nodes_addresses(member), *roles = roles_of(member), *path = path_of(member);
    table_add(t, (const char *const[]){name[0] ? name : "-", nodes_id(options, nodes_text(member, "id"), id),
                                       addresses, roles[0] ? roles : "-", expiry_of(member, expires),
                                       seen_of(member, seen), path});
    free(addresses);
    free(roles);
    free(path);
}

static void print_node(const struct cli_options *options, json_t *node, bool titled)
{
    static const char *const heading[] = {"MEMBER",  "ID",        "ADDRESSES", "ROLES",
                                          "EXPIRES", "LAST SEEN", "PATH"};
    struct table *t = table_new("llllrrl");
    size_t index;
    json_t *member;
    char *name = format_clean(nodes_text(node, "name"));
    if (titled)
        printf("%s%s%s\n", options->colour ? "\033[1m" : "", name, options->colour ? "\033[0m" : "");
    table_add(t, heading);
    json_array_foreach(json_object_get(node, "entries"), index, member) add_member(options, t, member);
    if (index == 0)
        printf("%sno roster has come yet: its issuers tell who the members are\n", titled ? "  " : "");
    else
        table_print(t, stdout, &(struct table_style){titled ? 2 : 0, options->width, true, options->colour});
    free(name);
    table_free(t);
}

int cmd_members(const struct cli_options *options)
{
    static const struct nodes_listing listing = {
        .command = "members", .member = "entries", .print = print_node};
    return nodes_show(options, &listing);
}
