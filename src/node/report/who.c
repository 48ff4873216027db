/* SPDX-License-Identifier: Apache-2.0 */
/* Names are the peers' own words: the id beside one tells who it is. */

#include "node/report/who.h"

#include "proto/mesh/mesh.h"
#include <stdio.h>

const char *who_format(const struct node_id *id, const char *name, char out[WHO_TEXT_MAX])
{
    char hex[ID_TEXT_MAX];
    id_format(id, hex);
    if (name[0])
        snprintf(out, WHO_TEXT_MAX, "%s (%.10s)", name, hex);
    else
        snprintf(out, WHO_TEXT_MAX, "%s", hex);
    return out;
}

const char *who_is_in(const struct mesh *m, int slot, char out[WHO_TEXT_MAX])
{
    struct node_id id;
    const char *name;
    if (slot >= 0 && mesh_peer_name(m, (uint32_t)slot, &id, &name))
        return who_format(&id, name, out);
    snprintf(out, WHO_TEXT_MAX, "that is gone");
    return out;
}
