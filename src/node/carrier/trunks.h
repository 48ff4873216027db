/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* All trunks of a node, and the thread that serves them: workers and the control thread hand it batches, and get what
 * came, by a channel each, in the form of messages of an uplink whose id is a trunk's number (trunk_socket.h). So nothing of TCP
 * is on the workers' way. docs/ARCHITECTURE.md, "Threads". Control thread. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define TRUNKS_WORKERS_MAX 9

struct trunks;

struct trunks_config {
    uv_loop_t *loop;
    unsigned workers;
    void (*closed)(void *context, uint64_t conn, const char *reason); /* by itself; from the loop */
    void *context;
};

/* ERR_NOMEM, or ERR_IO (errno). */
int trunks_new(const struct trunks_config *config, struct trunks **out) must_check;

/* Sends what it can at once, and ends. What it closes needs the loop. NULL is allowed. */
void trunks_close(struct trunks *t);

/* Channels (carrier.h), which end with trunks_close: the control thread's, by which nothing comes, and the workers'. */
int trunks_channel(const struct trunks *t);
const int *trunks_channels(const struct trunks *t);

/* Takes fd, a connected socket, as trunk conn; bytes came on it already. ERR_NOMEM, ERR_SPACE: fd is closed. */
int trunks_add(struct trunks *t, uint64_t conn, int fd, const uint8_t *bytes, size_t len) must_check;

/* Closes it; it tells nothing any more. One that is not there is none. */
void trunks_end(struct trunks *t, uint64_t conn);

/* What was lost since the last call: datagrams, and connections that sent what is no batch. */
struct trunks_lost {
    uint64_t backlog;  /* for age or want of room, on their way out */
    uint64_t overload; /* on their way in: a worker did not take them */
    uint64_t malformed;
};
struct trunks_lost trunks_lost(struct trunks *t);
