/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* This node's own record, for peers rather than a directory: signed by the pool when what it says has changed, and twice in
 * its life. docs/PROTOCOL.md §20. Control thread. */

#include "base/err.h"
#include "proto/message/record.h"
#include <uv.h>

#define OWN_RECORD_LIFETIME_S 3600

struct identity;
struct own_record;

struct own_record_config {
    uv_loop_t *loop;
    const struct identity *me; /* borrowed until the loop has closed our handles */
    void (*describe)(void *context, struct record *record); /* as rendezvous_config's */
    void (*signed_anew)(void *context, const struct record *record, const struct record_bytes *bytes);
    void *context;
};

/* Begins at once. */
int own_record_new(const struct own_record_config *config, struct own_record **out) must_check;

/* Our description changed: it is signed anew soon. NULL is allowed. */
void own_record_changed(struct own_record *o);

/* NULL is allowed. */
void own_record_close(struct own_record *o);
