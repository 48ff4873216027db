/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: what decodes must encode, and what was encoded must decode to the same bytes again. */

#include "proto/message/message.h"
#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t once[MESSAGE_MAX], twice[MESSAGE_MAX];
    struct message m;
    if (message_decode(data, size, &m)) {
        check(m.type == 0);
        return 0;
    }
    struct writer a = writer_init(once, sizeof(once)), b = writer_init(twice, sizeof(twice));
    message_encode(&m, &a);
    check(!a.bad && writer_len(&a) <= size + 64);
    check(message_decode(once, writer_len(&a), &m) == 0);
    message_encode(&m, &b);
    check(!b.bad && writer_len(&a) == writer_len(&b) && memcmp(once, twice, writer_len(&a)) == 0);
    return 0;
}
