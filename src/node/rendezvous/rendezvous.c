/* SPDX-License-Identifier: Apache-2.0 */
/* Registers this node with the backbone and looks up others: when what is asked, and what the log tells.
 *
 *              info and registration succeed
 *   UNKNOWN ────────────────────────────────→ REGISTERED ──┐ check every 8 s, register at half-life
 *      │  no answer          ┌──────────────────↑  │  ↑────┘
 *      └──────────→ UNREACHABLE ←──────────────────┤
 *                       ↑ └──────→ REFUSED ←───────┘  it answers, and refuses our record
 *                       └─────────────┘
 * docs/PROTOCOL.md §8. Control thread; rendezvous_job.c is the pool's half. */
#include "node/rendezvous/rendezvous.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "node/rendezvous/rendezvous_job.h"
#include "node/rendezvous/rendezvous_schedule.h"
#include "node/rendezvous/rendezvous_wants.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_DELAY_US  (200 * USEC_PER_MSEC)
#define REFRESH_US       (BACKBONE_RECORD_LIFETIME_S * USEC_PER_SEC / 2)
#define REFUSED_DELAY_US (2 * USEC_PER_SEC)
#define CAUSE_LOG_US     (30 * USEC_PER_SEC)

enum rendezvous_state { STATE_UNKNOWN, STATE_UNREACHABLE, STATE_REFUSED, STATE_REGISTERED };

struct rendezvous {
    struct rendezvous_config config;
    char url[512];
    bool started, closing;
    unsigned handles; /* timers not closed and jobs not done; the last one frees us */

    uv_timer_t register_timer;
    struct register_job *registering;
    bool register_busy;
    bool changed; /* since the last description */
    uint64_t refresh_us;
    unsigned failures;
    uint64_t failing_since_us;

    enum rendezvous_state state;
    char cause[HTTP_CAUSE_MAX];
    struct log_limit cause_limit;
    struct addr udp; /* as last told to config.state */

    uv_timer_t lookup_timer;
    struct lookup_job *looking;
    bool lookup_busy;
    struct wants wants;
};

static uint32_t random_bits(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

static void free_jobs(struct rendezvous *r)
{
    if (r->registering)
        backbone_client_fini(&r->registering->client);
    if (r->looking)
        backbone_client_fini(&r->looking->client);
    free(r->registering);
    free(r->looking);
}

static void release(struct rendezvous *r)
{
    if (--r->handles > 0)
        return;
    free_jobs(r);
    wants_fini(&r->wants);
    free(r);
}

static void start_timer(uv_timer_t *timer, uv_timer_cb callback, uint64_t delay_us)
{
    uv_timer_start(timer, callback, (delay_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

static void on_register_timer(uv_timer_t *timer);
static void on_lookup_timer(uv_timer_t *timer);
static void schedule_lookups(struct rendezvous *r);

/* ---- what the log and the caller are told ---- */

static void tell_state(struct rendezvous *r, bool reachable, const struct addr *udp)
{
    if (addr_equal(udp, &r->udp))
        return;
    r->udp = *udp;
    r->config.state(r->config.context, reachable, udp);
}

static void enter_registered(struct rendezvous *r, uint64_t now)
{
    char hex[ID_TEXT_MAX];
    if (r->state != STATE_REGISTERED) {
        log_info("backbone %s: reached, registered as %s", r->url, id_format(identity_id(r->config.me), hex));
        wants_hurry(&r->wants, now); /* it may know by now whom we want */
    }
    r->state = STATE_REGISTERED;
    r->cause[0] = '\0';
}

/* Returns true when state or, not too often, its cause is news. */
static bool enter_failed(struct rendezvous *r, enum rendezvous_state state, const char *cause, uint64_t now)
{
    uint64_t suppressed;
    bool news = r->state != state;
    if (news)
        r->cause_limit.bucket = (struct bucket){0};
    if (news || strcmp(cause, r->cause) != 0)
        news = log_limit_pass(&r->cause_limit, now, CAUSE_LOG_US, &suppressed);
    if (news)
        snprintf(r->cause, sizeof(r->cause), "%s", cause);
    r->state = state;
    return news;
}

/* ---- registration ---- */

static void schedule_register(struct rendezvous *r, uint64_t delay_us)
{
    if (r->started && !r->closing && !r->register_busy)
        start_timer(&r->register_timer, on_register_timer, delay_us);
}

/* How long to wait now that the job is done. */
static uint64_t after_register(struct rendezvous *r, uint64_t now)
{
    const struct register_job *job = r->registering;
    if (job->verdict == BACKBONE_OK) {
        r->failures = 0;
        return r->changed ? CHANGE_DELAY_US : rendezvous_check_us(random_bits());
    }
    if (r->failures++ == 0)
        r->failing_since_us = now;
    uint64_t us = rendezvous_retry_us(r->failures, now - r->failing_since_us, random_bits());
    return job->verdict == BACKBONE_REFUSED && us < REFUSED_DELAY_US ? REFUSED_DELAY_US : us;
}

static void on_verdict(struct rendezvous *r, enum backbone_verdict verdict, uint64_t now)
{
    static const struct addr nowhere;
    const struct register_job *job = r->registering;
    switch (verdict) {
    case BACKBONE_OK:
        if (job->registered)
            r->refresh_us = now + REFRESH_US - REFRESH_US / 10 * (random_bits() % 1024) / 1024;
        enter_registered(r, now);
        tell_state(r, true, &job->client.udp);
        return;
    case BACKBONE_REFUSED:
        if (enter_failed(r, STATE_REFUSED, job->client.cause, now))
            log_warn("backbone %s: reached, but it does not register us (%s); trying on", r->url,
                     job->client.cause);
        tell_state(r, true, &job->client.udp);
        return;
    case BACKBONE_UNREACHABLE:
    case BACKBONE_ABSENT:
    case BACKBONE_FORGED:
        if (enter_failed(r, STATE_UNREACHABLE, job->client.cause, now))
            log_warn("backbone %s: cannot be reached (%s); trying on", r->url, job->client.cause);
        tell_state(r, false, &nowhere);
        return;
    }
}

static void on_register_done(uv_work_t *work, int status)
{
    struct register_job *job = work->data;
    struct rendezvous *r = job->owner;
    r->register_busy = false;
    if (!r->closing && status == 0) {
        uint64_t now = clock_monotonic_us();
        on_verdict(r, job->verdict, now);
        schedule_register(r, after_register(r, now));
        schedule_lookups(r);
    }
    release(r);
}

static void on_register_timer(uv_timer_t *timer)
{
    struct rendezvous *r = timer->data;
    struct register_job *job = r->registering;
    if (r->register_busy)
        return;
    job->wanted = r->changed || r->state != STATE_REGISTERED || clock_monotonic_us() >= r->refresh_us;
    job->record = (struct record){0};
    r->config.describe(r->config.context, &job->record);
    if (r->closing || uv_queue_work(r->config.loop, &job->work, register_job_run, on_register_done) != 0)
        return;
    r->changed = false;
    r->register_busy = true;
    r->handles++;
}

/* ---- lookups ---- */

static void schedule_lookups(struct rendezvous *r)
{
    uint64_t next = wants_next(&r->wants), now = clock_monotonic_us();
    if (r->closing || r->lookup_busy)
        return;
    if (r->udp.family == 0 || next == TIME_NEVER)
        uv_timer_stop(&r->lookup_timer);
    else
        start_timer(&r->lookup_timer, on_lookup_timer, next > now ? next - now : 0);
}

static void tell_forged(struct rendezvous *r, struct want *want, const char *cause)
{
    char hex[ID_TEXT_MAX];
    if (!want->forged)
        log_warn("backbone %s: its record of %s is ignored: %s", r->url, id_format(&want->id, hex), cause);
    want->forged = true;
}

static void on_lookup(struct rendezvous *r, const struct lookup *l)
{
    struct want *want = wants_find(&r->wants, &l->id);
    if (!want)
        return; /* forgotten meanwhile */
    if (l->verdict == BACKBONE_FORGED)
        tell_forged(r, want, l->cause);
    if (l->verdict == BACKBONE_UNREACHABLE)
        schedule_register(r, 0); /* which finds out what is the matter */
    if (l->verdict != BACKBONE_OK)
        return;
    want->forged = false;
    if (l->record.seq < want->seq)
        return;
    want->seq = l->record.seq;
    r->config.found(r->config.context, &l->record);
}

static void on_lookup_done(uv_work_t *work, int status)
{
    struct lookup_job *job = work->data;
    struct rendezvous *r = job->owner;
    r->lookup_busy = false;
    for (unsigned i = 0; i < job->count && status == 0 && !r->closing; i++)
        on_lookup(r, &job->lookups[i]);
    schedule_lookups(r);
    release(r);
}

static void on_lookup_timer(uv_timer_t *timer)
{
    struct rendezvous *r = timer->data;
    struct lookup_job *job = r->looking;
    uint64_t now = clock_monotonic_us();
    if (r->lookup_busy)
        return;
    job->count = 0;
    for (struct want *want = NULL; job->count < LOOKUP_BATCH && (want = wants_due(&r->wants, want, now));) {
        want->next_us = now + rendezvous_lookup_us(now - want->since_us, r->wants.wanted, random_bits());
        job->lookups[job->count++].id = want->id;
    }
    if (job->count == 0 || uv_queue_work(r->config.loop, &job->work, lookup_job_run, on_lookup_done) != 0) {
        schedule_lookups(r);
        return;
    }
    r->lookup_busy = true;
    r->handles++;
}

void rendezvous_want(struct rendezvous *r, const struct node_id *id)
{
    wants_add(&r->wants, id, clock_monotonic_us());
    schedule_lookups(r);
}

void rendezvous_forget(struct rendezvous *r, const struct node_id *id)
{
    wants_forget(&r->wants, id, clock_monotonic_us());
}

/* ---- life ---- */

static int init_jobs(struct rendezvous *r)
{
    r->registering = calloc(1, sizeof(*r->registering));
    r->looking = calloc(1, sizeof(*r->looking));
    if (!r->registering || !r->looking)
        return ERR_NOMEM;
    r->registering->owner = r->looking->owner = r;
    r->registering->work.data = r->registering;
    r->looking->work.data = r->looking;
    r->registering->me = r->config.me;
    int err = backbone_client_init(&r->registering->client, r->url);
    return err ? err : backbone_client_init(&r->looking->client, r->url);
}

int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out)
{
    struct rendezvous *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    int err = ERR_SPACE;
    if (snprintf(r->url, sizeof(r->url), "%s", config->url) >= (int)sizeof(r->url))
        goto fail;
    err = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ? init_jobs(r) : ERR_NOMEM;
    if (err)
        goto fail;
    uv_timer_init(config->loop, &r->register_timer);
    uv_timer_init(config->loop, &r->lookup_timer);
    r->register_timer.data = r->lookup_timer.data = r;
    r->handles = 2;
    *out = r;
    return 0;
fail:
    free_jobs(r);
    free(r);
    return err;
}

void rendezvous_start(struct rendezvous *r)
{
    r->started = true;
    schedule_register(r, 0);
}

void rendezvous_changed(struct rendezvous *r)
{
    if (!r->changed) /* further changes do not put it off */
        schedule_register(r, CHANGE_DELAY_US);
    r->changed = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void rendezvous_close(struct rendezvous *r)
{
    if (!r || r->closing)
        return;
    r->closing = true;
    http_client_abort(r->registering->client.http);
    http_client_abort(r->looking->client.http);
    uv_close((uv_handle_t *)&r->register_timer, on_timer_closed);
    uv_close((uv_handle_t *)&r->lookup_timer, on_timer_closed);
}
