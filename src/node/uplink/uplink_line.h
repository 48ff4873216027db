/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's end of the channel to the helper that keeps an uplink (node/helper/uplink_channel.h): messages out, with a
 * queue for those that it does not take at once, and in. What comes is parsed here and believed nowhere. Control thread. */

#include "node/helper/helper_message.h"
#include "proto/uplink/uplink_message.h"
#include <uv.h>

#define UPLINK_LINE_WAITING (8 << 20) /* bytes that may wait for the helper */

struct uplink_line;

struct uplink_line_events {
    void (*told)(void *context, const struct helper_message *m);    /* by the helper */
    void (*message)(void *context, const struct uplink_message *m); /* by the backbone */
    void (*malformed)(void *context);                               /* it, too */
    void (*lost)(void *context); /* the channel is gone for good; last of all */
    void *context;
};

/* Takes fd, also on an error: ERR_NOMEM. */
int uplink_line_new(uv_loop_t *loop, int fd, const struct uplink_line_events *events,
                    struct uplink_line **out) must_check;

/* ERR_SPACE when too much waits, ERR_CLOSED, ERR_ARGUMENT for what cannot be encoded. No event comes from within. */
int uplink_line_send(struct uplink_line *l, const struct uplink_message *m) must_check;
int uplink_line_tell(struct uplink_line *l, const struct helper_message *m) must_check;

/* What waits is for a connection that is gone. */
void uplink_line_clear(struct uplink_line *l);

/* No event comes any more; memory goes when the loop has closed the handle. NULL is allowed. */
void uplink_line_close(struct uplink_line *l);
