/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The other instances of each backbone on disk, for a start at which the one that was given is gone: KEYDIR/cache/instances.
 * docs/PROTOCOL.md §20. Control thread. */

#include "base/err.h"
#include "base/bytes.h"
#include <stddef.h>
#include <uv.h>

struct instances;

/* Calls found for each backbone's URL in that folder, with what instances_learn takes. Borrowed texts. */
void instance_cache_read(const char *folder,
                         void (*found)(void *context, const char *home, struct slice list), void *context);

struct instance_cache_config {
    uv_loop_t *loop;
    const char *folder; /* borrowed until the loop has closed our handles */
    /* The instances of the backbone of that number; NULL: there is no further one. */
    const struct instances *(*at)(void *context, unsigned number);
    void *context;
};

struct instance_cache;

/* As cache_file_new. */
int instance_cache_new(const struct instance_cache_config *config, struct instance_cache **out) must_check;

/* As cache_file_changed and cache_file_close. NULL is allowed. */
void instance_cache_changed(struct instance_cache *c);
void instance_cache_close(struct instance_cache *c);
