/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conf_file.h"

#include "cli/cli.h"
#include "cli/place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Absolute, as `shadowmesh up` hands it to the node. */
static int below_etc(const char *etc, const char *name, char out[CONF_FILE_MAX])
{
    char here[CONF_FILE_MAX] = "";
    bool relative = etc[0] != '/';
    if (relative && !getcwd(here, sizeof(here)))
        return -1;
    return snprintf(out, CONF_FILE_MAX, "%s%s%s/%s/" PLACE_CONF, here, relative ? "/" : "", etc, name);
}

int conf_file_of(const char *verb, const struct cli_options *options, char out[CONF_FILE_MAX])
{
    const char *word = options->words[0];
    int len =
        strchr(word, '/') ? snprintf(out, CONF_FILE_MAX, "%s", word) : below_etc(options->etc_dir, word, out);
    if (len >= 0 && len < CONF_FILE_MAX)
        return 0;
    cli_complain("%s: this name is too long", verb);
    return ERR_SPACE;
}
