/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh fdb: which MAC address is behind which peer. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_entry(const struct cli_options *options, struct table *t, const json_t *entry)
{
    char id[ID_TEXT_MAX], age[FORMAT_MAX], vlan[FORMAT_MAX];
    double tag = nodes_number(entry, "vlan");
    const char *name = nodes_text(entry, "peer_name");
    bool ours = strcmp(nodes_text(entry, "port"), "device") == 0;
    snprintf(vlan, sizeof(vlan), "%.0f", tag);
    table_add(t, (const char *const[]){nodes_text(entry, "mac"), tag > 0 ? vlan : "-",
                                       ours      ? "this device"
                                       : name[0] ? name
                                                 : "-",
                                       ours ? "" : nodes_id(options, nodes_text(entry, "peer_id"), id),
                                       ours ? "" : format_age(nodes_number(entry, "age_s"), age)});
}

static void print_node(const struct cli_options *options, json_t *node, bool titled)
{
    static const char *const heading[] = {"MAC", "VLAN", "BEHIND", "ID", "AGE"};
    struct table *t = table_new("lrllr");
    size_t index;
    json_t *entry;
    char *name = format_clean(nodes_text(node, "name"));
    if (titled)
        printf("%s%s%s\n", options->colour ? "\033[1m" : "", name, options->colour ? "\033[0m" : "");
    table_add(t, heading);
    json_array_foreach(json_object_get(node, "entries"), index, entry) add_entry(options, t, entry);
    if (index == 0)
        printf("%sno addresses learned yet\n", titled ? "  " : "");
    else
        table_print(t, stdout, &(struct table_style){titled ? 2 : 0, options->width, true, options->colour});
    free(name);
    table_free(t);
}

int cmd_fdb(const struct cli_options *options)
{
    static const struct nodes_listing listing = {.command = "fdb", .member = "entries", .print = print_node};
    return nodes_show(options, &listing);
}
