/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The Unix socket of the API in the file system: who holds it, how it appears and goes. Control thread. */

#include "base/err.h"
#include "base/id.h"
#include <sys/types.h>

struct api_socket {
    int fd;     /* listening, non-blocking; -1 once somebody else owns it */
    int dir_fd; /* of the run folder */
    char name[64];
    dev_t dev; /* what we bound, so that another node's socket is never removed */
    ino_t ino;
};

/* Listens at run_dir/<id>.sock, mode 0600 from the first moment on. Errors as api_open; *holder is the
 * process that holds a live socket, or 0. */
int api_socket_open(struct api_socket *s, const char *run_dir, const struct node_id *id,
                    pid_t *holder) must_check;

/* Removes the socket when it is still ours; closes what is open. */
void api_socket_close(struct api_socket *s);
