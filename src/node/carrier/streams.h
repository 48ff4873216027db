/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control streams by the mesh's numbers, whatever carries them: TCP, or an uplink
 * to a backbone. Control thread. */

#include "base/err.h"
#include "proto/wire/target.h"
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct streams;

struct streams_events {
    /* Someone connected. Returns the stream's number, or 0 to close it at once. */
    uint64_t (*accepted)(void *context, const struct target *from);
    void (*connected)(void *context, uint64_t conn);
    void (*bytes)(void *context, uint64_t conn, const uint8_t *data, size_t len);
    /* The stream failed or ended; never for streams_close.
     * Never from within a call of the functions below. */
    void (*closed)(void *context, uint64_t conn, const char *reason);
    void *context;
};

/* What opens streams by an uplink to a backbone. */
struct streams_uplink {
    void (*dial)(void *context, uint64_t conn, const struct target *to);
    void *context;
};

/* Accepts on a TCP port, all addresses, both families. ERR_BUSY when the port is in use, ERR_PERMISSION, ERR_IO
 * (errno). */
int streams_new(uv_loop_t *loop, uint16_t port, const struct streams_events *events,
                struct streams **out) must_check;

/* Accepts no more and closes every stream as streams_close does: what carries them needs the loop for a second at most. s
 * is gone. */
void streams_close_all(struct streams *s);

/* Opens a stream to `to`; answers with connected or closed. */
void streams_dial(struct streams *s, uint64_t conn, const struct target *to);

/* Targets of this backbone are opened by it: until then, nobody does. The number is below UPLINKS_MAX. */
void streams_add_uplink(struct streams *s, unsigned backbone, const struct streams_uplink *uplink);

/* Copies data. A stream whose other end does not read is closed when too much waits. */
void streams_send(struct streams *s, uint64_t conn, const uint8_t *data, size_t len);

/* Closes once what was sent is out, for which it has a second; at once while it still connects. */
void streams_close(struct streams *s, uint64_t conn);

/* Resets it: nothing of it is left, neither here nor in the kernel. False: there is none. */
bool streams_abort(struct streams *s, uint64_t conn);

/* The stream's socket, as a file of the caller's; the stream is gone. -1: there is none to be had. */
int streams_release(struct streams *s, uint64_t conn);

/* Addresses of the machine went: ends the streams that hung on one. */
void streams_drop_homeless(struct streams *s);
