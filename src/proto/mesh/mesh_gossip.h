/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Signed records of peers, kept and passed on between peers: how members find each other without a backbone. */

#include "base/bucket.h"
#include "base/slot_set.h"
#include "proto/message/message.h"
#include "proto/wire/drop.h"
#include <stdint.h>

#define MESH_GOSSIP_ASKS_MAX 64

struct kept_record;
struct link;
struct mesh;
struct peer;

/* Its state; in the mesh. */
struct mesh_gossip {
    struct kept_record *own;      /* ours; NULL while there is none */
    size_t kept;                  /* bytes of all that are kept */
    struct slot_set visitors;     /* peers to be asked for their own records, and for whom else we seek */
    uint8_t visits[SLOT_SET_MAX]; /* of each how often still: what asks, and what answers, may be lost */
    unsigned source, sought;      /* slots: who is asked next, and for whom; */
    unsigned seen;                /* of this round so many had their turn */
    uint64_t at_us, period_us;    /* when; TIME_NEVER: nobody is sought */
    uint64_t sought_us;           /* when we last looked for who is sought */
    struct bucket answers;        /* records that we may send */
    struct mesh_ask {             /* a question without an answer */
        struct node_id id;
        uint32_t slot; /* who was asked */
        uint64_t until_us;
    } asks[MESH_GOSSIP_ASKS_MAX];
    unsigned ask_at;
};

void mesh_gossip_fini(struct mesh *m);

/* Datagrams pass between us, or it has told new addresses: its record may be another one now. */
void mesh_gossip_on_open(struct mesh *m, const struct peer *p, uint64_t now_us);
void mesh_gossip_on_moved(struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count,
                          uint64_t now_us);

/* Somebody's addresses are needed, who was not sought before; and who was. */
void mesh_gossip_on_want(struct mesh *m);
void mesh_gossip_still_want(struct mesh *m);

/* SEEK and RECORD, sealed. */
enum drop mesh_on_seek(struct mesh *m, struct link *l, const struct message *seek, uint64_t now_us);
enum drop mesh_on_passed(struct mesh *m, const struct link *l, const struct message *record, uint64_t now_us);

/* Of a peer that is forgotten. */
void mesh_gossip_forget(struct mesh *m, const struct peer *p);

void mesh_gossip_tick(struct mesh *m, uint64_t now_us);
uint64_t mesh_gossip_due(const struct mesh *m);
