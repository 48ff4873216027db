/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's lists among connected peers: told, asked for, passed on; and what follows from them for the peers that we have. */

#include "base/bucket.h"
#include "base/err.h"
#include "base/slot_set.h"
#include "proto/message/message.h"
#include "proto/wire/drop.h"
#include <stddef.h>
#include <stdint.h>

struct exchange;
struct link;
struct mesh;
struct peer;

/* Its state; in the mesh. */
struct mesh_rolls {
    struct exchange *exchange; /* NULL: there is no network */
    uint64_t version;          /* of the rolls, as it was acted upon; … */
    bool acting;               /* … which is being done: they do not change */
    struct node_id *enrolled;  /* members by the rosters, in ascending order */
    size_t enrolled_count;
    struct slot_set hearers;     /* who is to be told what we hold … */
    uint8_t times[SLOT_SET_MAX]; /* … so often still: each time may be lost */
    unsigned pass;               /* of them so many in this pass … */
    uint64_t told_us;            /* … which began then … */
    bool fresh;                  /* … when somebody had to wait for the next … */
    uint64_t at_us;              /* … and goes on then; TIME_NEVER: nobody */
    struct bucket parts;         /* that we may send, to all */
    uint64_t clock_us;           /* when the clock is looked at next */
    uint64_t old_us;             /* since when what we know of revoked keys is old; 0: it is fresh */
};

/* ERR_NOMEM. */
int mesh_rolls_init(struct mesh *m) must_check;
void mesh_rolls_fini(struct mesh *m);

/* True when its key is shut out of our network. */
bool mesh_is_revoked(const struct mesh *m, const struct node_id *id);
/* Of a link that is identified: true when that is so, or, where what we know is old, may be so; it is refused, and l is gone. */
bool mesh_refuses_revoked(struct mesh *m, struct link *l, uint64_t now_us);

/* It has a new session, or datagrams pass under one. */
void mesh_rolls_on_open(struct mesh *m, const struct peer *p, uint64_t now_us);
/* They pass no more, nor will under this session. */
void mesh_rolls_on_lost(struct mesh *m, const struct peer *p);

/* LISTS, LIST_ASK and LIST_PART, sealed. */
enum drop mesh_on_list(struct mesh *m, struct link *l, const struct message *message, uint64_t now_us);

void mesh_rolls_tick(struct mesh *m, uint64_t now_us);
uint64_t mesh_rolls_due(const struct mesh *m);
