/* SPDX-License-Identifier: Apache-2.0 */
/* Registers this node with the backbone and looks up others: when what is asked, and what the log tells.
 *
 *              info and registration succeed
 *   UNKNOWN ────────────────────────────────→ REGISTERED ──┐ check every 8 s, register at half-life
 *      │  no answer          ┌──────────────────↑  │  ↑────┘
 *      └──────────→ UNREACHABLE ←──────────────────┤
 *                       ↑ └──────→ REFUSED ←───────┘  it answers, and refuses our record
 *                       └─────────────┘
 * docs/PROTOCOL.md §8. Control thread; registration.c has the steps of one registration, rendezvous_lookup.c
 * the look-ups. */
#include "node/rendezvous/rendezvous.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "node/helper/helper_client.h"
#include "node/rendezvous/registration.h"
#include "node/rendezvous/rendezvous_impl.h"
#include "node/rendezvous/rendezvous_lookup.h"
#include "node/rendezvous/rendezvous_schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_DELAY_US  (200 * USEC_PER_MSEC)
#define REFRESH_US       (REGISTRATION_LIFETIME_S * USEC_PER_SEC / 2)
#define REFUSED_DELAY_US (2 * USEC_PER_SEC)
#define CAUSE_LOG_US     (30 * USEC_PER_SEC)

uint32_t rendezvous_random(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

void rendezvous_release(struct rendezvous *r)
{
    if (--r->handles > 0)
        return;
    wants_fini(&r->wants);
    free(r);
}

void rendezvous_start_timer(uv_timer_t *timer, uv_timer_cb callback, uint64_t delay_us)
{
    uv_timer_start(timer, callback, (delay_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

static void on_register_timer(uv_timer_t *timer);

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

void rendezvous_schedule_register(struct rendezvous *r, uint64_t delay_us)
{
    if (!r->registering)
        rendezvous_start_timer(&r->register_timer, on_register_timer, delay_us);
}

/* How long to wait now that one is done. */
static uint64_t after_registration(struct rendezvous *r, enum backbone_verdict verdict, uint64_t now)
{
    if (verdict == BACKBONE_OK) {
        r->failures = 0;
        return r->changed ? CHANGE_DELAY_US : rendezvous_check_us(rendezvous_random());
    }
    if (r->failures++ == 0)
        r->failing_since_us = now;
    uint64_t us = rendezvous_retry_us(r->failures, now - r->failing_since_us, rendezvous_random());
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
            r->refresh_us = now + REFRESH_US - REFRESH_US / 10 * (rendezvous_random() % 1024) / 1024;
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
    bool left = r->left;
    r->registering = r->doubted = r->left = false;
    if (left) {
        rendezvous_schedule_register(r, 0);
        return;
    }
    if (outcome->date_s)
        r->config.clock(r->config.context, (int64_t)clock_unix_s() - (int64_t)outcome->date_s);
    on_verdict(r, outcome, now);
    rendezvous_schedule_register(r, after_registration(r, outcome->verdict, now));
    rendezvous_schedule_lookups(r);
    r->config.tried(r->config.context, r->reachable, registration_interface(r->registration));
}

static void on_instances(void *context, struct slice list)
{
    const struct rendezvous *r = context;
    r->config.instances(r->config.context, list);
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

/* ---- life ---- */

int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out)
{
    struct rendezvous *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    r->url = config->url;
    const struct registration_config registration = {.loop = config->loop,
                                                     .url = config->url,
                                                     .proxy = config->proxy,
                                                     .helper = config->helper,
                                                     .backbone = config->backbone,
                                                     .names = config->names,
                                                     .me = config->me,
                                                     .ways = config->ways,
                                                     .done = on_registration,
                                                     .instances = on_instances,
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
    rendezvous_schedule_register(r, 0);
}

void rendezvous_changed(struct rendezvous *r)
{
    if (!r->changed) /* further changes do not put it off */
        rendezvous_schedule_register(r, CHANGE_DELAY_US);
    r->changed = true;
}

/* What the log is told of from here on is the new place. */
void rendezvous_move(struct rendezvous *r, const char *url)
{
    r->url = url[0] ? url : r->config.url;
    r->left = !registration_move(r->registration, url) && r->registering;
    r->registering = r->left;
    r->reachable = false;
    r->udp = (struct addr){0};
    r->failures = 0;
    rendezvous_schedule_register(r, 0);
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
    rendezvous_release(handle->data);
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
