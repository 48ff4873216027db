/* SPDX-License-Identifier: Apache-2.0 */
/* A probe's bytes. Pure; any thread. docs/PROTOCOL.md §9. */

#include "proto/path/path.h"

#define FAMILY_NONE 0
#define ADDR4_LEN   4
#define ADDR6_LEN   16

void path_probe_encode(const struct path_probe *p, uint8_t out[PATH_PROBE_LEN])
{
    struct writer w = writer_init(out, PATH_PROBE_LEN);
    writer_u8(&w, (uint8_t)p->kind);
    writer_u8(&w, 0);
    writer_u16(&w, p->size);
    writer_u64(&w, p->token);
    writer_u8(&w, p->observed.family);
    writer_u16(&w, p->observed.port);
    writer_put(&w, p->observed.ip, sizeof(p->observed.ip));
    writer_u8(&w, 0);
}

static bool all_zero(const uint8_t *data, size_t len)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum |= data[i];
    return sum == 0;
}

static bool is_mapped(const uint8_t ip[ADDR6_LEN])
{
    return all_zero(ip, 10) && ip[10] == 0xff && ip[11] == 0xff;
}

/* One form per address: nothing behind a short one, IPv4 never inside IPv6. */
static bool observed_ok(const struct path_probe *p)
{
    const struct addr *a = &p->observed;
    switch (a->family) {
    case FAMILY_NONE:
        return a->port == 0 && all_zero(a->ip, sizeof(a->ip));
    case 4:
        return p->kind == PATH_PROBE_ANSWER && all_zero(a->ip + ADDR4_LEN, sizeof(a->ip) - ADDR4_LEN);
    case 6:
        return p->kind == PATH_PROBE_ANSWER && !is_mapped(a->ip);
    }
    return false;
}

int path_probe_decode(const uint8_t *data, size_t len, struct path_probe *out)
{
    struct reader r = reader_init(data, len);
    uint8_t kind = reader_u8(&r), zero = reader_u8(&r);
    *out = (struct path_probe){.kind = (enum path_probe_kind)kind};
    out->size = reader_u16(&r);
    out->token = reader_u64(&r);
    out->observed.family = reader_u8(&r);
    out->observed.port = reader_u16(&r);
    reader_copy(&r, out->observed.ip, sizeof(out->observed.ip));
    zero |= reader_u8(&r);
    if (kind == PATH_PROBE_ANSWER && !r.bad)
        path_receipt_decode(data + PATH_PROBE_LEN, len - PATH_PROBE_LEN, &out->receipt);
    bool known = kind >= PATH_PROBE_REQUEST && kind <= PATH_PROBE_TRUNK;
    if (r.bad || zero || !known || !observed_ok(out)) {
        *out = (struct path_probe){0};
        return ERR_FORMAT;
    }
    return 0;
}
