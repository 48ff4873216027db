/* SPDX-License-Identifier: Apache-2.0 */
/* Records are believed here and nowhere else. docs/PROTOCOL.md §8. Threads of libuv's pool. */
#include "node/rendezvous/record_job.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

static void judge(struct record_job *job, enum backbone_verdict verdict, const char *cause)
{
    job->verdict = verdict;
    job->cause = cause;
}

void record_job_sign(uv_work_t *work)
{
    struct record_job *job = work->data;
    job->record.id = *identity_id(job->me);
    memcpy(job->record.spki, identity_spki(job->me), sizeof(job->record.spki));
    job->signature_len = sizeof(job->signature);
    int err = record_sign(&job->record, job->me, job->data, sizeof(job->data), &job->len, job->signature);
    judge(job, err ? BACKBONE_REFUSED : BACKBONE_OK, "");
}

/* One that has expired, by a clock that may be wrong, is a hint for dialling as good as any: TLS proves the id. */
void record_job_verify(uv_work_t *work)
{
    struct record_job *job = work->data;
    int err = record_verify(job->data, job->len, job->signature, job->signature_len, &job->record);
    judge(job, BACKBONE_OK, "");
    if (err == ERR_MISMATCH || (!err && id_compare(&job->record.id, &job->id) != 0))
        judge(job, BACKBONE_FORGED, "its key is not that node's");
    else if (err)
        judge(job, BACKBONE_FORGED,
              err == ERR_CRYPTO ? "its signature does not verify" : "the record is malformed");
}

uint64_t record_job_seq(uint64_t last)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
    return now > last ? now : last + 1;
}
