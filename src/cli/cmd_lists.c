/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh allow, disallow, connect, disconnect: whom a running node admits and dials. One request for each id that is
 * named; the node judges it. */
#include "cli/cmd.h"

#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 3000

/* "ID", or "ID@HOST:PORT" of connect. False: it complained. */
static bool read_word(const char *verb, bool hosts, const char *word, json_t **request)
{
    const char *at = strchr(word, '@');
    size_t len = at ? (size_t)(at - word) : strlen(word);
    char hex[ID_TEXT_MAX];
    struct node_id id;
    snprintf(hex, sizeof(hex), "%.*s", (int)len, word);
    if (len != ID_HEX_LEN || id_parse(hex, &id) != 0) {
        cli_complain("%s %s: no node id: give all 40 hex digits, as `shadowmesh id` prints them there", verb,
                     word);
        return false;
    }
    if (at && !hosts) {
        cli_complain("%s %s: give the id alone: only connect takes a host", verb, word);
        return false;
    }
    *request = at ? json_pack("{s:s,s:s,s:[s]}", "cmd", verb, "id", hex, "addresses", at + 1)
                  : json_pack("{s:s,s:s}", "cmd", verb, "id", hex);
    return true;
}

/* All of them, before any is asked for: NULL when one is wrong. */
static json_t *read_words(const struct cli_options *options, const char *verb, bool hosts)
{
    json_t *requests = json_array(), *request;
    for (unsigned i = 0; i < options->word_count; i++) {
        if (!read_word(verb, hosts, options->words[i], &request)) {
            json_decref(requests);
            return NULL;
        }
        json_array_append_new(requests, request);
    }
    return requests;
}

static void print_change(const char *verb, const json_t *result)
{
    char *note = format_clean(nodes_text(result, "note")), *id = format_clean(nodes_text(result, "id"));
    printf("%s %s: done%s%s\n", verb, id,
           json_is_true(json_object_get(result, "lasting")) ? "; " : " until the node stops; ", note);
    free(note);
    free(id);
}

static bool change(const struct cli_options *options, const struct node_id *node, const char *verb,
                   json_t *request, json_t *done)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    int err = api_client_call(options->run_dir, node, json_incref(request), TIMEOUT_MS, &result, error);
    if (err == ERR_PERMISSION)
        cli_complain("%s: only root and the user that runs the node may change it: try sudo", verb);
    else if (err)
        nodes_complain(options, node, err, error);
    else if (!options->json)
        print_change(verb, result);
    if (!err)
        json_array_append(done, result);
    json_decref(result);
    return !err;
}

static enum cli_exit change_all(const struct cli_options *options, const struct nodes *nodes,
                                const char *verb, const json_t *requests)
{
    enum cli_exit verdict = CLI_OK;
    json_t *done = json_array(), *request;
    size_t i;
    json_array_foreach(requests, i, request)
    {
        if (!change(options, &nodes->ids[0], verb, request, done)) {
            verdict = CLI_FAILURE;
            break;
        }
    }
    if (options->json)
        nodes_print_json(json_incref(done));
    json_decref(done);
    return verdict;
}

static int run(const struct cli_options *options, const char *verb, bool hosts)
{
    struct nodes nodes;
    json_t *requests = read_words(options, verb, hosts);
    if (!requests)
        return CLI_USAGE;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict == CLI_OK && nodes.count > 1) {
        cli_complain("%s: %zu nodes run here: choose one with -n NAME", verb, nodes.count);
        verdict = CLI_FAILURE;
    } else if (verdict == CLI_OK) {
        verdict = change_all(options, &nodes, verb, requests);
    }
    nodes_free(&nodes);
    json_decref(requests);
    return verdict;
}

int cmd_allow(const struct cli_options *options)
{
    return run(options, "allow", false);
}

int cmd_disallow(const struct cli_options *options)
{
    return run(options, "disallow", false);
}

int cmd_connect(const struct cli_options *options)
{
    return run(options, "connect", true);
}

int cmd_disconnect(const struct cli_options *options)
{
    return run(options, "disconnect", false);
}
