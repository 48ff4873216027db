/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh check: whether a node would start with the configuration file of a name. The node's program reads it, so that
 * nothing is right here and wrong there. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FOLDER    "/etc/shadowmesh"
#define FILE_NAME "node.conf"

/* The file of a word: itself where it is a path, else that of the node with this name. */
static int file_of(const char *word, char *out, size_t size)
{
    int len = strchr(word, '/') ? snprintf(out, size, "%s", word)
                                : snprintf(out, size, FOLDER "/%s/" FILE_NAME, word);
    return len < 0 || (size_t)len >= size ? -1 : 0;
}

int cmd_check(const struct cli_options *options)
{
    char path[4096];
    if (file_of(options->words[0], path, sizeof(path))) {
        cli_complain("check: this name is too long");
        return CLI_USAGE;
    }
    pid_t child = program_start((const char *const[]){"-config", path, "-check", NULL}, NULL);
    if (child < 0) {
        cli_complain("shadowmesh-l2 cannot be run: %s", strerror(errno));
        return CLI_FAILURE;
    }
    int code = program_wait(child);
    if (code == CLI_OK)
        printf("%s: nothing is wrong\n", path);
    return code;
}
