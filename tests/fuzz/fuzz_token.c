/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens, as somebody pastes them: what is read is written the same, and what is not leaves nothing. */

#include "crypto/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token none;
    char again[TOKEN_TEXT_MAX];
    struct token t;

    if (token_decode((const char *)data, size, &t)) {
        if (memcmp(&t, &none, sizeof(t)) != 0)
            abort();
    } else if (token_encode(&t, again) || strlen(again) != size || memcmp(again, data, size) != 0) {
        abort();
    }
    return 0;
}
