/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where this node is reached: its candidates, told to peers and to the backbone, and how the backbone sees us, which is
 * asked for with STUN. Control thread. */

#include "node/underlay/reflexive.h"
#include "proto/wire/drop.h"

struct config;
struct device;
struct mesh;
struct record;
struct rendezvous;
struct udp_socket;

/* All borrowed. */
struct addresses_config {
    const struct config *config;
    struct device *device;
    struct mesh *mesh;
    struct udp_socket *socket; /* from which STUN asks */
};

struct addresses {
    struct addresses_config config;
    struct rendezvous *rendezvous; /* NULL: there is none that would register us */
    struct reflexive reflexive;
};

void addresses_init(struct addresses *a, const struct addresses_config *config);

/* From here on our record follows our candidates. Borrowed. */
void addresses_register_by(struct addresses *a, struct rendezvous *r);

/* Candidates may be other ones now: peers and the backbone are told. */
void addresses_announce(struct addresses *a, uint64_t now_us);

/* Interfaces changed: as addresses_announce, and the backbone is asked anew how it sees us. */
void addresses_on_change(struct addresses *a, uint64_t now_us);

/* The backbone answers STUN there; family 0: nowhere that is known. */
void addresses_ask_at(struct addresses *a, const struct addr *server, uint64_t now_us);

/* Asks if it is due. */
void addresses_tick(struct addresses *a, uint64_t now_us);

/* A STUN message that came to our port. What it is dropped for: DROP_NONE when it answers us. */
enum drop addresses_on_stun(struct addresses *a, const struct addr *from, const uint8_t *data, size_t len,
                            uint64_t now_us);

/* How the backbone sees us; family 0: unknown. */
const struct addr *addresses_mapped(const struct addresses *a);

/* Fills our record, but for what rendezvous does. */
void addresses_describe(const struct addresses *a, struct record *record);
