/* SPDX-License-Identifier: Apache-2.0 */
#include "node/records/record_checker.h"

#include "base/clock.h"
#include "node/rendezvous/record_job.h"

#include <stdlib.h>
#include <string.h>

struct waiting {
    struct waiting *next;
    size_t len;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    uint8_t data[];
};

struct record_checker {
    struct record_checker_config config;
    struct waiting *first, **end;
    unsigned count;
    bool busy, closing;
    struct record_job job;
};

static void free_all(struct record_checker *c)
{
    while (c->first) {
        struct waiting *w = c->first;
        c->first = w->next;
        free(w);
    }
    free(c);
}

static void tell(const struct record_checker *c)
{
    const struct record_job *job = &c->job;
    const struct record_bytes bytes = {{job->data, job->len}, {job->signature, job->signature_len}};
    if (job->verdict != BACKBONE_OK)
        c->config.refused(c->config.context);
    else if (job->record.expiry_s + RECORD_CHECKER_DAY_S >= clock_unix_s())
        c->config.verified(c->config.context, &job->record, &bytes);
}

static void begin(struct record_checker *c);

static void on_checked(uv_work_t *work, int status)
{
    struct record_job *job = work->data;
    struct record_checker *c = job->owner;
    c->busy = false;
    if (c->closing) {
        free_all(c);
        return;
    }
    if (status == 0)
        tell(c);
    begin(c);
}

static void begin(struct record_checker *c)
{
    struct waiting *w = c->first;
    if (!w || c->busy)
        return;
    c->first = w->next;
    if (!c->first)
        c->end = &c->first;
    c->count--;
    memcpy(c->job.data, w->data, w->len);
    memcpy(c->job.signature, w->signature, sizeof(w->signature));
    c->job.len = w->len;
    c->job.signature_len = sizeof(w->signature);
    free(w);
    /* It was a record when it came. */
    (void)!record_peek(c->job.data, c->job.len, &c->job.id);
    c->busy = uv_queue_work(c->config.loop, &c->job.work, record_job_verify, on_checked) == 0;
}

int record_checker_add(struct record_checker *c, const struct record_bytes *bytes)
{
    struct node_id id;
    if (bytes->data.len > RECORD_MAX || bytes->signature.len != IDENTITY_SIGNATURE_LEN ||
        record_peek(bytes->data.data, bytes->data.len, &id))
        return ERR_FORMAT;
    if (c->count == RECORD_CHECKER_WAITING)
        return ERR_SPACE;
    struct waiting *w = malloc(sizeof(*w) + bytes->data.len);
    if (!w)
        return ERR_NOMEM;
    w->next = NULL;
    w->len = bytes->data.len;
    memcpy(w->data, bytes->data.data, bytes->data.len);
    memcpy(w->signature, bytes->signature.data, sizeof(w->signature));
    *c->end = w;
    c->end = &w->next;
    c->count++;
    begin(c);
    return 0;
}

int record_checker_new(const struct record_checker_config *config, struct record_checker **out)
{
    struct record_checker *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->config = *config;
    c->end = &c->first;
    c->job.work.data = &c->job;
    c->job.owner = c;
    *out = c;
    return 0;
}

void record_checker_close(struct record_checker *c)
{
    if (!c)
        return;
    c->closing = true;
    if (!c->busy)
        free_all(c);
}
