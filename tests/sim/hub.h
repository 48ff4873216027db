/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A mesh with many peers, and what its workers know of them. Real handshakes and keys; no network, no time of its own. */

#include "net/udp.h"
#include "node/data/tables.h"
#include "proto/mesh/mesh.h"

/* A mesh with many peers. Each is a whole mesh itself while it connects, and then stays away without a word; the last
 * one stays. */
struct hub {
    struct mesh *mesh;
    struct tables tables; /* its workers' */
    struct fwd *fwd;
    struct switch_table *sw;
    struct udp_socket socket;
    struct identity *me;
    uint64_t now_us;
    struct mesh *peer;
    struct identity *peer_me;
    struct addr peer_addr;
    uint64_t conn, peer_conn; /* the stream between the two, at either end */
    uint8_t bytes[65536];     /* what the peer sent last, while it is kept back */
    size_t len;
    bool keep;
};

/* A mesh whose node has so many workers, public. Asserts that there is memory. */
struct mesh *hub_start(const struct identity *me, uint8_t lanes);

/* Nobody is there yet. */
void hub_init(struct hub *h, uint8_t lanes);
void hub_fini(struct hub *h); /* without a word */

/* Delivers what the hub and its last peer have to say to each other, until that is nothing more. */
void hub_exchange(struct hub *h);

/* A peer of this number is made, and the hub connects to it. */
void hub_connect(struct hub *h, unsigned number, uint8_t lanes);

/* The last peer goes without a word. */
void hub_leave(struct hub *h);

/* What the hub wants is done for its workers; the rest goes nowhere. */
void hub_for_workers(struct hub *h, const struct mesh_output *o);
