/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh revoke: a member is shut out of the network, for ever. The node judges whether it may. */
#include "cli/cmd.h"

#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 5000

static void print_done(const char *word, const json_t *result)
{
    char *id = format_clean(nodes_text(result, "id"));
    printf("revoke %s: %s is shut out; its sessions end everywhere, and its key never comes back\n", word,
           id);
    free(id);
}

static bool revoke_one(const struct cli_options *options, const struct node_id *node, const char *word,
                       json_t *done)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL, *request = json_pack("{s:s,s:s}", "cmd", "revoke", "member", word);
    int err =
        request ? api_client_call(options->run_dir, node, request, TIMEOUT_MS, &result, error) : ERR_ARGUMENT;
    if (!request)
        cli_complain("revoke: that is no name");
    else if (err == ERR_PERMISSION)
        cli_complain("revoke: only root and the user that runs the node may do that: try sudo");
    else if (err)
        nodes_complain(options, node, err, error);
    else if (!options->json)
        print_done(word, result);
    if (!err)
        json_array_append(done, result);
    json_decref(result);
    return !err;
}

static enum cli_exit revoke_all(const struct cli_options *options, const struct node_id *node)
{
    enum cli_exit verdict = CLI_OK;
    json_t *done = json_array();
    for (unsigned i = 0; i < options->word_count && verdict == CLI_OK; i++)
        if (!revoke_one(options, node, options->words[i], done))
            verdict = CLI_FAILURE;
    if (options->json)
        nodes_print_json(json_incref(done));
    json_decref(done);
    return verdict;
}

int cmd_revoke(const struct cli_options *options)
{
    struct nodes nodes;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict != CLI_OK)
        return verdict;
    if (nodes.count > 1) {
        cli_complain("revoke: %zu nodes run here: choose one with -n NAME", nodes.count);
        verdict = CLI_FAILURE;
    } else {
        verdict = revoke_all(options, &nodes.ids[0]);
    }
    nodes_free(&nodes);
    return verdict;
}
