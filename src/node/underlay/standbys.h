/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where peers reach us by our standbys (proto/path/ways.h): their IPv6 addresses, and how a STUN server sees us when it is
 * asked by one, which also keeps a NAT's mapping there. Told to the mesh. docs/PROTOCOL.md §10. Control thread. */

#include "node/underlay/reflexive.h"
#include "proto/path/ways.h"

struct device;
struct mesh;
struct udp_socket;

/* All borrowed. */
struct standbys_config {
    struct device *device;
    struct mesh *mesh;
    struct udp_socket *socket; /* from which STUN asks */
};

struct standbys {
    struct standbys_config config;
    unsigned count;
    struct standby {
        uint32_t interface;
        struct reflexive seen;
    } list[STANDBYS_MAX]; /* of IPv4 */
};

void standbys_init(struct standbys *s, const struct standbys_config *config);

/* Ways or addresses changed. */
void standbys_on_change(struct standbys *s, uint64_t now_us);

/* Once a second: asks whom it is due. server: one that answers; without family: none is known. */
void standbys_tick(struct standbys *s, const struct addr *server, uint64_t now_us);

/* A STUN message that came to our port. True when it answered us. */
bool standbys_on_stun(struct standbys *s, const struct addr *from, const uint8_t *data, size_t len,
                      uint64_t now_us);
