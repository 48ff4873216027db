/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file in KEYDIR/cache: what a node is glad to know at its next start, and can do without. Mode 0600, replaced as a whole, by the
 * pool: a disk may hang. What is wrong with it costs one line. Control thread. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CACHE_FOLDER "cache"

/* Makes the folder in keydir if there is none, and writes its path to out. False when there can be none, which the log has
 * been told: nothing is kept then. Before the cage. */
bool cache_folder_prepare(const char *keydir, char *out, size_t size);

/* A kind of file. */
struct cache_kind {
    const char *name;
    const char *what; /* for the log: "the addresses of peers" */
    size_t most;      /* bytes of it */
};

/* The bytes of the file in that folder, which the caller frees, and how many they are; there is room for one more. NULL: there is none, or none that may be
 * believed, which the log has been told. */
uint8_t *cache_file_read(const char *folder, const struct cache_kind *kind, size_t *len);

/* Tells the log that what was read is no such file. why: as the end of a sentence. */
void cache_file_refuse(const char *folder, const struct cache_kind *kind, const char *why);

struct cache_file_config {
    uv_loop_t *loop;
    const char *folder;            /* borrowed, as kind is, until the loop has closed our handles */
    const struct cache_kind *kind; /* borrowed */
    /* The bytes that are to be written, by malloc(), which it takes over; NULL: nothing is written. */
    uint8_t *(*make)(void *context, size_t *len);
    void *context;
};

struct cache_file;

/* ERR_NOMEM, and those of folder_open. */
int cache_file_new(const struct cache_file_config *config, struct cache_file **out) must_check;

/* What it holds has changed: it is written soon, but at most once a minute. NULL is allowed. */
void cache_file_changed(struct cache_file *f);

/* Writes what has changed, also while the pool still writes what was before; make is called for a last time in here. NULL is
 * allowed. */
void cache_file_close(struct cache_file *f);
