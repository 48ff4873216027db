/* SPDX-License-Identifier: Apache-2.0 */
/* A peer of a node in words. */
#include "cli/peer_text.h"

#include "cli/format.h"
#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *join(const char *a, const char *between, const char *b)
{
    char *out = NULL;
    if (asprintf(&out, "%s%s%s", a, b[0] ? between : "", b) < 0)
        abort();
    return out;
}

char *peer_text_carrier(const json_t *path)
{
    if (!json_is_object(path))
        return join("-", "", "");
    char *where = join(nodes_text(path, "kind"), " ", nodes_text(path, "remote"));
    char *text = join(where, " by ", nodes_text(path, "interface"));
    free(where);
    return text;
}

static bool has_carrier(const json_t *peer)
{
    return json_is_object(json_object_get(peer, "path")) && strcmp(nodes_text(peer, "state"), "no path") != 0;
}

char *peer_text_path(const json_t *peer)
{
    if (has_carrier(peer))
        return peer_text_carrier(json_object_get(peer, "path"));
    char since[FORMAT_MAX + 16] = "", age[FORMAT_MAX];
    double age_s = nodes_number(peer, "state_age_s");
    if (age_s >= 0)
        snprintf(since, sizeof(since), " for %s", format_age(age_s, age));
    return join(nodes_text(peer, "state"), "", since);
}

const char *peer_text_error(const json_t *peer)
{
    return has_carrier(peer) ? "" : nodes_text(peer, "error");
}
