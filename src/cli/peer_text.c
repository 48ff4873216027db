/* SPDX-License-Identifier: Apache-2.0 */
/* A peer of a node in words. */
#include "cli/peer_text.h"

#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>

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
    return join(nodes_text(path, "kind"), " ", nodes_text(path, "remote"));
}

char *peer_text_path(const json_t *peer)
{
    const json_t *path = json_object_get(peer, "path");
    if (json_is_object(path))
        return peer_text_carrier(path);
    return join(nodes_text(peer, "state"), ": ", nodes_text(peer, "error"));
}
