/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: whatever decodes encodes to the same bytes, a receipt but for flags that mean nothing. */

#include "proto/path/path.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[PATH_PROBE_LEN], receipt[PATH_RECEIPT_LEN];
    struct path_probe p;
    if (path_probe_decode(data, size, &p))
        return 0;
    path_probe_encode(&p, again);
    if (size < sizeof(again) || memcmp(again, data, sizeof(again)) != 0)
        abort();
    path_receipt_encode(&p.receipt, receipt);
    if (p.receipt.there != (p.kind == PATH_PROBE_ANSWER && size >= sizeof(again) + sizeof(receipt)) ||
        (p.receipt.there && memcmp(receipt, data + sizeof(again), sizeof(receipt) - 1) != 0))
        abort();
    return 0;
}
