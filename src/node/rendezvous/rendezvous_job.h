/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the rendezvous has done on libuv's thread pool: a registration, or a batch of lookups. While a job
 * runs, everything in its struct is the pool's; between runs it is the control thread's. */

#include "node/rendezvous/backbone_client.h"
#include <uv.h>

#define LOOKUP_BATCH 16

struct rendezvous;

struct register_job {
    uv_work_t work;
    struct rendezvous *owner; /* the control thread's */
    struct backbone_client client;
    const struct identity *me;
    bool wanted; /* register even when the backbone is the one that has us already */
    bool registered;
    struct record record;
    enum backbone_verdict verdict;
};

struct lookup_job {
    uv_work_t work;
    struct rendezvous *owner;
    struct backbone_client client;
    unsigned count;
    struct lookup {
        struct node_id id;
        enum backbone_verdict verdict;
        char cause[HTTP_CAUSE_MAX]; /* when forged */
        struct record record;
    } lookups[LOOKUP_BATCH];
};

/* For uv_queue_work; the job is work->data. */
void register_job_run(uv_work_t *work);
void lookup_job_run(uv_work_t *work);
