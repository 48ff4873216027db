/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What rendezvous.c (registration, what is told, life) and rendezvous_lookup.c (look-ups) share; nobody else includes this.
 * Control thread. */

#include "base/log.h"
#include "node/helper/helper_message.h"
#include "node/rendezvous/record_job.h"
#include "node/rendezvous/rendezvous.h"
#include "node/rendezvous/rendezvous_wants.h"

struct registration;

enum rendezvous_state { STATE_UNKNOWN, STATE_UNREACHABLE, STATE_REFUSED, STATE_REGISTERED };

struct rendezvous {
    struct rendezvous_config config;
    const char *url; /* where it is now */
    bool closing;
    unsigned handles; /* timers not closed and jobs not done; the last one frees us */

    uv_timer_t register_timer;
    struct registration *registration;
    bool registering;
    bool left;    /* … with a place that we have left */
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
    bool doubted;                 /* whether the backbone is there: the next registration finds out */
    struct record_job job;        /* the present look-up, or the last one */
    char linked[HELPER_TEXT_MAX]; /* where its owner is said to be linked */
    struct wants wants;
};

uint32_t rendezvous_random(void);

/* A handle is closed, or a job done. */
void rendezvous_release(struct rendezvous *r);

/* Not once the timer is closed. */
void rendezvous_start_timer(uv_timer_t *timer, uv_timer_cb callback, uint64_t delay_us);

/* When the next registration is due. */
void rendezvous_schedule_register(struct rendezvous *r, uint64_t delay_us);
