/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What lets nodes find each other without a backbone: peers' records from wherever they come, kept for the next start and given
 * to the mesh, which passes them on; and our own. docs/PROTOCOL.md §20. Control thread. */

#include "base/err.h"
#include "proto/message/record.h"
#include <stdint.h>
#include <uv.h>

struct identity;
struct mesh;
struct records;

struct records_config {
    uv_loop_t *loop;
    const struct identity *me; /* borrowed until the loop has closed our handles */
    struct mesh *mesh;         /* borrowed until records_close */
    const char *folder;        /* of record_cache_prepare, likewise; NULL: nothing is kept on disk */
    void (*describe)(void *context, struct record *record); /* as rendezvous_config's */
    void (*refused)(void *context);                         /* a record that does not verify */
    void *context;
};

/* Reads what is on disk; it is verified by and by. */
int records_new(const struct records_config *config, struct records **out) must_check;

/* A verified one. */
void records_take(struct records *r, const struct record *record, const struct record_bytes *bytes);

/* One that is not: record and signature, as MESH_OUTPUT_VERIFY has them. NULL, of a node that stops, is allowed. */
void records_verify(struct records *r, const uint8_t *whole, size_t len);

/* Our description changed. NULL is allowed. */
void records_changed(struct records *r);

/* Nothing is told any more, and what has changed is written. NULL is allowed. */
void records_close(struct records *r);
