/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/leaving.h"

#include "base/clock.h"
#include "crypto/identity.h"
#include "node/api/api.h"
#include "node/command/rosters.h"
#include "node/network/registry.h"
#include "proto/mesh/mesh.h"
#include "proto/network/rolls.h"

static const char *state_name(enum mesh_leaving state)
{
    switch (state) {
    case MESH_LEAVE_NOBODY:
        return "nobody";
    case MESH_LEAVE_ASKED:
        return "asked";
    case MESH_LEFT:
        return "left";
    }
    return "";
}

void leaving_ask(struct rosters *r, struct api_call *call)
{
    struct node_id issuer;
    if (!r->registry) {
        api_fail(call, "leave: this node is no member of a network");
        return;
    }
    const struct rolls *rolls = registry_rolls(r->registry);
    if (rolls_issuer(rolls, identity_id(r->me))) {
        api_reply(call, json_pack("{s:s, s:s}", "state", "issuer", "issuer", ""));
        return;
    }
    enum mesh_leaving state = mesh_leave(r->mesh, &issuer, clock_monotonic_us());
    const struct rolls_member *m = state == MESH_LEAVE_NOBODY ? NULL : rolls_find(rolls, &issuer);
    api_reply(call, json_pack("{s:s, s:s}", "state", state_name(state), "issuer", m ? m->is.name : ""));
}
