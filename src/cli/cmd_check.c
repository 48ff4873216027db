/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh check: whether a node would start with the configuration file of a name. The node's program reads it, so that
 * nothing is right here and wrong there. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/conf_file.h"
#include "cli/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int cmd_check(const struct cli_options *options)
{
    char path[CONF_FILE_MAX];
    if (conf_file_of("check", options, path))
        return CLI_USAGE;
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
