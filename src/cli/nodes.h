/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The nodes that run here, as they describe themselves. */

#include "base/id.h"
#include "cli/cli.h"
#include <jansson.h>
#include <stddef.h>

struct nodes {
    size_t count;
    struct node_id *ids;
    json_t *list; /* a node object each, as status answers, in the order of ids; its peers by name */
    bool partial; /* a node that runs did not answer: it was complained about */
};

/* Asks every node, or the one that -n names. CLI_OK with at least one node, for the caller to free; otherwise
 * it has complained, *out is empty and needs no nodes_free. */
enum cli_exit nodes_collect(const struct cli_options *options, struct nodes *out);
void nodes_free(struct nodes *nodes);

#define NODES_PREFIX_MIN 3 /* digits of an id; fewer could as well be a name */

/* True when text is the name of object, a prefix of its id, or one of its overlay addresses. */
bool nodes_match(const json_t *object, const char *text);

/* Says why a node did not answer: err and error as of api_client_call. */
void nodes_complain(const struct cli_options *options, const struct node_id *id, int err, const char *error);

/* The id of object for people: 10 digits, or 40 with -l. out holds ID_TEXT_MAX. */
const char *nodes_id(const struct cli_options *options, const char *id, char *out);

/* "10.10.10.3/24, fd00::3/64", for the caller to free. */
char *nodes_addresses(const json_t *object);

/* The member of object as text; "" when it has none. Borrowed. */
const char *nodes_text(const json_t *object, const char *key);

/* The member of object as a number; -1 when it has none. */
double nodes_number(const json_t *object, const char *key);

/* Prints root, indented, and decrefs it. */
void nodes_print_json(json_t *root);

/* How a verb that lists shows what it lists. */
struct nodes_listing {
    const char
        *command; /* asked of every node, whose "entries" then are the node's; NULL: status has it all */
    const char *member; /* the node's list that --json flattens over all nodes; NULL: --json shows nodes */
    void (*print)(const struct cli_options *options, json_t *node, bool titled);
};

/* Such a verb, whole: collects, asks, and prints the nodes, or JSON, which is an empty array where no node
 * runs. What a node does not answer is missing, complained about, and a CLI_FAILURE. */
enum cli_exit nodes_show(const struct cli_options *options, const struct nodes_listing *listing);
