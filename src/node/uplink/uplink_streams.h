/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control streams over one uplink: their numbers, what each side may still send, and what waits for that.
 * docs/PROTOCOL.md §15. Control thread. */

#include "node/carrier/stream.h"
#include "node/uplink/uplink_line.h"

#define UPLINK_STREAM_QUEUE (256 * 1024) /* bytes that may wait for a peer that does not read */

struct uplink_streams;

struct uplink_streams_config {
    uv_loop_t *loop;
    unsigned backbone;        /* its number, for targets */
    struct uplink_line *line; /* borrowed, as what follows */
    struct streams *all;
};

int uplink_streams_new(const struct uplink_streams_config *config, struct uplink_streams **out) must_check;

/* The backbone has let us in, and grants so much of each new stream and so many streams. */
void uplink_streams_begin(struct uplink_streams *s, uint32_t credit, unsigned streams);

/* The uplink is lost: so are all streams, and none is opened any more. */
void uplink_streams_end(struct uplink_streams *s, const char *reason);

/* As streams_dial, for a target of this uplink; also when it is down. */
void uplink_streams_dial(struct uplink_streams *s, uint64_t conn, const struct node_id *id);

/* OPEN, DATA, CREDIT or CLOSE from the backbone. ERR_FORMAT: it breaks the rules, and the uplink is to end. */
int uplink_streams_on_message(struct uplink_streams *s, const struct uplink_message *m) must_check;

/* Tells nothing any more; the memory goes when the loop has closed the handles. NULL is allowed. */
void uplink_streams_close(struct uplink_streams *s);
