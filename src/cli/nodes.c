/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the nodes that run here and asks them; reads what they answer without trusting its shape. */
#include "cli/nodes.h"

#include "base/addr.h"
#include "cli/api_client.h"
#include "cli/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 3000

const char *nodes_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double nodes_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : -1;
}

/* "10.10.10.4" or "10.10.10.4/24" of an object that says the latter. */
static bool has_address(const json_t *object, const char *text)
{
    struct addr wanted, own;
    size_t index;
    json_t *entry;
    if (addr_parse(text, 0, &wanted) != 0 || wanted.port != 0)
        return false;
    json_array_foreach(json_object_get(object, "addresses"), index, entry)
    {
        char host[ADDR_TEXT_MAX];
        const char *prefix = json_is_string(entry) ? json_string_value(entry) : "";
        snprintf(host, sizeof(host), "%.*s", (int)strcspn(prefix, "/"), prefix);
        if (addr_parse(host, 0, &own) == 0 && addr_same_host(&own, &wanted))
            return true;
    }
    return false;
}

bool nodes_match(const json_t *object, const char *text)
{
    size_t len = strlen(text);
    return has_address(object, text) || strcmp(nodes_text(object, "name"), text) == 0 ||
           (len >= NODES_PREFIX_MIN && strncasecmp(nodes_text(object, "id"), text, len) == 0);
}

const char *nodes_id(const struct cli_options *options, const char *id, char *out)
{
    snprintf(out, ID_TEXT_MAX, "%.*s", options->whole ? ID_HEX_LEN : 10, id);
    return out;
}

char *nodes_addresses(const json_t *object)
{
    size_t index, len = 0;
    json_t *entry;
    char *out = NULL;
    FILE *text = open_memstream(&out, &len);
    if (!text)
        abort();
    json_array_foreach(json_object_get(object, "addresses"), index, entry)
        fprintf(text, "%s%s", index ? ", " : "", json_is_string(entry) ? json_string_value(entry) : "?");
    fclose(text);
    return out;
}

void nodes_print_json(json_t *root)
{
    json_dumpf(root, stdout,
               JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII); /* a terminal may read it */
    putchar('\n');
    json_decref(root);
}

void nodes_complain(const struct cli_options *options, const struct node_id *id, int err, const char *error)
{
    char hex[ID_TEXT_MAX];
    id_format(id, hex);
    if (err == ERR_PERMISSION)
        cli_complain(
            "the node %s may be read only by root, the user that runs it and the group shadowmesh: try "
            "sudo",
            hex);
    else if (err == ERR_AGAIN)
        cli_complain("the node %s does not answer: it hangs or is stopped", hex);
    else if (err == ERR_NOT_FOUND)
        cli_complain("the node %s refuses: %s", hex, error);
    else
        cli_complain("the node %s in %s cannot be asked: %s", hex, options->run_dir,
                     err == ERR_IO ? strerror(errno) : err_str(err));
}

static int compare_peers(const void *a, const void *b)
{
    const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;
    int order = strcasecmp(nodes_text(left, "name"), nodes_text(right, "name"));
    return order ? order : strcmp(nodes_text(left, "id"), nodes_text(right, "id"));
}

/* By name, then id: a node tells its peers in the order in which it met them. */
static void sort_peers(json_t *node)
{
    json_t *list = json_object_get(node, "peers");
    size_t count = json_array_size(list);
    if (count < 2)
        return;
    json_t **peers = calloc(count, sizeof(*peers));
    if (!peers)
        abort();
    for (size_t i = 0; i < count; i++)
        peers[i] = json_incref(json_array_get(list, i));
    qsort(peers, count, sizeof(*peers), compare_peers);
    for (size_t i = 0; i < count; i++)
        json_array_set_new(list, i, peers[i]);
    free(peers);
}

/* A socket that a dead process left is no node: it is passed over in silence. */
static void collect_one(const struct cli_options *options, const struct node_id *id, struct nodes *out)
{
    char error[API_ERROR_MAX];
    json_t *status = NULL;
    int err = api_client_read(options->run_dir, id, json_pack("{s:s}", "cmd", "status"), TIMEOUT_MS, &status,
                              error);
    if (!err && json_is_object(status)) {
        if (!options->node || nodes_match(status, options->node)) {
            out->ids[out->count++] = *id;
            sort_peers(status);
            json_array_append(out->list, status);
        }
    } else if (err != ERR_CLOSED) {
        nodes_complain(options, id, err ? err : ERR_FORMAT, error);
        out->partial = true;
    }
    json_decref(status);
}

static enum cli_exit judge(const struct cli_options *options, struct nodes *out)
{
    if (out->count == 0 && out->partial)
        return CLI_FAILURE;
    if (out->count == 0 && options->node)
        cli_complain("no node \"%s\" runs here: `shadowmesh status` lists those that do", options->node);
    else if (out->count == 0)
        cli_complain("no node runs here (none in %s): start one, see `shadowmesh-l2 -help`",
                     options->run_dir);
    if (out->count == 0)
        return CLI_NO_NODE;
    if (options->node && out->count > 1) {
        cli_complain("-n %s: %zu nodes fit: give more digits of the id", options->node, out->count);
        return CLI_FAILURE;
    }
    return CLI_OK;
}

enum cli_exit nodes_collect(const struct cli_options *options, struct nodes *out)
{
    struct node_id *found = NULL;
    size_t count = 0;
    *out = (struct nodes){0};
    int err = api_client_list(options->run_dir, &found, &count);
    if (err) {
        cli_complain("%s cannot be read: %s", options->run_dir, strerror(errno));
        return CLI_FAILURE;
    }
    out->ids = calloc(count + 1, sizeof(*out->ids));
    out->list = json_array();
    if (!out->ids || !out->list)
        abort();
    for (size_t i = 0; i < count; i++)
        collect_one(options, &found[i], out);
    free(found);
    enum cli_exit verdict = judge(options, out);
    if (verdict != CLI_OK)
        nodes_free(out);
    return verdict;
}

void nodes_free(struct nodes *nodes)
{
    free(nodes->ids);
    json_decref(nodes->list);
    *nodes = (struct nodes){0};
}

/* ---- verbs that list ---- */

/* Makes entries the node's own; false when it complained. */
static bool ask(const struct cli_options *options, const struct node_id *id, const char *command,
                json_t *node)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    int err =
        api_client_read(options->run_dir, id, json_pack("{s:s}", "cmd", command), TIMEOUT_MS, &result, error);
    if (err)
        nodes_complain(options, id, err, error);
    else
        json_object_set(node, "entries", json_object_get(result, "entries"));
    json_decref(result);
    return !err;
}

static void ask_all(const struct cli_options *options, struct nodes *nodes, const char *command)
{
    size_t kept = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        if (ask(options, &nodes->ids[i], command, json_array_get(nodes->list, kept))) {
            nodes->ids[kept++] = nodes->ids[i];
        } else {
            json_array_remove(nodes->list, kept);
            nodes->partial = true;
        }
    }
    nodes->count = kept;
}

/* Every item of every node, each told whose it is. */
static json_t *flatten(const json_t *nodes, const char *member)
{
    json_t *out = json_array(), *node, *item;
    size_t i, j;
    json_array_foreach(nodes, i, node)
    {
        json_array_foreach(json_object_get(node, member), j, item)
        {
            if (json_object_set(item, "node", json_object_get(node, "id")) == 0)
                json_array_append(out, item);
        }
    }
    return out;
}

static void print_all(const struct cli_options *options, const struct nodes *nodes,
                      const struct nodes_listing *listing, bool titled)
{
    size_t index;
    json_t *node;
    json_array_foreach(nodes->list, index, node)
    {
        fputs(index ? "\n" : "", stdout);
        listing->print(options, node, titled);
    }
}

enum cli_exit nodes_show(const struct cli_options *options, const struct nodes_listing *listing)
{
    struct nodes nodes;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict != CLI_OK) {
        if (options->json && verdict == CLI_NO_NODE)
            nodes_print_json(json_array());
        return verdict;
    }
    bool titled = nodes.count > 1;
    if (listing->command)
        ask_all(options, &nodes, listing->command);
    if (!options->json)
        print_all(options, &nodes, listing, titled);
    else if (listing->member)
        nodes_print_json(flatten(nodes.list, listing->member));
    else
        nodes_print_json(json_incref(nodes.list));
    verdict = nodes.partial ? CLI_FAILURE : CLI_OK;
    nodes_free(&nodes);
    return verdict;
}
