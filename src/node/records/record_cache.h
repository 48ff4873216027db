/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Records of peers on disk, for a start at which no backbone answers: KEYDIR/cache/records (proto/message/record_file.h), mode
 * 0600, replaced as a whole. What is wrong with it costs one line. docs/PROTOCOL.md §20. */

#include "base/err.h"
#include "proto/message/record_file.h"
#include <stdbool.h>
#include <uv.h>

#define RECORD_CACHE_FOLDER "cache"

struct record_cache;

/* Makes the folder in keydir if there is none, and writes its path to out. False when there can be none, which the log has
 * been told: nothing is kept then. Before the cage. */
bool record_cache_prepare(const char *keydir, char *out, size_t size);

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

int record_cache_new(const struct record_cache_config *config, struct record_cache **out) must_check;

/* The list has changed: it is written soon, but at most once a minute, by the pool. NULL is allowed. */
void record_cache_changed(struct record_cache *c);

/* Writes what has changed, also while the pool still writes what was before; the list is asked for a last time in here. NULL
 * is allowed. */
void record_cache_close(struct record_cache *c);
