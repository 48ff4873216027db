/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Records that came from elsewhere than a backbone, from peers or the disk, are verified by the pool, one after the other.
 * docs/PROTOCOL.md §20. Control thread. */

#include "base/err.h"
#include "proto/message/record.h"
#include <uv.h>

#define RECORD_CHECKER_WAITING 1024     /* records that wait for their turn */
#define RECORD_CHECKER_DAY_S   86400ull /* after its end a record is a hint for so long */

struct record_checker;

struct record_checker_config {
    uv_loop_t *loop;
    /* One that verifies, and ended no longer ago than RECORD_CHECKER_DAY_S. All is borrowed. */
    void (*verified)(void *context, const struct record *record, const struct record_bytes *bytes);
    /* One that does not. */
    void (*refused)(void *context);
    void *context;
};

int record_checker_new(const struct record_checker_config *config, struct record_checker **out) must_check;

/* Copies it. ERR_FORMAT for what is no record, ERR_SPACE, ERR_NOMEM. */
int record_checker_add(struct record_checker *c, const struct record_bytes *bytes) must_check;

/* Nothing is told any more; the memory goes when the pool is done. NULL is allowed. */
void record_checker_close(struct record_checker *c);
