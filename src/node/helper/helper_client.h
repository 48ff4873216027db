/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's side of one helper process: what is asked of it, and its answers, on the control thread's loop. Nothing
 * waits. The log tells once when a helper died. */

#include "node/helper/helper_message.h"
#include <uv.h>

#define HELPER_CLIENT_OPEN_MAX 64 /* requests without an answer */

struct helper_client;

/* answer is borrowed; NULL when there will be none, since the helper died or does not answer within 30 s. */
typedef void helper_answered(void *context, const struct helper_message *answer);

struct helper_client_config {
    uv_loop_t *loop;
    const char *title; /* what the helper does, for the log; borrowed */
};

/* Takes fd, the node's end to a helper that has started, also on an error: ERR_NOMEM. */
int helper_client_new(const struct helper_client_config *config, int fd,
                      struct helper_client **out) must_check;

/* Asks; the token is set here. ERR_AGAIN when too much is asked at once, ERR_CLOSED when the helper is gone for good,
 * and as helper_message_encode: then answered is not called. It is never called from in here. */
int helper_client_ask(struct helper_client *c, struct helper_message *ask, helper_answered *answered,
                      void *context) must_check;

/* Answers to what was asked with this context are not told. */
void helper_client_forget(struct helper_client *c, const void *context);

/* The helper ends by it, whatever it is doing. No answer is told any more; the memory is released once the loop has
 * closed its handles. NULL is allowed. */
void helper_client_close(struct helper_client *c);
