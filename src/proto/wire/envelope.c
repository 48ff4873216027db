/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's envelope. Pure; any thread. docs/PROTOCOL.md §17. */

#include "proto/wire/envelope.h"

void envelope_encode(const struct envelope *e, uint8_t out[ENVELOPE_LEN])
{
    struct writer w = writer_init(out, ENVELOPE_LEN);
    writer_u8(&w, WIRE_RELAY);
    writer_u8(&w, (uint8_t)e->kind);
    writer_u16(&w, 0);
    writer_u32(&w, e->channel);
}

enum drop envelope_decode(const uint8_t *data, size_t len, struct envelope *out)
{
    *out = (struct envelope){0};
    if (len <= ENVELOPE_LEN)
        return DROP_SHORT;
    struct reader r = reader_init(data, ENVELOPE_LEN);
    uint8_t type = reader_u8(&r), kind = reader_u8(&r);
    uint16_t zero = reader_u16(&r);
    uint32_t channel = reader_u32(&r);
    if (type != WIRE_RELAY)
        return DROP_TYPE;
    if (zero || !channel || kind > ENVELOPE_MESSAGE)
        return DROP_RESERVED;
    if (kind == ENVELOPE_DATAGRAM && data[ENVELOPE_LEN] == WIRE_RELAY)
        return DROP_RELAY;
    *out = (struct envelope){(enum envelope_kind)kind, channel};
    return DROP_NONE;
}
