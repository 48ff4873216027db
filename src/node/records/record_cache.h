/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Records of peers on disk, for a start at which no backbone answers: KEYDIR/cache/records (proto/message/record_file.h).
 * docs/PROTOCOL.md §20. Control thread. */

#include "node/cache/cache_file.h"
#include "proto/message/record_file.h"

/* Reads what is kept in that folder and calls found for each record, none of which is verified. Borrowed bytes. */
void record_cache_read(const char *folder, void (*found)(void *context, const struct record_bytes *bytes),
                       void *context);

struct record_cache_config {
    uv_loop_t *loop;
    const char *folder; /* borrowed until the loop has closed our handles */
    /* Calls visit for each record that is to be kept. */
    void (*list)(void *context, void (*visit)(void *to, uint64_t expiry_s, const struct record_bytes *bytes),
                 void *to);
    void *context;
};

struct record_cache;

/* As cache_file_new. */
int record_cache_new(const struct record_cache_config *config, struct record_cache **out) must_check;

/* As cache_file_changed and cache_file_close: the list is asked for a last time in the latter. NULL is allowed. */
void record_cache_changed(struct record_cache *c);
void record_cache_close(struct record_cache *c);
