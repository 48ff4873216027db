/* SPDX-License-Identifier: Apache-2.0 */
/* STUN: requests and responses; a response that decodes survives its encoding by us. */

#include "proto/message/stun.h"
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
    uint8_t transaction[STUN_TRANSACTION_LEN], again[STUN_TRANSACTION_LEN], out[STUN_MESSAGE_MAX];
    struct addr mapped, same;
    if (stun_request_decode(data, size, transaction) == 0)
        check(stun_request_decode(out, stun_request_encode(transaction, out), again) == 0);
    if (size < sizeof(transaction) + 8)
        return 0;
    memcpy(transaction, data + 8, sizeof(transaction));
    if (stun_response_decode(data, size, transaction, &mapped))
        return 0;
    check(stun_looks_like_response(data, size) || size > STUN_RESPONSE_MAX);
    check(mapped.family == 4 || mapped.family == 6);
    const struct addr other = stun_response_other(data, size);
    check(other.family == 0 || other.family == 4 || other.family == 6);
    check(stun_response_decode(out, stun_response_encode(transaction, &mapped, out), transaction, &same) ==
          0);
    check(addr_equal(&mapped, &same));
    return 0;
}
