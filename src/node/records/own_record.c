/* SPDX-License-Identifier: Apache-2.0 */
#include "node/records/own_record.h"

#include "base/clock.h"
#include "node/rendezvous/record_job.h"

#include <stdlib.h>

#define CHANGE_MS  500 /* further changes do not put it off */
#define REFRESH_MS (OWN_RECORD_LIFETIME_S * 1000 / 2)

struct own_record {
    struct own_record_config config;
    struct record_job job;
    bool busy, changed, closing;
    uint64_t last_seq;
    uv_timer_t timer;
    unsigned handles; /* a timer not closed and a job not done; the last one frees us */
};

static void release(struct own_record *o)
{
    if (--o->handles == 0)
        free(o);
}

static void on_timer(uv_timer_t *timer);

static void sign_in(struct own_record *o, uint64_t wait_ms)
{
    uv_timer_start(&o->timer, on_timer, wait_ms, 0);
}

static void on_signed(uv_work_t *work, int status)
{
    const struct record_job *job = work->data;
    struct own_record *o = job->owner;
    const struct record_bytes bytes = {{job->data, job->len}, {job->signature, job->signature_len}};
    o->busy = false;
    if (!o->closing && status == 0 && job->verdict == BACKBONE_OK)
        o->config.signed_anew(o->config.context, &job->record, &bytes);
    if (!o->closing)
        sign_in(o, o->changed ? CHANGE_MS : REFRESH_MS);
    release(o);
}

static void on_timer(uv_timer_t *timer)
{
    struct own_record *o = timer->data;
    struct record *record = &o->job.record;
    *record = (struct record){0};
    o->config.describe(o->config.context, record);
    o->changed = false;
    record->seq = o->last_seq = record_job_seq(o->last_seq);
    record->expiry_s = clock_unix_s() + OWN_RECORD_LIFETIME_S;
    if (uv_queue_work(o->config.loop, &o->job.work, record_job_sign, on_signed) != 0) {
        sign_in(o, CHANGE_MS);
        return;
    }
    o->busy = true;
    o->handles++;
}

void own_record_changed(struct own_record *o)
{
    if (!o || o->changed)
        return;
    o->changed = true;
    if (!o->busy)
        sign_in(o, CHANGE_MS);
}

int own_record_new(const struct own_record_config *config, struct own_record **out)
{
    struct own_record *o = calloc(1, sizeof(*o));
    if (!o)
        return ERR_NOMEM;
    o->config = *config;
    o->job.me = config->me;
    o->job.work.data = &o->job;
    o->job.owner = o;
    uv_timer_init(config->loop, &o->timer);
    o->timer.data = o;
    o->handles = 1;
    sign_in(o, 0);
    *out = o;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void own_record_close(struct own_record *o)
{
    if (!o)
        return;
    o->closing = true;
    uv_close((uv_handle_t *)&o->timer, on_closed);
}
