/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh fdb: which MAC address is behind which peer. */
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

static void print_node(const struct cli_options *options, const json_t *node, const json_t *entries,
                       bool titled)
{
    static const char *const heading[] = {"MAC", "VLAN", "BEHIND", "ID", "AGE"};
    struct table *t = table_new("lrllr");
    size_t index;
    json_t *entry;
    char *name = format_clean(nodes_text(node, "name"));
    if (titled)
        printf("%s%s%s\n", options->colour ? "\033[1m" : "", name, options->colour ? "\033[0m" : "");
    table_add(t, heading);
    json_array_foreach(entries, index, entry) add_entry(options, t, entry);
    if (index == 0)
        printf("%sno addresses learned yet\n", titled ? "  " : "");
    else
        table_print(t, stdout, titled ? 2 : 0, true, options->colour);
    free(name);
    table_free(t);
}

/* Takes nothing: appends every entry to out, each told whose it is. */
static void append_entries(json_t *out, const json_t *node, const json_t *entries)
{
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        if (json_object_set(entry, "node", json_object_get(node, "id")) == 0)
            json_array_append(out, entry);
    }
}

int cmd_fdb(const struct cli_options *options)
{
    struct nodes nodes;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    json_t *all = json_array();
    for (size_t i = 0; verdict != CLI_NO_NODE && i < nodes.count; i++) {
        const json_t *node = json_array_get(nodes.list, i);
        json_t *result = nodes_ask(options, &nodes, i, "fdb");
        const json_t *entries = json_object_get(result, "entries");
        if (!result)
            verdict = CLI_FAILURE;
        else if (options->json)
            append_entries(all, node, entries);
        else
            print_node(options, node, entries, nodes.count > 1);
        if (!options->json && i + 1 < nodes.count)
            putchar('\n');
        json_decref(result);
    }
    if (options->json && (verdict == CLI_OK || verdict == CLI_NO_NODE))
        nodes_print_json(json_incref(all));
    if (verdict == CLI_OK && nodes.partial)
        verdict = CLI_FAILURE;
    json_decref(all);
    nodes_free(&nodes);
    return verdict;
}
