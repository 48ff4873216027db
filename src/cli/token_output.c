/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token_output.h"

#include "cli/format.h"
#include "cli/nodes.h"
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
