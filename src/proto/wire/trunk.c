/* SPDX-License-Identifier: Apache-2.0 */
/* A batch's head. What is wrong is seen with the first byte that is. docs/PROTOCOL.md §18. */

#include "proto/wire/trunk.h"

#include "base/bytes.h"

#define ECN_MASK 3

bool trunk_begins(uint8_t first)
{
    return (first & ~ECN_MASK) == TRUNK_MARK;
}

void trunk_encode(const struct trunk_batch *b, uint8_t out[TRUNK_HEAD_LEN])
{
    struct writer w = writer_init(out, TRUNK_HEAD_LEN);
    writer_u8(&w, (uint8_t)(TRUNK_MARK | b->ecn));
    writer_u16(&w, b->segment);
    writer_u16(&w, b->len);
}

static bool sizes_ok(const struct trunk_batch *b)
{
    return b->segment > 0 && b->len > 0 && b->len <= TRUNK_DATA_MAX &&
           b->len <= (size_t)b->segment * TRUNK_DATAGRAMS;
}

int trunk_decode(const uint8_t *data, size_t len, struct trunk_batch *out)
{
    struct reader r = reader_init(data, len);
    if (len && !trunk_begins(data[0]))
        return ERR_FORMAT;
    if (len < TRUNK_HEAD_LEN)
        return 0;
    out->ecn = reader_u8(&r) & ECN_MASK;
    out->segment = reader_u16(&r);
    out->len = reader_u16(&r);
    if (!sizes_ok(out))
        return ERR_FORMAT;
    return reader_left(&r) >= out->len;
}

int trunk_decode_first(const uint8_t *data, size_t len, struct trunk_batch *out)
{
    int whole = trunk_decode(data, len, out);
    if (whole >= 0 && len >= TRUNK_HEAD_LEN && (out->len != out->segment || out->len > TRUNK_FIRST_MAX))
        return ERR_FORMAT;
    return whole;
}
