/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of the queue to the control thread. The worker takes tokens and adds what waits; the control thread
 * takes that off again. docs/PROTOCOL.md §14. */

#include "node/data/intake.h"

#include "base/bucket.h"
#include "base/clock.h"
#include <stdatomic.h>
#include <stdlib.h>

static const struct bucket_rate rate = {USEC_PER_SEC / INTAKE_RATE, INTAKE_BURST};

struct intake {
    struct bucket buckets[INTAKE_PEERS];
    _Atomic uint32_t waiting[INTAKE_PEERS]; /* bytes */
};

int intake_new(struct intake **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void intake_free(struct intake *in)
{
    free(in);
}

enum drop intake_judge(const struct intake *in, uint32_t slot, size_t len, uint64_t now_us)
{
    if (slot >= INTAKE_PEERS)
        return DROP_RECEIVER;
    if (atomic_load_explicit(&in->waiting[slot], memory_order_relaxed) + len > INTAKE_SHARE)
        return DROP_CONTROL_QUEUE;
    struct bucket as_if = in->buckets[slot];
    return bucket_take(&as_if, &rate, 1, now_us) ? DROP_NONE : DROP_CONTROL_RATE;
}

void intake_enter(struct intake *in, uint32_t slot, size_t len, uint64_t now_us)
{
    (void)bucket_take(&in->buckets[slot], &rate, 1, now_us);
    atomic_fetch_add_explicit(&in->waiting[slot], (uint32_t)len, memory_order_relaxed);
}

void intake_leave(struct intake *in, uint32_t slot, size_t len)
{
    atomic_fetch_sub_explicit(&in->waiting[slot], (uint32_t)len, memory_order_relaxed);
}
