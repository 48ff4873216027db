/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of 24 bytes, and MAP's 36 behind (RFC 6887 §7, §11.1). IPv4 addresses stand there as ::ffff:a.b.c.d. */
#include "proto/portmap/pcp.h"

#include "base/bytes.h"

#define RESPONSE_BIT 0x80
#define HEADER_LEN   24
#define IP_LEN       16
#define MAPPED_LEN   12 /* of ::ffff:0:0/96 */

static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};

/* No address is the family's own "any" (§11.1). */
static void put_ip(struct writer *w, const struct addr *a, uint8_t family)
{
    uint8_t ip[IP_LEN] = {0};
    if (family == 4)
        memcpy(ip, mapped, MAPPED_LEN);
    if (a->family == family)
        memcpy(ip + (family == 4 ? MAPPED_LEN : 0), a->ip, family == 4 ? 4 : IP_LEN);
    writer_put(w, ip, sizeof(ip));
}

static struct addr take_ip(struct reader *r, uint16_t port)
{
    uint8_t ip[IP_LEN];
    struct addr out = {.family = 6, .port = port};
    reader_copy(r, ip, sizeof(ip));
    bool v4 = memcmp(ip, mapped, MAPPED_LEN) == 0;
    out.family = v4 ? 4 : 6;
    memcpy(out.ip, ip + (v4 ? MAPPED_LEN : 0), v4 ? 4 : IP_LEN);
    return out;
}

void pcp_map_encode(const struct addr *client, uint32_t lifetime_s, const struct pcp_map *map,
                    uint8_t out[PCP_MAP_LEN])
{
    struct writer w = writer_init(out, PCP_MAP_LEN);
    writer_u8(&w, PCP_VERSION);
    writer_u8(&w, PCP_MAP);
    writer_u16(&w, 0);
    writer_u32(&w, lifetime_s);
    put_ip(&w, client, client->family);
    writer_put(&w, map->nonce, sizeof(map->nonce));
    writer_u8(&w, map->protocol);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, map->internal_port);
    writer_u16(&w, map->external.port);
    put_ip(&w, &map->external, client->family);
}

static void take_map(struct reader *r, struct pcp_map *out)
{
    reader_copy(r, out->nonce, sizeof(out->nonce));
    out->protocol = reader_u8(r);
    (void)reader_take(r, 3);
    out->internal_port = reader_u16(r);
    uint16_t port = reader_u16(r);
    out->external = take_ip(r, port);
}

int pcp_answer_decode(const uint8_t *data, size_t len, struct pcp_answer *out)
{
    struct reader r = reader_init(data, len);
    *out = (struct pcp_answer){0};
    uint8_t version = reader_u8(&r), opcode = reader_u8(&r);
    if (r.bad || len < HEADER_LEN || len > PCP_MESSAGE_MAX || len % 4)
        return ERR_FORMAT;
    if (version != PCP_VERSION ||
        (opcode != (RESPONSE_BIT | PCP_MAP) && opcode != (RESPONSE_BIT | PCP_ANNOUNCE)))
        return ERR_UNSUPPORTED;
    out->opcode = (enum pcp_opcode)(opcode & ~RESPONSE_BIT);
    (void)reader_u8(&r);
    out->result = reader_u8(&r);
    out->lifetime_s = reader_u32(&r);
    out->epoch_s = reader_u32(&r);
    (void)reader_take(&r, MAPPED_LEN);
    if (out->opcode == PCP_MAP)
        take_map(&r, &out->map);
    return r.bad ? ERR_FORMAT : 0;
}
