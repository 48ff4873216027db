/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of 2 and 12 bytes, answers of 8, 12 and 16 (RFC 6886 §3.2, §3.3, §3.5). */
#include "proto/portmap/natpmp.h"

#include "base/bytes.h"

#define RESPONSE_BIT 0x80
#define OPCODE_LAST  NATPMP_TCP
#define ADDR4_LEN    4

size_t natpmp_encode(enum natpmp_opcode opcode, const struct natpmp_map *map, uint8_t out[NATPMP_ASK_MAX])
{
    struct writer w = writer_init(out, NATPMP_ASK_MAX);
    writer_u8(&w, NATPMP_VERSION);
    writer_u8(&w, (uint8_t)opcode);
    if (map) {
        writer_u16(&w, 0);
        writer_u16(&w, map->internal_port);
        writer_u16(&w, map->external_port);
        writer_u32(&w, map->lifetime_s);
    }
    return writer_len(&w);
}

static void take_success(struct reader *r, struct natpmp_answer *out)
{
    if (out->opcode == NATPMP_ADDRESS) {
        out->address.family = 4;
        reader_copy(r, out->address.ip, ADDR4_LEN);
        return;
    }
    out->map.internal_port = reader_u16(r);
    out->map.external_port = reader_u16(r);
    out->map.lifetime_s = reader_u32(r);
}

int natpmp_answer_decode(const uint8_t *data, size_t len, struct natpmp_answer *out)
{
    struct reader r = reader_init(data, len);
    *out = (struct natpmp_answer){0};
    uint8_t version = reader_u8(&r), opcode = reader_u8(&r);
    out->result = reader_u16(&r);
    out->epoch_s = reader_u32(&r);
    if (r.bad)
        return ERR_FORMAT;
    /* Who does not know the version may repeat the opcode of the question, with the bit or without (§3.5). */
    if (version == NATPMP_VERSION && out->result == NATPMP_UNSUPP_VERSION)
        return 0;
    if (version != NATPMP_VERSION || opcode < RESPONSE_BIT || opcode > (RESPONSE_BIT | OPCODE_LAST))
        return ERR_UNSUPPORTED;
    out->opcode = (enum natpmp_opcode)(opcode & ~RESPONSE_BIT);
    if (out->result == NATPMP_SUCCESS)
        take_success(&r, out);
    return r.bad ? ERR_FORMAT : 0;
}
