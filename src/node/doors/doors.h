/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's side of its doors (-forward, -listen, -socks, -http-proxy): the process that serves them is told what is the mesh, asks for names,
 * and is believed in what it counts. Control thread. */

#include "node/doors/doors_counts.h"
#include "node/doors/door_sockets.h"
#include "node/doors/mesh_side.h"
#include <uv.h>

#define DOORS_TITLE "doors" /* what the process does, for the log */

struct doors;

/* Names that control looks for: a burst of connections, and then so many a second. More have none. */
#define DOORS_NAMES_BURST  1024
#define DOORS_NAMES_SECOND 500

struct name_client;

struct doors_config {
    uv_loop_t *loop;
    struct mesh_side mesh;
    const struct door_sockets *sockets; /* of the mesh, which each process is handed. Borrowed */
    struct name_client *names;          /* looks up what is no member's name; NULL: nobody does */
    /* The addresses of the member of that name, MESH_SIDE_PREFIXES_MAX at most; 0: there is none. */
    unsigned (*find)(const void *context, const char *name, struct addr *out);
    const void *context;
};

/* Takes fd, the node's end of the channel, also on an error: ERR_NOMEM. */
int doors_new(const struct doors_config *config, int fd, struct doors **out) must_check;

/* The mesh has other addresses. NULL is allowed. */
void doors_tell_mesh(struct doors *d, const struct mesh_side *mesh);

/* As it told a second ago at most; of a process that died nothing is left. Borrowed. */
const struct doors_counts *doors_counts(const struct doors *d);

/* The process ends, and with it all connections. NULL is allowed. */
void doors_close(struct doors *d);
