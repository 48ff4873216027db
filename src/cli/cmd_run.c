/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh run: a command in the network of a node that runs without root. It ends with the node. */
#include "cli/cmd.h"

#include "cli/brood.h"
#include "cli/cli.h"
#include "cli/inside.h"
#include "cli/inside_names.h"
#include "cli/nodes.h"

#include <errno.h>
#include <string.h>

/* Its own name, or its network's. */
static bool is_meant(const json_t *node, const char *word)
{
    return !word || nodes_match(node, word) ||
           strcmp(nodes_text(json_object_get(node, "network"), "name"), word) == 0;
}

/* The node that is meant. */
struct target {
    pid_t holder; /* of its namespaces */
    bool has_names;
    char names[INSIDE_NAMES_MAX];
};

/* The holder of its namespaces; 0 where it has none. */
static pid_t holder_of(const json_t *node)
{
    double pid = nodes_number(json_object_get(node, "rootless"), "process");
    return pid > 0 && pid < 0x7fffffff ? (pid_t)pid : 0;
}

static enum cli_exit choose(const struct nodes *nodes, const char *word, struct target *out)
{
    unsigned meant = 0, fit = 0;
    size_t index;
    json_t *node;
    json_array_foreach(nodes->list, index, node)
    {
        pid_t pid = holder_of(node);
        meant += is_meant(node, word);
        if (is_meant(node, word) && pid) {
            out->holder = pid;
            out->has_names = inside_names_text(node, out->names);
            fit++;
        }
    }
    if (fit == 1)
        return CLI_OK;
    if (fit > 1)
        cli_complain("run: %u nodes fit: shadowmesh run NODE -- CMD", fit);
    else if (meant)
        cli_complain(
            "run: that node's device is this machine's: every program here is in its network already");
    else
        cli_complain("run: no node \"%s\" runs here: `shadowmesh status` lists those that do", word);
    return fit > 1 ? CLI_FAILURE : CLI_NO_NODE;
}

static enum cli_exit find(const struct cli_options *options, struct target *out)
{
    struct nodes nodes;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict != CLI_OK)
        return verdict;
    verdict = choose(&nodes, options->word_count ? options->words[0] : NULL, out);
    nodes_free(&nodes);
    return verdict;
}

static int run_inside(const char *const *command, const struct inside *in)
{
    bool gone;
    pid_t pid = brood_start(command, in);
    if (pid < 0) {
        cli_complain("run: %s", strerror(errno));
        return CLI_FAILURE;
    }
    int code = brood_wait(pid, in->holder, &gone);
    brood_end();
    if (gone)
        cli_complain("run: the node has ended, and %s with it", command[0]);
    return gone ? CLI_FAILURE : code;
}

int cmd_run(const struct cli_options *options)
{
    char wrong[INSIDE_WRONG_MAX];
    struct inside in;
    struct target target;
    if (!options->command) {
        cli_complain("run needs a command: shadowmesh run [NODE] -- CMD");
        return CLI_USAGE;
    }
    enum cli_exit verdict = find(options, &target);
    if (verdict != CLI_OK)
        return verdict;
    if (!inside_open(target.holder, &in, wrong)) {
        cli_complain("run: %s", wrong);
        return CLI_FAILURE;
    }
    in.names = target.has_names ? target.names : NULL;
    in.folder = options->run_dir;
    int code = run_inside(options->command, &in);
    inside_close(&in);
    return code;
}
