/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The Unix sockets of the API in the file system: who holds them, how they appear and go. Control thread. */

#include "base/err.h"
#include "base/id.h"
#include <sys/types.h>

#define API_GROUP "shadowmesh" /* whose members may read */

enum api_access {
    API_ACCESS_ALL,   /* <id>.sock, 0600 */
    API_ACCESS_READS, /* <id>.ro.sock, 0660 for API_GROUP, 0600 where there is no such group */
};
#define API_ACCESSES 2

struct api_socket {
    int fd; /* listening, non-blocking; -1 once somebody else owns it */
    char name[64];
    dev_t dev; /* what we bound, so that another node's socket is never removed */
    ino_t ino;
};

struct api_sockets {
    int dir_fd; /* of the run folder */
    struct api_socket of[API_ACCESSES];
};

/* Listens at both sockets of id in run_dir, which never have a mode that lets more people in. Errors as api_open;
 * *holder is the process that holds a live socket, or 0. */
int api_sockets_open(struct api_sockets *s, const char *run_dir, const struct node_id *id,
                     pid_t *holder) must_check;

/* Removes the sockets that are still ours; closes what is open. */
void api_sockets_close(struct api_sockets *s);
