/* SPDX-License-Identifier: Apache-2.0 */
/* Records: nothing that was not signed verifies, and a refused one leaves nothing behind. The signature is
 * the tail of the input, when there is one. */

#include "proto/message/record.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t none[IDENTITY_SIGNATURE_LEN];
    size_t tail = size > IDENTITY_SIGNATURE_LEN ? IDENTITY_SIGNATURE_LEN : 0;
    static struct record r;
    int err = record_verify(data, size - tail, tail ? data + size - tail : none, IDENTITY_SIGNATURE_LEN, &r);
    if (err && (r.seq || r.candidate_count || r.name[0]))
        abort();
    /* The corpus holds the only signed record there is: without its signature nothing passes. */
    if (!err && !tail)
        abort();
    return 0;
}
