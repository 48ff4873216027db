/* SPDX-License-Identifier: Apache-2.0 */
/* Looks the session up as the mesh does, without a walk: simulations count what a datagram costs. */

#include "control_datagram.h"

#include "proto/mesh/mesh_state.h"
#include "proto/wire/wire.h"

enum drop control_datagram(struct mesh *m, const struct endpoint *from, uint8_t *data, size_t len,
                           uint64_t now_us)
{
    struct wire_header h;
    uint8_t *plain;
    size_t plain_len;
    enum drop drop = wire_header_decode(data, len, &h);
    if (drop)
        return drop;
    const struct mesh_receiver *r = table_get(m->receivers, h.receiver);
    if (!r || !r->session)
        return DROP_RECEIVER;
    drop = session_open(r->session, &h, data, len, &plain, &plain_len);
    return drop ? drop : mesh_on_opened(m, session_peer_slot(r->session), from, data, len, now_us);
}
