/* SPDX-License-Identifier: Apache-2.0 */
/* What comes on a trunk: a batch keeps its bounds, encodes to the same head, and is the same however little of what is
 * behind it has come. */

#include "proto/wire/trunk.h"
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
    struct trunk_batch b, again, first;
    uint8_t head[TRUNK_HEAD_LEN];
    size_t at = 0;
    while (trunk_decode(data + at, size - at, &b) == 1) {
        size_t len = TRUNK_HEAD_LEN + b.len;
        check(b.ecn <= 3 && b.segment > 0 && b.len > 0 && len <= TRUNK_BATCH_MAX && len <= size - at);
        check((b.len + b.segment - 1u) / b.segment <= TRUNK_DATAGRAMS);
        trunk_encode(&b, head);
        check(memcmp(head, data + at, TRUNK_HEAD_LEN) == 0);
        check(trunk_decode(data + at, len, &again) == 1 && memcmp(&again, &b, sizeof(b)) == 0);
        check(trunk_decode(data + at, len - 1, &again) == 0);
        bool alone = b.len == b.segment && b.len <= TRUNK_FIRST_MAX;
        check(trunk_decode_first(data + at, len, &first) == (alone ? 1 : ERR_FORMAT));
        at += len;
    }
    check(size == 0 || trunk_begins(data[0]) || trunk_decode(data, size, &b) == ERR_FORMAT);
    return 0;
}
