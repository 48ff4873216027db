/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a registration:
 *
 *   NAME ──→ INFO ──→ CHALLENGE ──→ SIGN ──→ RECORD ──→ done
 *              └──→ done: it has us, ↑          │
 *                or we only look     └──────────┘ it has a newer seq of us: once
 *
 * Any of them may fail, which is the end of the attempt. docs/PROTOCOL.md §8. */
#include "node/rendezvous/registration.h"

#include "base/clock.h"
#include "node/helper/helper_client.h"
#include "node/helper/http_url.h"
#include "node/helper/name_client.h"
#include "node/rendezvous/record_job.h"
#include "proto/path/ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PATIENCE_MS 3000
#define NAME_FRESH_US    (60 * USEC_PER_SEC)

enum step { STEP_IDLE, STEP_NAME, STEP_INFO, STEP_CHALLENGE, STEP_SIGN, STEP_RECORD };

struct registration {
    struct registration_config config;
    const char *instance; /* the URL of another one that is used in the backbone's place; empty: none */
    struct http_url at;   /* what is connected to: the proxy, or the backbone */
    enum step step;
    uint32_t interface; /* that it leaves by; 0: as the kernel chooses */
    bool wanted;
    bool looks;    /* whether it answers, and no more */
    bool repeated; /* after a conflict */
    bool given_up; /* while it is signed */
    bool closing;
    unsigned handles; /* a timer not closed and a job not done; the last one frees us */
    uv_timer_t patience;
    struct registration_outcome outcome;
    struct record_job job;

    /* Kept between attempts: */
    struct addr addresses[HELPER_ADDRESSES_MAX];
    unsigned address_count;
    bool resolving;                   /* a look-up of its name is on the way */
    bool stale;                       /* the addresses have not helped */
    uint64_t resolved_us;             /* when they were found */
    char process[HELPER_TEXT_MAX];    /* the backbone's running one, when it tells it */
    char registered[HELPER_TEXT_MAX]; /* the one that has our record */
    uint64_t last_seq;                /* of our record */
};

static void release(struct registration *r)
{
    if (--r->handles == 0)
        free(r);
}

static void finish(struct registration *r, enum backbone_verdict verdict, const char *cause)
{
    r->step = STEP_IDLE;
    r->outcome.verdict = verdict;
    snprintf(r->outcome.cause, sizeof(r->outcome.cause), "%s", cause);
    r->stale |= verdict == BACKBONE_UNREACHABLE;
    r->config.done(r->config.context, &r->outcome);
}

static void on_answer(void *context, const struct helper_message *answer);

static void ask(struct registration *r, enum step step, struct helper_message *m)
{
    r->step = step;
    m->number = r->config.backbone;
    m->interface = r->interface;
    helper_message_set_text(m, r->instance);
    memcpy(m->addresses, r->addresses, sizeof(r->addresses));
    m->address_count = r->address_count;
    int err = helper_client_ask(r->config.helper, m, on_answer, r);
    if (err)
        finish(r, BACKBONE_UNREACHABLE, err == ERR_CLOSED ? "its process is gone" : err_str(err));
}

static void ask_plainly(struct registration *r, enum step step, enum helper_kind kind)
{
    struct helper_message m = {.kind = kind};
    ask(r, step, &m);
}

/* ---- its name ---- */

static void on_found(void *context, const struct addr *addresses, unsigned count, const char *why)
{
    struct registration *r = context;
    char cause[HELPER_TEXT_MAX];
    r->resolving = false;
    if (count) {
        memcpy(r->addresses, addresses, count * sizeof(*addresses));
        r->address_count = count;
        r->resolved_us = clock_monotonic_us();
        r->stale = false;
    }
    if (r->step != STEP_NAME)
        return; /* later than it could be waited for */
    uv_timer_stop(&r->patience);
    snprintf(cause, sizeof(cause), "its %sname cannot be resolved: %.200s", r->config.proxy ? "proxy's " : "",
             why);
    if (r->address_count)
        ask_plainly(r, STEP_INFO, HELPER_ASK_INFO);
    else
        finish(r, BACKBONE_UNREACHABLE, cause);
}

/* What was found earlier may still be right. */
static void on_patience(uv_timer_t *timer)
{
    struct registration *r = timer->data;
    if (r->address_count)
        ask_plainly(r, STEP_INFO, HELPER_ASK_INFO);
    else
        finish(r, BACKBONE_UNREACHABLE, "no name server answers within 3 s");
}

static void ask_for_name(struct registration *r)
{
    int err = r->resolving ? 0 : name_client_ask(r->config.names, r->at.host, on_found, r);
    if (err) {
        finish(r, BACKBONE_UNREACHABLE,
               err == ERR_ARGUMENT ? "its name, or its proxy's, is no name" : err_str(err));
        return;
    }
    r->resolving = true;
    r->step = STEP_NAME;
    uv_timer_start(&r->patience, on_patience, NAME_PATIENCE_MS, 0);
}

static bool knows_address(const struct registration *r)
{
    return r->at.is_address ||
           (r->address_count && !r->stale && clock_monotonic_us() - r->resolved_us < NAME_FRESH_US);
}

/* ---- our record ---- */

static void send_record(struct registration *r)
{
    struct helper_message m = {.kind = HELPER_ASK_REGISTER,
                               .data = {r->job.data, r->job.len},
                               .signature = {r->job.signature, r->job.signature_len}};
    ask(r, STEP_RECORD, &m);
}

static void on_signed(uv_work_t *work, int status)
{
    struct record_job *job = work->data;
    struct registration *r = job->owner;
    bool signed_well = status == 0 && job->verdict == BACKBONE_OK && !r->given_up;
    if (!r->closing && signed_well)
        send_record(r);
    else if (!r->closing)
        finish(r, BACKBONE_REFUSED, "our record cannot be signed");
    release(r);
}

static void sign(struct registration *r, const struct helper_message *challenge)
{
    struct record *record = &r->job.record;
    if (challenge->data.len != sizeof(record->challenge)) {
        finish(r, BACKBONE_UNREACHABLE, "its challenge is malformed");
        return;
    }
    memcpy(record->challenge, challenge->data.data, sizeof(record->challenge));
    record->seq = r->last_seq = record_job_seq(r->last_seq);
    record->expiry_s = clock_unix_s() + REGISTRATION_LIFETIME_S;
    r->step = STEP_SIGN;
    if (uv_queue_work(r->config.loop, &r->job.work, record_job_sign, on_signed) != 0)
        finish(r, BACKBONE_REFUSED, "our record cannot be signed");
    else
        r->handles++;
}

/* ---- answers ---- */

static void on_info(struct registration *r, const struct helper_message *info)
{
    if (r->looks) {
        finish(r, BACKBONE_OK, "");
        return;
    }
    if (info->address_count)
        r->outcome.udp = info->addresses[0];
    if (info->data.len)
        r->config.instances(r->config.context, info->data);
    strcpy(r->process, info->text);
    if (r->wanted || strcmp(r->process, r->registered) != 0)
        ask_plainly(r, STEP_CHALLENGE, HELPER_ASK_CHALLENGE);
    else
        finish(r, BACKBONE_OK, "");
}

static void on_registered(struct registration *r)
{
    strcpy(r->registered, r->process);
    r->outcome.registered = true;
    finish(r, BACKBONE_OK, "");
}

/* True when the attempt begins anew by another way out. */
static bool goes_another_way(struct registration *r)
{
    uint32_t next = r->step == STEP_INFO ? ways_next(r->config.ways, 0, r->interface) : 0;
    if (!next)
        return false;
    r->interface = next;
    ask_plainly(r, STEP_INFO, HELPER_ASK_INFO);
    return true;
}

/* True when the attempt goes on in spite of it. */
static bool is_conflict(struct registration *r, const struct helper_message *answer)
{
    if (r->step != STEP_RECORD || answer->verdict != BACKBONE_REFUSED || answer->number == 0)
        return false;
    r->last_seq = answer->number;
    bool first = !r->repeated;
    r->repeated = true;
    return first;
}

static void on_answer(void *context, const struct helper_message *answer)
{
    struct registration *r = context;
    if (answer && answer->date_s)
        r->outcome.date_s = answer->date_s;
    if (!answer || answer->kind != HELPER_BACKBONE)
        finish(r, BACKBONE_UNREACHABLE, "its process does not answer");
    else if (answer->verdict == BACKBONE_UNREACHABLE && goes_another_way(r))
        return;
    else if (is_conflict(r, answer))
        ask_plainly(r, STEP_CHALLENGE, HELPER_ASK_CHALLENGE);
    else if (answer->verdict != BACKBONE_OK)
        finish(r, answer->verdict, answer->text);
    else if (r->step == STEP_INFO)
        on_info(r, answer);
    else if (r->step == STEP_CHALLENGE)
        sign(r, answer);
    else
        on_registered(r);
}

/* ---- life ---- */

int registration_new(const struct registration_config *config, struct registration **out)
{
    struct registration *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    r->instance = "";
    if (!http_url_parse(config->proxy ? config->proxy : config->url, &r->at)) {
        free(r);
        return ERR_SPACE;
    }
    r->job.me = config->me;
    r->job.work.data = &r->job;
    r->job.owner = r;
    uv_timer_init(config->loop, &r->patience);
    r->patience.data = r;
    r->handles = 1;
    *out = r;
    return 0;
}

static void begin(struct registration *r, bool looks)
{
    r->looks = looks;
    r->repeated = r->given_up = false;
    r->interface = 0;
    r->outcome = (struct registration_outcome){.verdict = BACKBONE_OK};
    if (knows_address(r))
        ask_plainly(r, STEP_INFO, HELPER_ASK_INFO);
    else
        ask_for_name(r);
}

void registration_start(struct registration *r, const struct record *record, bool wanted)
{
    r->job.record = *record;
    r->wanted = wanted;
    begin(r, false);
}

void registration_look(struct registration *r)
{
    begin(r, true);
}

/* A signature is made within milliseconds, and its job is not to be given up. */
bool registration_move(struct registration *r, const char *url)
{
    r->instance = url;
    r->stale = true;
    if (!r->config.proxy) {
        r->address_count = 0;
        r->resolving = false;
        name_client_forget(r->config.names, r);
        (void)!http_url_parse(url[0] ? url : r->config.url, &r->at); /* a host that is too long is nowhere */
    }
    r->given_up = r->step == STEP_SIGN;
    if (r->given_up)
        return false;
    helper_client_forget(r->config.helper, r);
    uv_timer_stop(&r->patience);
    r->step = STEP_IDLE;
    return true;
}

const char *registration_instance(const struct registration *r)
{
    return r->instance;
}

uint32_t registration_interface(const struct registration *r)
{
    return r->interface;
}

unsigned registration_addresses(const struct registration *r, const struct addr **out)
{
    *out = r->addresses;
    return r->address_count;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void registration_close(struct registration *r)
{
    r->closing = true;
    helper_client_forget(r->config.helper, r);
    name_client_forget(r->config.names, r);
    uv_close((uv_handle_t *)&r->patience, on_timer_closed);
}
