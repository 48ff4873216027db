/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag_values.h"

#include "cli/cli.h"
#include "cli/node_conf.h"
#include "cli/program.h"

#include <string.h>

/* What only the node's program can judge: it complains. */
static bool are_good(const struct cli_options *o)
{
    const char *words[PROGRAM_WORDS_MAX] = {"-check"};
    unsigned count = 1;
    for (unsigned i = 0; i < o->check_count; i++)
        words[count++] = o->check[i];
    if (o->ip) {
        words[count++] = "-ip";
        words[count++] = o->ip;
    }
    pid_t child = count > 1 ? program_start(words, NULL) : 0;
    return child >= 0 && (child == 0 || program_wait(child) == CLI_OK);
}

static bool take(const char *flag, const char *value, struct node_conf *conf)
{
    if (strcmp(flag, "-backbone") == 0 && conf->backbone_count < NODE_CONF_BACKBONES_MAX)
        conf->backbones[conf->backbone_count++] = value;
    else if (strcmp(flag, "-connect") == 0 && conf->dial_count < NODE_CONF_PEERS_MAX)
        conf->dials[conf->dial_count++] = value;
    else if (strcmp(flag, "-allow") == 0 && conf->admit_count < NODE_CONF_PEERS_MAX)
        conf->admits[conf->admit_count++] = value;
    else
        return false;
    return true;
}

bool flag_values_take(const struct cli_options *options, struct node_conf *conf)
{
    if (!are_good(options) || (options->ip && addr_parse(options->ip, 0, &conf->ip) != 0))
        return false;
    for (unsigned i = 0; i < options->check_count; i += 2) {
        if (take(options->check[i], options->check[i + 1], conf))
            continue;
        cli_complain("%s: one too many: write it into the configuration later", options->check[i]);
        return false;
    }
    return true;
}
