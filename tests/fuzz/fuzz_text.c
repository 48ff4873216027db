/* SPDX-License-Identifier: Apache-2.0 */
/* Text of strangers: what is cleaned is taken, cleaning again changes nothing, and it never grows. */

#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *again = malloc(size + 1);
    check(text && again);
    if (size)
        memcpy(text, data, size);
    bool ok = text_ok(text, size);
    size_t len = text_clean(text, size);
    check(len <= size && text_ok(text, len));
    check(ok || len < size || memcmp(text, data, size) != 0);
    memcpy(again, text, len);
    check(text_clean(again, len) == len && memcmp(text, again, len) == 0);
    free(text);
    free(again);
    return 0;
}
