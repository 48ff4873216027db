/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to peers, as lines for the person who runs the node. Control thread. */

#include "base/clock.h"
#include "node/node.h"
#include <stdio.h>

#define LIMIT_US 1000000ull /* between lines that a stranger can cause */

/* "site-b (a1b2c3d4e5)", or the id alone. */
static const char *who(const struct node_id *id, const char *name, char *out, size_t size)
{
    char hex[ID_TEXT_MAX];
    id_format(id, hex);
    if (name[0])
        snprintf(out, size, "%s (%.10s)", name, hex);
    else
        snprintf(out, size, "%s", hex);
    return out;
}

static void limited(struct log_limit *limit, const char *line)
{
    uint64_t withheld;
    if (!log_limit_pass(limit, clock_monotonic_us(), LIMIT_US, &withheld))
        return;
    if (withheld)
        log_warn("%s (and %llu like it)", line, (unsigned long long)withheld);
    else
        log_warn("%s", line);
}

void report_notice(struct node *n, enum mesh_notice what, const struct node_id *id, const char *name,
                   const char *text)
{
    char peer[ID_TEXT_MAX + MESSAGE_NAME_MAX + 8], line[640];
    who(id, name, peer, sizeof peer);
    switch (what) {
    case MESH_NOTICE_CONNECTED:
        log_info("peer %s: connected, %s", peer, text);
        break;
    case MESH_NOTICE_PATH:
        log_info("peer %s: path %s", peer, text);
        break;
    case MESH_NOTICE_LOST:
        log_warn("peer %s: disconnected: %s", peer, text);
        break;
    case MESH_NOTICE_FAILED:
        log_warn("peer %s: not reached: %s; trying on", peer, text);
        break;
    case MESH_NOTICE_REFUSED_US:
        log_error("peer %s: refused us: %s", peer, text);
        break;
    case MESH_NOTICE_REFUSED:
        snprintf(line, sizeof line, "peer %s: refused, at %s", peer, text);
        limited(&n->refused_limit, line);
        break;
    case MESH_NOTICE_HANDSHAKE:
        log_debug("peer %s: new handshake, %s", peer, text);
        break;
    case MESH_NOTICE_STALE:
        log_warn("peer %s: has not proven its key for %s, though asked to: update or restart it, or take it "
                 "off the lists",
                 peer, text);
        break;
    }
}
