/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking half of the rendezvous: HTTP, signing and verifying. Threads of libuv's pool. */
#include "node/rendezvous/rendezvous_job.h"

#include <string.h>

void register_job_run(uv_work_t *work)
{
    struct register_job *job = work->data;
    job->registered = false;
    job->verdict = backbone_client_info(&job->client);
    bool restarted = strcmp(job->client.instance, job->client.registered) != 0;
    if (job->verdict != BACKBONE_OK || (!job->wanted && !restarted))
        return;
    job->verdict = backbone_client_register(&job->client, &job->record, job->me);
    job->registered = job->verdict == BACKBONE_OK;
}

void lookup_job_run(uv_work_t *work)
{
    struct lookup_job *job = work->data;
    enum backbone_verdict verdict = BACKBONE_OK;
    for (unsigned i = 0; i < job->count; i++) {
        struct lookup *l = &job->lookups[i];
        /* What timed out once would do so for every id. */
        if (verdict != BACKBONE_UNREACHABLE)
            verdict = backbone_client_lookup(&job->client, &l->id, &l->record);
        l->verdict = verdict;
        memcpy(l->cause, job->client.cause, sizeof(l->cause));
    }
}
