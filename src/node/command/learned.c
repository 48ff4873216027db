/* SPDX-License-Identifier: Apache-2.0 */
/* The switch is read in pieces, as fast as the caller takes them: 50,000 addresses are no single turn of the loop. */

#include "node/command/learned.h"

#include "base/clock.h"
#include "base/hex.h"
#include "node/api/api.h"
#include "node/command/describe.h"
#include "proto/mesh/mesh.h"
#include "proto/switch/switch.h"
#include <stdlib.h>

static json_t *describe_entry(const struct mesh *m, const struct switch_entry *e)
{
    char mac[MAC_TEXT_MAX];
    struct node_id id;
    const char *name;
    json_t *entry =
        json_pack("{s:s, s:i, s:s, s:i}", "mac", mac_format(e->mac, mac), "vlan", (int)e->vlan, "port",
                  e->port == SWITCH_PORT_DEVICE ? "device" : "peer", "age_s", (int)e->age_s);
    if (e->port != SWITCH_PORT_DEVICE && mesh_peer_name(m, (uint32_t)e->port, &id, &name)) {
        json_object_set_new(entry, "peer_id", describe_id(&id));
        json_object_set_new(entry, "peer_name", json_string(name));
    }
    return entry;
}

/* How far a caller has been told. */
struct fdb_cursor {
    struct switch_table *sw;
    const struct mesh *mesh;
    uint64_t at; /* of switch_list */
    struct switch_entry piece[API_LIST_PIECE];
    size_t count, next; /* in piece */
};

static json_t *next_entry(void *context)
{
    struct fdb_cursor *c = context;
    if (c->next == c->count) {
        c->count = switch_list(c->sw, clock_monotonic_us(), &c->at, c->piece, API_LIST_PIECE);
        c->next = 0;
    }
    return c->next < c->count ? describe_entry(c->mesh, &c->piece[c->next++]) : NULL;
}

void learned_tell(struct switch_table *sw, const struct mesh *mesh, struct api_call *call)
{
    struct fdb_cursor *c = calloc(1, sizeof(*c));
    if (!c) {
        api_fail(call, "out of memory");
        return;
    }
    c->sw = sw;
    c->mesh = mesh;
    api_reply_list(call, &(struct api_list){"entries", next_entry, free, c});
}
