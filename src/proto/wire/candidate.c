/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates and addresses as CBOR, shared by messages and records. Pure. docs/PROTOCOL.md §7, §8. */

#include "proto/wire/candidate.h"
#include "base/cbor.h"

#define ITEMS      4 /* of a candidate */
#define ITEMS_MAX  16
#define ADDR4_LEN  4
#define ADDR6_LEN  16
#define MAPPED_LEN 12

void candidate_addr_encode(const struct addr *a, struct writer *w)
{
    cbor_put_bytes(w, a->ip, a->family == 4 ? ADDR4_LEN : ADDR6_LEN);
}

void candidate_addr_decode(struct reader *r, struct addr *out)
{
    static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};
    size_t len;
    const uint8_t *ip = cbor_take_bytes(r, ADDR6_LEN, &len);
    *out = (struct addr){0};
    if (!ip || (len != ADDR4_LEN && len != ADDR6_LEN)) {
        r->bad = true;
        return;
    }
    if (len == ADDR6_LEN && memcmp(ip, mapped, sizeof(mapped)) == 0) {
        ip += sizeof(mapped);
        len = ADDR4_LEN;
    }
    out->family = len == ADDR4_LEN ? 4 : 6;
    memcpy(out->ip, ip, len);
}

void candidates_encode(const struct candidate *list, unsigned count, struct writer *w)
{
    cbor_put_array(w, count);
    for (unsigned i = 0; i < count; i++) {
        cbor_put_array(w, ITEMS);
        cbor_put_uint(w, list[i].kind);
        candidate_addr_encode(&list[i].addr, w);
        cbor_put_uint(w, list[i].addr.port);
        cbor_put_uint(w, list[i].control_port);
    }
}

static bool kind_known(uint64_t kind)
{
    switch ((enum candidate_kind)kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
    case CANDIDATE_RELAYED:
    case CANDIDATE_STATIC:
        return true;
    }
    return false;
}

static void skip_items(struct reader *r, size_t count)
{
    for (size_t i = 0; i < count && !r->bad; i++)
        cbor_skip(r);
}

/* True when *out is a candidate; false when it was skipped or r went bad. */
static bool decode_one(struct reader *r, struct candidate *out)
{
    size_t items = cbor_take_array(r, ITEMS_MAX);
    uint64_t kind = cbor_take_uint(r, UINT8_MAX);
    bool known = kind_known(kind);
    if (items < (known ? ITEMS : 1))
        r->bad = true;
    if (r->bad)
        return false;
    if (!known) {
        skip_items(r, items - 1);
        return false;
    }
    *out = (struct candidate){.kind = (enum candidate_kind)kind};
    candidate_addr_decode(r, &out->addr);
    out->addr.port = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    out->control_port = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    skip_items(r, items - ITEMS);
    return !r->bad;
}

unsigned candidates_decode(struct reader *r, struct candidate list[CANDIDATES_MAX])
{
    size_t count = cbor_take_array(r, CANDIDATES_MAX);
    unsigned stored = 0;
    for (size_t i = 0; i < count && !r->bad; i++) {
        struct candidate c;
        if (decode_one(r, &c))
            list[stored++] = c;
    }
    return r->bad ? 0 : stored;
}
