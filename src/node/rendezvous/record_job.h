/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ML-DSA of records on libuv's thread pool: ours is signed, those of others are verified. While a job runs, everything in
 * its struct is the pool's; else it is the control thread's. */

#include "crypto/identity.h"
#include "node/helper/helper_message.h"
#include "proto/message/record.h"
#include <uv.h>

struct record_job {
    uv_work_t work;
    void *owner; /* the control thread's */
    struct record record;
    uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    size_t len, signature_len;
    const struct identity *me; /* of record_job_sign */
    struct node_id id;         /* of record_job_verify: who was asked for */
    enum backbone_verdict verdict;
    const char *cause; /* of a record that is not believed */
};

/* For uv_queue_work; the job is work->data. Signs record into data and signature; or verifies those into
 * record. */
void record_job_sign(uv_work_t *work);
void record_job_verify(uv_work_t *work);

/* For our next record: microseconds of the wall clock, which grow over restarts of ours, and above last even when it was set
 * back. */
uint64_t record_job_seq(uint64_t last);
