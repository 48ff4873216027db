/* SPDX-License-Identifier: Apache-2.0 */
#include "node/records/records.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/records/own_record.h"
#include "node/records/record_cache.h"
#include "node/records/record_checker.h"
#include "proto/mesh/mesh.h"

#include <stdlib.h>

struct records {
    struct records_config config;
    struct record_checker *checker;
    struct record_cache *cache; /* NULL: nothing is kept on disk */
    struct own_record *own;
    unsigned read; /* of those on disk: how many were there */
};

static void on_verified(void *context, const struct record *record, const struct record_bytes *bytes)
{
    records_take(context, record, bytes);
}

static void on_refused(void *context)
{
    const struct records *r = context;
    r->config.refused(r->config.context);
}

static void on_describe(void *context, struct record *record)
{
    const struct records *r = context;
    r->config.describe(r->config.context, record);
}

static void on_signed(void *context, const struct record *record, const struct record_bytes *bytes)
{
    const struct records *r = context;
    const struct mesh_record own = {record, *bytes};
    if (mesh_set_own_record(r->config.mesh, &own))
        log_debug("our record is not passed on: %s", err_str(ERR_NOMEM));
}

static void on_list(void *context,
                    void (*visit)(void *to, uint64_t expiry_s, const struct record_bytes *bytes), void *to)
{
    const struct records *r = context;
    mesh_records(r->config.mesh, visit, to);
}

static void on_read(void *context, const struct record_bytes *bytes)
{
    struct records *r = context;
    if (record_checker_add(r->checker, bytes))
        on_refused(r);
    r->read++;
}

void records_take(struct records *r, const struct record *record, const struct record_bytes *bytes)
{
    const struct mesh_record verified = {record, *bytes};
    if (mesh_on_record(r->config.mesh, &verified, clock_monotonic_us()))
        record_cache_changed(r->cache);
}

void records_verify(struct records *r, const uint8_t *whole, size_t len)
{
    size_t data_len = len - IDENTITY_SIGNATURE_LEN;
    const struct record_bytes bytes = {{whole, data_len}, {whole + data_len, IDENTITY_SIGNATURE_LEN}};
    if (r && record_checker_add(r->checker, &bytes))
        on_refused(r);
}

void records_changed(struct records *r)
{
    if (r)
        own_record_changed(r->own);
}

static int open_parts(struct records *r)
{
    const struct records_config *c = &r->config;
    const struct record_checker_config checker = {c->loop, on_verified, on_refused, r};
    const struct own_record_config own = {c->loop, c->me, on_describe, on_signed, r};
    const struct record_cache_config cache = {c->loop, c->folder, on_list, r};
    int err = record_checker_new(&checker, &r->checker);
    if (!err)
        err = own_record_new(&own, &r->own);
    if (!err && c->folder)
        err = record_cache_new(&cache, &r->cache);
    return err;
}

int records_new(const struct records_config *config, struct records **out)
{
    struct records *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    int err = open_parts(r);
    if (err) {
        records_close(r);
        return err;
    }
    if (config->folder)
        record_cache_read(config->folder, on_read, r);
    if (r->read)
        log_debug("%u records of peers were kept from before", r->read);
    *out = r;
    return 0;
}

void records_close(struct records *r)
{
    if (!r)
        return;
    record_cache_close(r->cache);
    own_record_close(r->own);
    record_checker_close(r->checker);
    free(r);
}
