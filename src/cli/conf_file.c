/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/conf_file.h"

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define FOLDER    "/etc/shadowmesh"
#define FILE_NAME "node.conf"

int conf_file_of(const char *verb, const char *word, char out[CONF_FILE_MAX])
{
    int len = strchr(word, '/') ? snprintf(out, CONF_FILE_MAX, "%s", word)
                                : snprintf(out, CONF_FILE_MAX, FOLDER "/%s/" FILE_NAME, word);
    if (len >= 0 && len < CONF_FILE_MAX)
        return 0;
    cli_complain("%s: this name is too long", verb);
    return ERR_SPACE;
}
