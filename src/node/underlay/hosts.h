/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The hosts at which a person told us to dial peers: addresses, or names, which are looked up. Control thread. */

#include "base/err.h"
#include "base/id.h"
#include <stdbool.h>

struct config_connect;
struct mesh;
struct name_client;

#define HOSTS_PER_PEER 8

struct hosts {
    struct mesh *mesh;         /* learns the addresses */
    struct name_client *names; /* looks names up */
    bool directory;            /* a backbone may know a peer whose names nobody does */
    struct host *first;        /* of all peers */
};

/* Borrows mesh and names. */
void hosts_init(struct hosts *hs, struct mesh *mesh, struct name_client *names, bool directory);

/* One more host of a peer; one that it has already is no error. The mesh learns its addresses, now or once they are found.
 * ERR_SPACE, ERR_NOMEM. */
int hosts_add(struct hosts *hs, const struct config_connect *connect) must_check;

/* All hosts of a peer. */
void hosts_remove(struct hosts *hs, const struct node_id *id);

/* Names may have come to mean other addresses: those of peers that are not connected are looked up
 * anew, when that is due. */
void hosts_tick(struct hosts *hs);

/* Names that failed are looked up anew at the next tick. */
void hosts_forget_failures(struct hosts *hs);

/* Once the loop has run out. */
void hosts_fini(struct hosts *hs);
