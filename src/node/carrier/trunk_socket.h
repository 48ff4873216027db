/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One trunk: a TCP connection, the batches that wait for it, and what has come of one. docs/PROTOCOL.md §18. The trunks'
 * thread, once it has it. */

#include "base/err.h"
#include "proto/uplink/batch_queue.h"
#include "proto/uplink/uplink_message.h"
#include "proto/wire/trunk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUNK_IN_MAX     (2 * TRUNK_BATCH_MAX)
#define TRUNK_REASON_MAX 64
#define TRUNK_UNSENT     131072 /* bytes that the kernel holds and has not sent, at most */
#define TRUNK_MARK_US    5000   /* what has waited for longer is marked, where it is ECN-capable */

struct trunk {
    uint64_t conn;
    int fd;
    bool writable;                         /* as far as is known */
    struct trunk *next;                    /* in a list of its owner's */
    bool ordered;                          /* to end: it is in the list of those (trunks_impl.h) */
    struct trunk **waits_at, *waits_after; /* in that of those that wait to be writable */
    char reason[TRUNK_REASON_MAX];         /* why it ended */
    struct batch_queue queue;
    struct batch *out; /* it is being sent … */
    uint8_t head[TRUNK_HEAD_LEN];
    size_t sent; /* … so far, with its head */
    size_t in_len;
    uint8_t in[TRUNK_IN_MAX];
};

/* Takes fd; bytes came on it already. ERR_NOMEM; ERR_SPACE when they are too many: fd is the caller's then. */
int trunk_new(uint64_t conn, int fd, const uint8_t *bytes, size_t len, struct trunk **out) must_check;
void trunk_free(struct trunk *t);

/* Drops what waits for it. */
void trunk_clear(struct trunk *t);

/* Sends what it can. An error ended it. */
int trunk_write(struct trunk *t, uint64_t now_us) must_check;

/* A whole batch: a message of datagrams (uplink_message.h) whose id is the trunk's number; valid until it returns. */
typedef void trunk_batch_fn(void *context, const uint8_t head[UPLINK_BATCH_HEAD_LEN], const uint8_t *data,
                            size_t len);

/* Reads some of what is there, and hands out what has come whole. An error ended it: ERR_FORMAT, where it has sent what is
 * no batch. */
int trunk_read(struct trunk *t, trunk_batch_fn *take, void *context) must_check;

/* Hands out what lies there already. */
int trunk_parse(struct trunk *t, trunk_batch_fn *take, void *context) must_check;

/* A trunk's number as the id of messages, and back. */
void trunk_name(uint64_t conn, uint8_t out[ID_LEN]);
uint64_t trunk_named(const uint8_t id[ID_LEN]);
