/* SPDX-License-Identifier: Apache-2.0 */
/* The rates. A path is probed every 100 ms at most and a peer knows 16, a ratchet step takes 5 datagrams,
 * candidates change with interfaces, an opener handshakes each hour, relays are sought 20 times a second. docs/PROTOCOL.md §14. */

#include "proto/peer/allowance.h"

#include "base/clock.h"

static const struct bucket_rate rates[ALLOWANCE_COUNT] = {
    [ALLOWANCE_PROBE] = {USEC_PER_SEC / 500, 500},   [ALLOWANCE_CONTROL] = {USEC_PER_SEC / 100, 200},
    [ALLOWANCE_MESSAGE] = {USEC_PER_SEC / 4, 64},    [ALLOWANCE_KILOBYTE] = {USEC_PER_SEC / 8, 128},
    [ALLOWANCE_CONNECTION] = {USEC_PER_SEC / 2, 16}, [ALLOWANCE_STREAM] = {2 * USEC_PER_SEC, 8},
    [ALLOWANCE_RELAY] = {USEC_PER_SEC / 20, 128},    [ALLOWANCE_RECORD] = {USEC_PER_SEC / 4, 3},
    [ALLOWANCE_LIST] = {USEC_PER_SEC / 20, 32},
};

bool allowance_take(struct allowance *a, enum allowance_kind kind, unsigned cost, uint64_t now_us)
{
    return bucket_take(&a->buckets[kind], &rates[kind], cost, now_us);
}
