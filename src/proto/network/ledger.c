/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which name and which addresses of a slice. Pure; control thread. docs/PROTOCOL.md §26. */

#include "proto/network/ledger.h"

#include "base/cbor.h"
#include "crypto/cert_chain.h"
#include "proto/wire/candidate.h"
#include <stdlib.h>
#include <string.h>

#define MEMBER_ITEMS     9
#define ADDRESS_HEAD_LEN 1
/* All addresses that members have may be in one slice, and two are nobody's: one of these is free. */
#define NUMBERS_MAX (LEDGER_MAX * CERT_ADDRESSES_MAX + 4)

struct ledger {
    size_t count;
    struct ledger_member members[LEDGER_MAX]; /* by ascending id */
};

int ledger_new(struct ledger **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void ledger_free(struct ledger *l)
{
    free(l);
}

/* ---- who is there ---- */

/* Where the id is, or would be. */
static size_t place_of(const struct ledger *l, const struct node_id *id)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (id_compare(&l->members[mid].id, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct ledger_member *ledger_find(const struct ledger *l, const struct node_id *id)
{
    size_t at = place_of(l, id);

    return at < l->count && id_compare(&l->members[at].id, id) == 0 ? &l->members[at] : NULL;
}

const struct ledger_member *ledger_named(const struct ledger *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->members[i].name, name) == 0)
            return &l->members[i];
    return NULL;
}

const struct ledger_member *ledger_at(const struct ledger *l, size_t i)
{
    return i < l->count ? &l->members[i] : NULL;
}

/* ---- changes ---- */

static bool has_address(const struct ledger_member *m, const struct addr *a)
{
    for (size_t i = 0; i < m->address_count; i++)
        if (addr_same_host(&m->addresses[i], a))
            return true;
    return false;
}

static bool clash(const struct ledger_member *a, const struct ledger_member *b)
{
    if (strcmp(a->name, b->name) == 0)
        return true;
    for (size_t i = 0; i < b->address_count; i++)
        if (has_address(a, &b->addresses[i]))
            return true;
    return false;
}

static bool is_sound(const struct ledger_member *m)
{
    return cert_name_ok(m->name) && m->address_count <= CERT_ADDRESSES_MAX && m->issued < m->not_after &&
           m->joined <= m->issued;
}

int ledger_put(struct ledger *l, const struct ledger_member *member)
{
    size_t at = place_of(l, &member->id);
    bool there = at < l->count && id_compare(&l->members[at].id, &member->id) == 0;

    if (!is_sound(member))
        return ERR_ARGUMENT;
    for (size_t i = 0; i < l->count; i++)
        if ((!there || i != at) && clash(&l->members[i], member))
            return ERR_EXISTS;
    if (!there && l->count == LEDGER_MAX)
        return ERR_SPACE;
    if (!there) {
        memmove(&l->members[at + 1], &l->members[at], (l->count - at) * sizeof(*l->members));
        l->count++;
    }
    l->members[at] = *member;
    return 0;
}

static void drop(struct ledger *l, size_t at)
{
    l->count--;
    memmove(&l->members[at], &l->members[at + 1], (l->count - at) * sizeof(*l->members));
}

void ledger_undo(struct ledger *l, const struct node_id *id, const struct ledger_member *before)
{
    size_t at = place_of(l, id);

    if (before)
        l->members[at] = *before;
    else
        drop(l, at);
}

void ledger_forget(struct ledger *l, uint64_t now,
                   bool (*is_revoked)(void *context, const struct node_id *id), void *context)
{
    for (size_t i = l->count; i-- > 0;) {
        const struct ledger_member *m = &l->members[i];
        bool over = now > m->not_after && now - m->not_after > CERT_RENEWAL;
        if (over || (is_revoked && is_revoked(context, &m->id)))
            drop(l, i);
    }
}

/* ---- addresses ---- */

static size_t ip_len(const struct addr *a)
{
    return a->family == 4 ? 4 : 16;
}

/* Which one of the slice it is; UINT64_MAX when it is none, or 32 bits do not tell. */
static uint64_t number_in(const struct addr *a, const struct addr_prefix *slice)
{
    size_t len = ip_len(a), tail = len - sizeof(uint32_t);
    struct reader r = reader_init(a->ip + tail, sizeof(uint32_t));
    struct reader first = reader_init(slice->addr.ip + tail, sizeof(uint32_t));

    if (!addr_in_prefix(a, slice) || memcmp(a->ip, slice->addr.ip, tail) != 0)
        return UINT64_MAX;
    return reader_u32(&r) - reader_u32(&first);
}

static struct addr address_at(const struct addr_prefix *slice, uint32_t number)
{
    struct addr a = slice->addr;
    size_t tail = ip_len(&a) - sizeof(uint32_t);
    struct reader r = reader_init(a.ip + tail, sizeof(uint32_t));
    uint32_t first = reader_u32(&r);
    struct writer w = writer_init(a.ip + tail, sizeof(uint32_t));

    writer_u32(&w, first + number);
    return a;
}

/* Marks the numbers that members have in a slice. */
static void mark_taken(const struct ledger *l, const struct addr_prefix *slice, uint8_t *taken)
{
    for (size_t i = 0; i < l->count; i++)
        for (size_t j = 0; j < l->members[i].address_count; j++) {
            uint64_t number = number_in(&l->members[i].addresses[j], slice);
            if (number < NUMBERS_MAX)
                taken[number / 8] |= (uint8_t)(1u << number % 8);
        }
}

static bool is_edge(const struct addr *a, const struct cert *issuer)
{
    for (size_t i = 0; i < issuer->range_count; i++)
        if (addr_is_subnet_edge(a, &issuer->ranges[i]))
            return true;
    return false;
}

/* One in each slice. False when one of them has no such number to give. */
static bool numbered(const struct cert *issuer, uint32_t number, struct addr out[CERT_RANGES_MAX])
{
    for (size_t i = 0; i < issuer->slice_count; i++) {
        out[i] = address_at(&issuer->slices[i], number);
        if (!addr_in_prefix(&out[i], &issuer->slices[i]) || is_edge(&out[i], issuer))
            return false;
    }
    return true;
}

int ledger_free_addresses(const struct ledger *l, const struct cert *issuer, struct addr out[CERT_RANGES_MAX])
{
    uint8_t taken[(NUMBERS_MAX + 7) / 8] = {0};

    for (size_t i = 0; i < issuer->slice_count; i++)
        mark_taken(l, &issuer->slices[i], taken);
    for (uint32_t number = 1; number < NUMBERS_MAX; number++)
        if (!(taken[number / 8] >> number % 8 & 1) && numbered(issuer, number, out))
            return 0;
    return ERR_SPACE;
}

/* ---- in a file ---- */

static void put_member(struct writer *w, const struct ledger_member *m)
{
    cbor_put_array(w, MEMBER_ITEMS);
    cbor_put_bytes(w, m->id.bytes, ID_LEN);
    cbor_put_text(w, m->name);
    cbor_put_array(w, m->address_count);
    for (size_t i = 0; i < m->address_count; i++)
        candidate_addr_encode(&m->addresses[i], w);
    cbor_put_uint(w, m->roles);
    cbor_put_bytes(w, m->serial, CERT_SERIAL_LEN);
    cbor_put_uint(w, m->joined);
    cbor_put_uint(w, m->issued);
    cbor_put_uint(w, m->not_after);
    cbor_put_bytes(w, m->invitation, KDF_LEN);
}

void ledger_encode(const struct ledger *l, struct writer *w)
{
    cbor_put_array(w, l->count);
    for (size_t i = 0; i < l->count; i++)
        put_member(w, &l->members[i]);
}

/* One that is mapped has two encodings: we write the short one. */
static void take_address(struct reader *r, struct addr *out)
{
    size_t left = reader_left(r);

    candidate_addr_decode(r, out);
    r->bad |= left - reader_left(r) != ADDRESS_HEAD_LEN + ip_len(out);
}

static void take_member(struct reader *r, struct ledger *l)
{
    struct ledger_member m = {0};

    r->bad |= cbor_take_array(r, MEMBER_ITEMS) != MEMBER_ITEMS;
    cbor_take_exact(r, m.id.bytes, ID_LEN);
    cbor_take_text(r, m.name, sizeof(m.name));
    m.address_count = (uint8_t)cbor_take_array(r, CERT_ADDRESSES_MAX);
    for (size_t i = 0; i < m.address_count; i++)
        take_address(r, &m.addresses[i]);
    m.roles = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    cbor_take_exact(r, m.serial, CERT_SERIAL_LEN);
    m.joined = cbor_take_uint(r, UINT64_MAX);
    m.issued = cbor_take_uint(r, UINT64_MAX);
    m.not_after = cbor_take_uint(r, UINT64_MAX);
    cbor_take_exact(r, m.invitation, KDF_LEN);
    if (r->bad || (l->count > 0 && id_compare(&l->members[l->count - 1].id, &m.id) >= 0) || ledger_put(l, &m))
        r->bad = true;
}

void ledger_decode(struct ledger *l, struct reader *r)
{
    for (size_t left = cbor_take_array(r, LEDGER_MAX); left > 0 && !r->bad; left--)
        take_member(r, l);
}
