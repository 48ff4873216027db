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

#define CLOCK_OFF_S 300

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

/* How long ago that was. */
static const char *age_of(const json_t *member, const char *key, char out[FORMAT_MAX])
{
    char age[FORMAT_MAX];
    double since_s = nodes_number(member, key);
    if (since_s < 0)
        return "-";
    double ago_s = (double)time(NULL) - since_s;
    snprintf(out, FORMAT_MAX, "%.40s ago", format_age(ago_s > 0 ? ago_s : 0, age));
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

static void print_names(FILE *out, const char *verb, const json_t *names)
{
    size_t index;
    json_t *name;
    json_array_foreach(names, index, name)
    {
        fprintf(out, "%s %s", index ? "," : verb, json_is_string(name) ? json_string_value(name) : "?");
    }
}

/* What its program can otherwise than ours, and a clock that is off; for the caller to free. */
static char *note_of(const json_t *member)
{
    const json_t *features = json_object_get(member, "features");
    const json_t *clock = json_object_get(member, "clock_ahead_s");
    double ahead_s = json_is_integer(clock) ? (double)json_integer_value(clock) : 0;
    char *text = NULL, age[FORMAT_MAX];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        abort();
    print_names(out, "lacks", json_object_get(features, "lacks"));
    print_names(out, ftell(out) ? "; has" : "has", json_object_get(features, "has"));
    if (ahead_s > CLOCK_OFF_S || ahead_s < -CLOCK_OFF_S)
        fprintf(out, "%sits clock is %s %s this node's", ftell(out) ? "; " : "",
                format_age(ahead_s < 0 ? -ahead_s : ahead_s, age), ahead_s < 0 ? "behind" : "ahead of");
    fclose(out);
    return text;
}

static void add_member(const struct cli_options *options, struct table *t, const json_t *member)
{
    char id[ID_TEXT_MAX], issued[FORMAT_MAX], expires[FORMAT_MAX], seen[FORMAT_MAX];
    const char *name = nodes_text(member, "name");
    char *addresses = nodes_addresses(member), *roles = roles_of(member), *path = path_of(member);
    char *note = note_of(member);
    const char *version = nodes_text(member, "version");
    table_add(t, (const char *const[]){name[0] ? name : "-", nodes_id(options, nodes_text(member, "id"), id),
                                       addresses, roles[0] ? roles : "-", age_of(member, "issued", issued),
                                       expiry_of(member, expires), seen_of(member, seen), path,
                                       version[0] ? version : "-"});
    table_add_note(t, note);
    free(note);
    free(addresses);
    free(roles);
    free(path);
}

static void print_node(const struct cli_options *options, json_t *node, bool titled)
{
    static const char *const heading[] = {"MEMBER",  "ID",        "ADDRESSES", "ROLES",  "ISSUED",
                                          "EXPIRES", "LAST SEEN", "PATH",      "VERSION"};
    struct table *t = table_new("llllrrrll");
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
