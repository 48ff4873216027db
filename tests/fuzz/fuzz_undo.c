/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a node that was killed: what is taken is written back byte for byte. */

#include "node/device/undo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[UNDO_TEXT_MAX];
    struct undo u;
    if (undo_decode((const char *)data, size, &u))
        return 0;
    if (undo_encode(&u, text) != size || memcmp(text, data, size) != 0)
        abort();
    return 0;
}
