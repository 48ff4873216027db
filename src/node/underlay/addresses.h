/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where this node is reached: its candidates, told to peers and to backbones, and how STUN servers see us, and what that
 * tells of NATs in between. Control thread. */

#include "node/underlay/observers.h"
#include "proto/wire/drop.h"

struct backbones;
struct config;
struct device;
struct mesh;
struct portmap;
struct record;
struct records;
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
    struct backbones *backbones; /* NULL: there is none that would register us */
    struct portmap *portmap;     /* NULL: no router is asked */
    struct records *records;     /* likewise for peers */
    struct observers observers;
    struct addr seen[2 * OBSERVERS_SEEN_MAX]; /* by them, as it was announced */
    unsigned seen_count;
    struct nat nats[2]; /* of IPv4, IPv6 */
};

void addresses_init(struct addresses *a, const struct addresses_config *config);

/* From here on our record follows our candidates. Borrowed. */
void addresses_register_by(struct addresses *a, struct backbones *b);

/* From here on what the router maps is among our candidates. Borrowed; NULL ends it. */
void addresses_map_by(struct addresses *a, struct portmap *p);

/* And so does the one for peers. Borrowed. */
void addresses_tell(struct addresses *a, struct records *r);

/* Candidates may be other ones now: peers and the backbone are told. */
void addresses_announce(struct addresses *a, uint64_t now_us);

/* Interfaces changed: as addresses_announce, and the servers are asked anew how they see us. */
void addresses_on_change(struct addresses *a, uint64_t now_us);

/* The STUN server of this number (observers.h) answers at one address of each family of these; count 0: nowhere that is
 * known. */
void addresses_set_server(struct addresses *a, unsigned number, const struct addr *list, unsigned count,
                          uint64_t now_us);

/* Once a second: asks whom it is due. */
void addresses_tick(struct addresses *a, uint64_t now_us);

/* A STUN message that came to our port. What it is dropped for: DROP_NONE when it answers us. */
enum drop addresses_on_stun(struct addresses *a, const struct addr *from, const uint8_t *data, size_t len,
                            uint64_t now_us);

/* The first of the addresses at which STUN servers see us; family 0: none. */
const struct addr *addresses_mapped(const struct addresses *a);

/* At how many addresses STUN servers see us; borrowed. */
unsigned addresses_seen(const struct addresses *a, const struct addr **out);

/* A STUN server that answers, IPv4 before IPv6; family 0: none does. Borrowed. */
const struct addr *addresses_stun_server(const struct addresses *a);

/* Those that answer; returns how many were copied. */
unsigned addresses_stun_servers(const struct addresses *a, struct addr *out, unsigned cap);

/* What else was found out about the NATs of a family: filtering and hairpin. */
void addresses_learn_nat(struct addresses *a, unsigned family, const struct nat *found);

/* What they tell of the NATs on the way of a family: 4 or 6. Borrowed. */
const struct nat *addresses_nat(const struct addresses *a, unsigned family);

/* Fills our record, but for what rendezvous does. */
void addresses_describe(const struct addresses *a, struct record *record);
