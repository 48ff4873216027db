/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh reload: a running node reads its flags and its file again, and tells what has changed. */
#include "cli/cmd.h"

#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/conf_file.h"
#include "cli/format.h"
#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

static bool reads(const json_t *node, const char *path)
{
    size_t i;
    const json_t *file;
    json_array_foreach(json_object_get(node, "config"), i,
                       file) if (json_is_string(file) &&
                                 strcmp(json_string_value(file), path) == 0) return true;
    return false;
}

/* Those that the word means: by their file, or else by their name. */
static size_t find(const struct nodes *nodes, const char *word, const char *path, size_t *out)
{
    size_t i, count = 0;
    const json_t *node;
    json_array_foreach(nodes->list, i, node) if (reads(node, path) && ++count) *out = i;
    if (count)
        return count;
    json_array_foreach(nodes->list, i, node) if (nodes_match(node, word) && ++count) *out = i;
    return count;
}

static void print_change(const json_t *change)
{
    char *flag = format_clean(nodes_text(change, "flag")), *id = format_clean(nodes_text(change, "id"));
    char *what = format_clean(nodes_text(change, "change"));
    printf("-%s%s%s: %s\n", flag, id[0] ? " " : "", id, what);
    free(flag);
    free(id);
    free(what);
}

static void print_restart(const char *text)
{
    char *flag = format_clean(text);
    printf("-%s: needs a restart\n", flag);
    free(flag);
}

static void print_result(const json_t *result)
{
    size_t i;
    const json_t *entry, *changes = json_object_get(result, "changes"),
                         *restart = json_object_get(result, "restart");
    json_array_foreach(json_object_get(result, "warnings"), i, entry) if (json_is_string(entry))
        cli_complain("reload: %s", json_string_value(entry));
    json_array_foreach(changes, i, entry) print_change(entry);
    json_array_foreach(restart, i, entry) if (json_is_string(entry)) print_restart(json_string_value(entry));
    if (!json_array_size(changes) && !json_array_size(restart))
        puts("nothing has changed");
}

static enum cli_exit reload(const struct cli_options *options, const struct node_id *node)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    int err = api_client_call(options->run_dir, node, json_pack("{s:s}", "cmd", "reload"), TIMEOUT_MS,
                              &result, error);
    if (err == ERR_PERMISSION)
        cli_complain("reload: only root and the user that runs the node may change it: try sudo");
    else if (err == ERR_NOT_FOUND)
        cli_complain("reload %s: nothing has changed: %s", options->words[0], error);
    else if (err)
        nodes_complain(options, node, err, error);
    else if (options->json)
        nodes_print_json(json_incref(result));
    else
        print_result(result);
    json_decref(result);
    return err ? CLI_FAILURE : CLI_OK;
}

int cmd_reload(const struct cli_options *options)
{
    struct nodes nodes;
    char path[CONF_FILE_MAX];
    size_t at = 0;
    if (conf_file_of("reload", options, path))
        return CLI_USAGE;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict != CLI_OK)
        return verdict;
    size_t count = find(&nodes, options->words[0], path, &at);
    if (count == 1)
        verdict = reload(options, &nodes.ids[at]);
    else
        cli_complain("reload %s: %s: `shadowmesh status` lists those that run", options->words[0],
                     count ? "several nodes have this name"
                           : "no node that runs here has this name, nor its file");
    nodes_free(&nodes);
    return count == 1 ? verdict : count ? CLI_FAILURE : CLI_NO_NODE;
}
