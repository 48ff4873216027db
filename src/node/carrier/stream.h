/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One control stream, as what carries it knows it: what it does when the mesh asks, and what it tells. The mesh knows it by
 * its number (node/carrier/streams.h). Control thread. */

#include "base/err.h"
#include "proto/wire/target.h"
#include <stddef.h>
#include <stdint.h>

struct stream;
struct streams;

struct stream_ops {
    void (*send)(struct stream *st, const uint8_t *data, size_t len); /* copies data */
    void (*close)(struct stream *st); /* once what was sent is out; it tells nothing any more */
    void (*abort)(struct stream *st); /* at once, and nothing of it is left */
    int (*release)(
        struct stream
            *st); /* its socket, which is the caller's: the stream is gone. -1: it has none to give */
};

/* The first of what its carrier keeps of a stream. */
struct stream {
    const struct stream_ops *ops;
    struct streams *all;
    uint64_t conn; /* the mesh's number; 0: the mesh knows it no more */
};

/* The mesh dialled it under this number. ERR_NOMEM: it can only be told to be closed. */
int stream_dialled(struct stream *st, uint64_t conn) must_check;

/* Someone opened it from there. ERR_PERMISSION: the mesh does not want it. ERR_NOMEM as above. */
int stream_accepted(struct stream *st, const struct target *from) must_check;

/* The mesh's orders reach it no more. */
void stream_leave(struct stream *st);

/* What happened, from the loop and never from within a call of its ops. The last is for a stream that has failed or
 * ended, and has left: gone holds what it was. */
void stream_connected(const struct stream *st);
void stream_bytes(const struct stream *st, const uint8_t *data, size_t len);
void stream_closed(const struct stream *gone, const char *reason);
