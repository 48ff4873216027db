/* SPDX-License-Identifier: Apache-2.0 */
/* Registers this node with the backbone and looks up others: when what is asked, and what the log tells.
 *
 *              info and registration succeed
 *   UNKNOWN ────────────────────────────────→ REGISTERED ──┐ check every 8 s, register at half-life
 *      │  no answer          ┌──────────────────↑  │  ↑────┘
 *      └──────────→ UNREACHABLE ←──────────────────┤
 *                       ↑ └──────→ REFUSED ←───────┘  it answers, and refuses our record
 *                       └─────────────┘
 * docs/PROTOCOL.md §8. Control thread; registration.c has the steps of one registration. */
#include "node/rendezvous/rendezvous.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "node/helper/helper_client.h"
#include "node/rendezvous/record_job.h"
#include "node/rendezvous/registration.h"
#include "node/rendezvous/rendezvous_schedule.h"
#include "node/rendezvous/rendezvous_wants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_DELAY_US  (200 * USEC_PER_MSEC)
#define REFRESH_US       (REGISTRATION_LIFETIME_S * USEC_PER_SEC / 2)
#define REFUSED_DELAY_US (2 * USEC_PER_SEC)
#define CAUSE_LOG_US     (30 * USEC_PER_SEC)

enum rendezvous_state { STATE_UNKNOWN, STATE_UNREACHABLE, STATE_REFUSED, STATE_REGISTERED };

struct rendezvous {
    struct rendezvous_config config;
    char url[512];
    bool closing;
    unsigned handles; /* timers not closed and jobs not done; the last one frees us */

    uv_timer_t register_timer;
    struct registration *registration;
    bool registering;
    bool changed; /* since the last description */
    uint64_t refresh_us;
    unsigned failures;
    uint64_t failing_since_us;

    enum rendezvous_state state;
    char cause[HELPER_TEXT_MAX]; /* the present one … */
    char told[HELPER_TEXT_MAX];  /* … and that which the log was told of */
    struct log_limit cause_limit;
    bool reachable;  /* as last told to config.state … */
    struct addr udp; /* … with this */

    uv_timer_t lookup_timer;
    bool looking;
    bool doubted;          /* whether the backbone is there: the next registration finds out */
    struct record_job job; /* the present look-up, or the last one */
    struct wants wants;
};

static uint32_t random_bits(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

static void release(struct rendezvous *r)
{
    if (--r->handles > 0)
        return;
    wants_fini(&r->wants);
    free(r);
}

/* Not once the timer is closed. */
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
    if (reachable == r->reachable && addr_equal(udp, &r->udp))
        return;
    r->reachable = reachable;
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
    r->cause[0] = r->told[0] = '\0';
}

/* Returns true when state or, not too often, its cause is news. */
static bool enter_failed(struct rendezvous *r, enum rendezvous_state state, const char *cause, uint64_t now)
{
    uint64_t suppressed;
    bool news = r->state != state;
    if (news)
        r->cause_limit.bucket = (struct bucket){0};
    if (news || strcmp(cause, r->told) != 0)
        news = log_limit_pass(&r->cause_limit, now, CAUSE_LOG_US, &suppressed);
    if (news)
        snprintf(r->told, sizeof(r->told), "%s", cause);
    snprintf(r->cause, sizeof(r->cause), "%s", cause);
    r->state = state;
    return news;
}

/* ---- registration ---- */

static void schedule_register(struct rendezvous *r, uint64_t delay_us)
{
    if (!r->registering)
        start_timer(&r->register_timer, on_register_timer, delay_us);
}

/* How long to wait now that one is done. */
static uint64_t after_registration(struct rendezvous *r, enum backbone_verdict verdict, uint64_t now)
{
    if (verdict == BACKBONE_OK) {
        r->failures = 0;
        return r->changed ? CHANGE_DELAY_US : rendezvous_check_us(random_bits());
    }
    if (r->failures++ == 0)
        r->failing_since_us = now;
    uint64_t us = rendezvous_retry_us(r->failures, now - r->failing_since_us, random_bits());
    return verdict == BACKBONE_REFUSED && us < REFUSED_DELAY_US ? REFUSED_DELAY_US : us;
}

/* Nobody can be looked up. */
static void tell_unreachable(struct rendezvous *r, const char *cause)
{
    char why[HELPER_TEXT_MAX + 64];
    snprintf(why, sizeof(why), "the backbone cannot be reached: %s", cause);
    for (struct want *w = wants_due(&r->wants, NULL, TIME_NEVER); w; w = wants_due(&r->wants, w, TIME_NEVER))
        r->config.missing(r->config.context, &w->id, why);
}

static void on_verdict(struct rendezvous *r, const struct registration_outcome *o, uint64_t now)
{
    static const struct addr nowhere;
    switch (o->verdict) {
    case BACKBONE_OK:
        if (o->registered)
            r->refresh_us = now + REFRESH_US - REFRESH_US / 10 * (random_bits() % 1024) / 1024;
        enter_registered(r, now);
        tell_state(r, true, &o->udp);
        return;
    case BACKBONE_REFUSED:
        if (enter_failed(r, STATE_REFUSED, o->cause, now))
            log_warn("backbone %s: reached, but it does not register us (%s); retrying", r->url, o->cause);
        tell_state(r, true, &o->udp);
        return;
    case BACKBONE_UNREACHABLE:
    case BACKBONE_ABSENT:
    case BACKBONE_FORGED:
        if (r->state != STATE_UNREACHABLE || strcmp(o->cause, r->cause) != 0)
            tell_unreachable(r, o->cause);
        if (enter_failed(r, STATE_UNREACHABLE, o->cause, now))
            log_warn("backbone %s: cannot be reached (%s); retrying", r->url, o->cause);
        tell_state(r, false, &nowhere);
        return;
    }
}

static void on_registration(void *context, const struct registration_outcome *outcome)
{
    struct rendezvous *r = context;
    uint64_t now = clock_monotonic_us();
    r->registering = r->doubted = false;
    if (outcome->date_s)
        r->config.clock(r->config.context, (int64_t)clock_unix_s() - (int64_t)outcome->date_s);
    on_verdict(r, outcome, now);
    schedule_register(r, after_registration(r, outcome->verdict, now));
    schedule_lookups(r);
}

static void on_register_timer(uv_timer_t *timer)
{
    struct rendezvous *r = timer->data;
    struct record record = {0};
    bool wanted = r->changed || r->state != STATE_REGISTERED || clock_monotonic_us() >= r->refresh_us;
    r->config.describe(r->config.context, &record);
    if (r->closing)
        return;
    r->changed = false;
    r->registering = true;
    registration_start(r->registration, &record, wanted);
}

/* ---- lookups ---- */

static void schedule_lookups(struct rendezvous *r)
{
    uint64_t next = wants_next(&r->wants), now = clock_monotonic_us();
    if (r->closing || r->looking)
        return;
    if (!r->reachable || r->doubted || next == TIME_NEVER)
        uv_timer_stop(&r->lookup_timer);
    else
        start_timer(&r->lookup_timer, on_lookup_timer, next > now ? next - now : 0);
}

static void tell_absent(struct rendezvous *r, const struct want *want)
{
    r->config.missing(
        r->config.context, &want->id,
        "the backbone knows no such id: check its digits, and that it runs and is registered there");
}

static void tell_forged(struct rendezvous *r, struct want *want, const char *cause)
{
    char hex[ID_TEXT_MAX], why[HELPER_TEXT_MAX + 64];
    snprintf(why, sizeof(why), "the backbone's record of it is ignored: %s", cause);
    r->config.missing(r->config.context, &want->id, why);
    if (!want->forged)
        log_warn("backbone %s: its record of %s is ignored: %s", r->url, id_format(&want->id, hex), cause);
    want->forged = true;
}

static void on_record(struct rendezvous *r, struct want *want)
{
    const struct record *record = &r->job.record;
    want->forged = false;
    if (record->seq < want->seq)
        return;
    want->seq = record->seq;
    r->config.found(r->config.context, record);
}

/* The record is in the job when it was found and verified. */
static void end_lookup(struct rendezvous *r, enum backbone_verdict verdict, const char *cause)
{
    struct want *want = wants_find(&r->wants, &r->job.id); /* or it was forgotten meanwhile */
    r->looking = false;
    if (verdict == BACKBONE_UNREACHABLE) {
        r->doubted = true;
        schedule_register(r, 0);
    }
    if (want && verdict == BACKBONE_ABSENT)
        tell_absent(r, want);
    if (want && verdict == BACKBONE_FORGED)
        tell_forged(r, want, cause);
    if (want && verdict == BACKBONE_OK)
        on_record(r, want);
    schedule_lookups(r);
}

static void on_verified(uv_work_t *work, int status)
{
    struct record_job *job = work->data;
    struct rendezvous *r = job->owner;
    if (!r->closing)
        end_lookup(r, status ? BACKBONE_REFUSED : job->verdict, job->cause);
    release(r);
}

static bool copy(struct slice from, uint8_t *to, size_t cap, size_t *len)
{
    if (from.len > cap)
        return false;
    memcpy(to, from.data, from.len);
    *len = from.len;
    return true;
}

static void on_found(void *context, const struct helper_message *answer)
{
    struct rendezvous *r = context;
    struct record_job *job = &r->job;
    if (!answer || answer->kind != HELPER_BACKBONE)
        end_lookup(r, BACKBONE_UNREACHABLE, "");
    else if (answer->verdict != BACKBONE_OK)
        end_lookup(r, answer->verdict, answer->text);
    else if (!copy(answer->data, job->data, sizeof(job->data), &job->len) ||
             !copy(answer->signature, job->signature, sizeof(job->signature), &job->signature_len))
        end_lookup(r, BACKBONE_FORGED, "it is malformed");
    else if (uv_queue_work(r->config.loop, &job->work, record_job_verify, on_verified) != 0)
        end_lookup(r, BACKBONE_REFUSED, "");
    else
        r->handles++;
}

/* Behind the one that was looked up last, so that each has its turn. */
static struct want *next_want(const struct rendezvous *r, uint64_t now)
{
    const struct want *last = wants_find(&r->wants, &r->job.id);
    struct want *next = last ? wants_due(&r->wants, last, now) : NULL;
    return next ? next : wants_due(&r->wants, NULL, now);
}

static void look_up(struct rendezvous *r, const struct node_id *id)
{
    const struct addr *addresses;
    struct helper_message m = {.kind = HELPER_ASK_RECORD, .data = {id->bytes, sizeof(id->bytes)}};
    m.address_count = registration_addresses(r->registration, &addresses);
    memcpy(m.addresses, addresses, m.address_count * sizeof(*addresses));
    r->job.id = *id;
    r->looking = true;
    if (helper_client_ask(r->config.helper, &m, on_found, r))
        end_lookup(r, BACKBONE_UNREACHABLE, "");
}

static void on_lookup_timer(uv_timer_t *timer)
{
    struct rendezvous *r = timer->data;
    uint64_t now = clock_monotonic_us();
    struct want *want = r->looking ? NULL : next_want(r, now);
    if (want) {
        want->next_us = now + rendezvous_lookup_us(now - want->since_us, r->wants.wanted, random_bits());
        look_up(r, &want->id);
    }
    schedule_lookups(r);
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

int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out)
{
    struct rendezvous *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    snprintf(r->url, sizeof(r->url), "%s", config->url);
    const struct registration_config registration = {.loop = config->loop,
                                                     .url = r->url,
                                                     .proxy = config->proxy,
                                                     .helper = config->helper,
                                                     .names = config->names,
                                                     .me = config->me,
                                                     .done = on_registration,
                                                     .context = r};
    int err = registration_new(&registration, &r->registration);
    if (err) {
        free(r);
        return err;
    }
    r->job.work.data = &r->job;
    r->job.owner = r;
    uv_timer_init(config->loop, &r->register_timer);
    uv_timer_init(config->loop, &r->lookup_timer);
    r->register_timer.data = r->lookup_timer.data = r;
    r->handles = 2;
    *out = r;
    return 0;
}

void rendezvous_start(struct rendezvous *r)
{
    schedule_register(r, 0);
}

void rendezvous_changed(struct rendezvous *r)
{
    if (!r->changed) /* further changes do not put it off */
        schedule_register(r, CHANGE_DELAY_US);
    r->changed = true;
}

bool rendezvous_is_reachable(const struct rendezvous *r)
{
    return r->reachable;
}

unsigned rendezvous_addresses(const struct rendezvous *r, const struct addr **out)
{
    return registration_addresses(r->registration, out);
}

bool rendezvous_is_registered(const struct rendezvous *r, const char **why)
{
    *why = r->cause;
    return r->state == STATE_REGISTERED;
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
    registration_close(r->registration);
    helper_client_forget(r->config.helper, r);
    uv_close((uv_handle_t *)&r->register_timer, on_timer_closed);
    uv_close((uv_handle_t *)&r->lookup_timer, on_timer_closed);
}
