/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh down: this machine's node in a network ends, and does not come again by itself; its files stay. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/place.h"
#include "cli/service.h"

#include <stdio.h>

int cmd_down(const struct cli_options *options)
{
    struct place p;
    bool ran;
    const char *wrong = place_init(options, options->words[0], &p);
    if (wrong) {
        cli_complain("down %s: %s", options->words[0], wrong);
        return CLI_USAGE;
    }
    if (!place_exists(&p)) {
        cli_complain("there is no network %s here: %s is missing", p.network, p.conf);
        return CLI_NO_NODE;
    }
    if (!service_stop(&p, &ran))
        return CLI_FAILURE;
    printf("network %s: %s; `shadowmesh up %s` starts it again\n", p.network, ran ? "stopped" : "did not run",
           p.network);
    return CLI_OK;
}
