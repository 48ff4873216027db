/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh version: of this program; running nodes tell theirs in `status --json`. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/nodes.h"

#include <stdio.h>

int cmd_version(const struct cli_options *options)
{
    if (options->json)
        nodes_print_json(json_pack("{s:s}", "version", SHADOWMESH_VERSION));
    else
        puts("shadowmesh " SHADOWMESH_VERSION);
    return CLI_OK;
}
