/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What waits to be sent on one uplink: frames in their order, then probes and control of others, then their data. All
 * zero is empty. Uplink thread. */

#include "proto/uplink/batch_queue.h"
#include "proto/uplink/websocket_frame.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out_frame;

struct uplink_out {
    struct out_frame *first, *last;
    size_t bytes; /* of frames that wait */
    struct batch_queue queue;
    struct {
        struct out_frame *frame; /* one of the two, or neither */
        struct batch *batch;
        uint8_t head[WEBSOCKET_HEAD_MAX];
        size_t head_len, done; /* done: bytes that the socket has, of head and payload */
    } current;
    uint64_t moved_us; /* when the socket last took something, or began to be asked */
    bool blocked;      /* the socket takes no more now */
};

/* Copies a frame to the end. ERR_NOMEM. */
int uplink_out_add(struct uplink_out *o, enum websocket_frame frame, const uint8_t *bytes,
                   size_t len) must_check;

/* Sends on fd, a stream socket, until nothing is left (0) or the socket takes no more (ERR_AGAIN). ERR_IO: the connection is lost. *sent counts
 * bytes of datagrams that are the kernel's now. */
int uplink_out_flush(struct uplink_out *o, int fd, uint64_t now_us, uint64_t *sent) must_check;

/* Forgets what waits, but for a frame that has begun. */
void uplink_out_drop(struct uplink_out *o);
void uplink_out_fini(struct uplink_out *o);
