/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh id: the ids of the nodes that run here, whole and alone on their lines, for -connect. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/nodes.h"

#include <stdio.h>

int cmd_id(const struct cli_options *options)
{
    struct nodes nodes;
    char hex[ID_TEXT_MAX];
    json_t *all = json_array();
    enum cli_exit verdict = nodes_collect(options, &nodes);
    for (size_t i = 0; i < nodes.count; i++) {
        const json_t *node = json_array_get(nodes.list, i);
        id_format(&nodes.ids[i], hex);
        json_array_append_new(all, json_pack("{s:s,s:s}", "id", hex, "name", nodes_text(node, "name")));
        if (!options->json)
            puts(hex);
    }
    if (verdict == CLI_OK && nodes.partial)
        verdict = CLI_FAILURE;
    if (options->json)
        nodes_print_json(json_incref(all));
    json_decref(all);
    nodes_free(&nodes);
    return verdict;
}
