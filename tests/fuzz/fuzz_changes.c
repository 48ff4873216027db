/* SPDX-License-Identifier: Apache-2.0 */
/* An issuer's log of members: what is read is written the same. */

#include "proto/network/changes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[CHANGES_ENCODED_MAX];
    struct writer w = writer_init(again, sizeof(again));
    struct changes *c;

    if (changes_new(&c))
        abort();
    if (changes_decode(c, data, size) == 0) {
        changes_encode(c, &w);
        if (w.bad || writer_len(&w) != size || memcmp(again, data, size) != 0)
            abort();
    }
    changes_free(c);
    return 0;
}
