/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token_output.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/qr.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void token_output(const json_t *result, bool quiet)
{
    char *token = format_clean(nodes_text(result, "token"));
    printf("%s%s\n", quiet ? "" : "shadowmesh join ", token);
    secret_wipe(token, strlen(token));
    free(token);
}

bool token_output_qr(const json_t *result, const struct cli_options *options)
{
    unsigned columns;
    int err = qr_print(nodes_text(result, "token"), options->colour, options->width, stdout, &columns);
    if (err == ERR_SPACE && columns)
        cli_complain(
            "-qr: the code takes %u columns, and the terminal has %u: make it wider, or its letters smaller",
            columns, options->width);
    else if (err)
        cli_complain("-qr: %s", err == ERR_SPACE ? "the token is too long for a code" : err_str(err));
    return err == 0;
}
