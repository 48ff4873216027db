/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/own_name.h"

#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FALLBACK "node"

/* The first label of the host's name: what no name service takes becomes "-". */
static void from_host(char out[CERT_LABEL_MAX])
{
    char host[256] = "";
    size_t len = 0;
    (void)!gethostname(host, sizeof(host) - 1);
    for (const char *at = host; *at && *at != '.' && len < CERT_LABEL_MAX - 1; at++)
        out[len++] =
            isalnum((unsigned char)*at) && (unsigned char)*at < 128 ? (char)tolower((unsigned char)*at) : '-';
    while (len && out[len - 1] == '-')
        len--;
    out[len] = '\0';
    if (!cert_name_ok(out))
        strcpy(out, FALLBACK);
}

const char *own_name_choose(const char *chosen, char out[CERT_LABEL_MAX])
{
    if (!chosen) {
        from_host(out);
        return out;
    }
    if (cert_name_ok(chosen)) {
        snprintf(out, CERT_LABEL_MAX, "%s", chosen);
        return out;
    }
    cli_complain("-name %s: no name: give letters a to z, digits and -, at most 63, as in berlin", chosen);
    return NULL;
}
