/* SPDX-License-Identifier: Apache-2.0 */
/* Records are verified by the pool. */
#include "node/rendezvous/rendezvous_lookup.h"

#include "base/clock.h"
#include "node/helper/helper_client.h"
#include "node/rendezvous/registration.h"
#include "node/rendezvous/rendezvous_impl.h"
#include "node/rendezvous/rendezvous_schedule.h"

#include <stdio.h>
#include <string.h>

#define LINKED_US                                                                                            \
    (USEC_PER_SEC / 2) /* who can be dialled is so by then, and need not be sought where it is linked */

static void on_lookup_timer(uv_timer_t *timer);

void rendezvous_schedule_lookups(struct rendezvous *r)
{
    uint64_t next = wants_next(&r->wants), now = clock_monotonic_us();
    if (r->closing || r->looking)
        return;
    if (!r->reachable || r->doubted || next == TIME_NEVER)
        uv_timer_stop(&r->lookup_timer);
    else
        rendezvous_start_timer(&r->lookup_timer, on_lookup_timer, next > now ? next - now : 0);
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
    if (r->linked[0] && clock_monotonic_us() - want->since_us >= LINKED_US)
        r->config.linked(r->config.context, &want->id, r->linked);
    if (record->seq < want->seq)
        return;
    want->seq = record->seq;
    const struct record_bytes bytes = {{r->job.data, r->job.len}, {r->job.signature, r->job.signature_len}};
    r->config.found(r->config.context, record, &bytes);
}

/* The record is in the job when it was found and verified. */
static void end_lookup(struct rendezvous *r, enum backbone_verdict verdict, const char *cause)
{
    struct want *want = wants_find(&r->wants, &r->job.id); /* or it was forgotten meanwhile */
    r->looking = false;
    if (verdict == BACKBONE_UNREACHABLE) {
        r->doubted = true;
        rendezvous_schedule_register(r, 0);
    }
    if (want && verdict == BACKBONE_ABSENT)
        tell_absent(r, want);
    if (want && verdict == BACKBONE_FORGED)
        tell_forged(r, want, cause);
    if (want && verdict == BACKBONE_OK)
        on_record(r, want);
    rendezvous_schedule_lookups(r);
}

static void on_verified(uv_work_t *work, int status)
{
    struct record_job *job = work->data;
    struct rendezvous *r = job->owner;
    if (!r->closing)
        end_lookup(r, status ? BACKBONE_REFUSED : job->verdict, job->cause);
    rendezvous_release(r);
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
    snprintf(r->linked, sizeof(r->linked), "%s", answer ? answer->text : "");
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
    struct helper_message m = {
        .kind = HELPER_ASK_RECORD, .number = r->config.backbone, .data = {id->bytes, sizeof(id->bytes)}};
    helper_message_set_text(&m, registration_instance(r->registration));
    m.interface = registration_interface(r->registration);
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
        want->next_us =
            now + rendezvous_lookup_us(now - want->since_us, r->wants.wanted, rendezvous_random());
        look_up(r, &want->id);
    }
    rendezvous_schedule_lookups(r);
}

void rendezvous_want(struct rendezvous *r, const struct node_id *id)
{
    wants_add(&r->wants, id, clock_monotonic_us());
    rendezvous_schedule_lookups(r);
}

void rendezvous_forget(struct rendezvous *r, const struct node_id *id)
{
    wants_forget(&r->wants, id, clock_monotonic_us());
}
