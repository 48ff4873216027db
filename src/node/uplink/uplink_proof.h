/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Our signature over a backbone's challenge, made on libuv's thread pool. docs/PROTOCOL.md §15. While a job runs, everything
 * in its struct is the pool's; else it is the control thread's. */

#include "crypto/identity.h"
#include "proto/uplink/uplink_message.h"
#include <uv.h>

struct uplink_proof {
    uv_work_t work;
    void *owner; /* the control thread's */
    const struct identity *me;
    size_t len;
    uint8_t text[UPLINK_PROOF_MAX], signature[IDENTITY_SIGNATURE_LEN];
    int err;
};

/* For uv_queue_work; the job is work->data. Signs len bytes of text. */
void uplink_proof_sign(uv_work_t *work);
