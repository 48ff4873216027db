/* SPDX-License-Identifier: Apache-2.0 */
#include "node/records/record_cache.h"

#include "base/clock.h"
#include "node/records/record_checker.h"

#include <stdlib.h>

static const struct cache_kind kind = {"records", "the addresses of peers", RECORD_FILE_MAX};

struct record_cache {
    struct record_cache_config config;
    struct cache_file *file;
};

/* ---- reading ---- */

static const char *list_all(const uint8_t *data, size_t len,
                            void (*found)(void *context, const struct record_bytes *bytes), void *context)
{
    struct record_file file;
    struct record_bytes record;
    int err = record_file_open(&file, data, len);
    if (err)
        return "it holds no records";
    while ((err = record_file_next(&file, &record)) == 0)
        found(context, &record);
    return err == ERR_NOT_FOUND ? NULL : "it is damaged";
}

void record_cache_read(const char *folder, void (*found)(void *context, const struct record_bytes *bytes),
                       void *context)
{
    size_t len;
    uint8_t *data = cache_file_read(folder, &kind, &len);
    const char *wrong = data ? list_all(data, len, found, context) : NULL;
    if (wrong)
        cache_file_refuse(folder, &kind, wrong);
    free(data);
}

/* ---- writing ---- */

/* The file's bytes on their way. */
struct draft {
    struct writer w;
    unsigned count; /* records in it */
};

static bool make_room(struct writer *w, size_t more)
{
    size_t len = writer_len(w), cap = (size_t)(w->end - w->begin);
    if (cap - len >= more)
        return true;
    size_t next = 2 * cap + more < RECORD_FILE_MAX ? 2 * cap + more : RECORD_FILE_MAX;
    uint8_t *bytes = len + more <= next ? realloc(w->begin, next) : NULL;
    if (bytes)
        *w = (struct writer){.begin = bytes, .at = bytes + len, .end = bytes + next};
    return bytes != NULL;
}

static void add(void *to, uint64_t expiry_s, const struct record_bytes *bytes)
{
    struct draft *d = to;
    if (expiry_s + RECORD_CHECKER_DAY_S < clock_unix_s() || d->count == RECORD_FILE_RECORDS ||
        !make_room(&d->w, record_file_room(bytes)))
        return;
    record_file_put(&d->w, bytes);
    d->count++;
}

/* Without memory for it nothing is written. */
static uint8_t *make(void *context, size_t *len)
{
    const struct record_cache *c = context;
    struct draft d = {0};
    if (!make_room(&d.w, RECORD_MAX))
        return NULL;
    record_file_begin(&d.w);
    c->config.list(c->config.context, add, &d);
    *len = writer_len(&d.w);
    if (!d.w.bad)
        return d.w.begin;
    free(d.w.begin);
    return NULL;
}

void record_cache_changed(struct record_cache *c)
{
    if (c)
        cache_file_changed(c->file);
}

/* ---- life ---- */

int record_cache_new(const struct record_cache_config *config, struct record_cache **out)
{
    struct record_cache *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->config = *config;
    const struct cache_file_config file = {config->loop, config->folder, &kind, make, c};
    int err = cache_file_new(&file, &c->file);
    if (err)
        free(c);
    else
        *out = c;
    return err;
}

void record_cache_close(struct record_cache *c)
{
    if (!c)
        return;
    cache_file_close(c->file);
    free(c);
}
