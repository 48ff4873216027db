/* SPDX-License-Identifier: Apache-2.0 */
/* Headers: whatever decodes must encode to the same bytes, and describe only what the datagram holds. */

#include "proto/wire/wire.h"
#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void try_header(const uint8_t *data, size_t size)
{
    struct wire_header h;
    uint8_t again[WIRE_HEADER_LEN];

    if (wire_header_decode(data, size, &h))
        return;
    check(size >= WIRE_OVERHEAD && wire_lane_fits(h.type, h.lane));
    check(wire_classify(data, size) == WIRE_CLASS_SESSION);
    wire_header_encode(&h, again);
    check(memcmp(again, data, sizeof(again)) == 0);
}

static void try_inner(const uint8_t *data, size_t size)
{
    struct wire_inner in;
    uint8_t again[WIRE_INNER_LEN];

    if (wire_inner_decode(data, size, &in))
        return;
    size_t frame = size - WIRE_INNER_LEN;
    if (in.flags & WIRE_FLAG_FRAGMENT) {
        check(in.frag_offset + frame <= in.frag_total);
        frame = in.frag_total;
    }
    if (in.flags & WIRE_FLAG_CSUM)
        check((size_t)in.csum_start + in.csum_offset + 2 <= frame);
    wire_inner_encode(&in, again);
    check(memcmp(again, data, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)wire_classify(data, size);
    try_header(data, size);
    try_inner(data, size);
    return 0;
}
