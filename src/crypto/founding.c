/* SPDX-License-Identifier: Apache-2.0 */
/* A slice's size is a fixed part of its range, so that issuers never overlap and nobody has to count them. */

#include "crypto/founding.h"

#include "base/random.h"
#include <string.h>

#define IPV4_LEN     4
#define IPV6_LEN     16
#define RANGE_DRAWS  4096
#define RANGE_BITS   24
#define WHOLE_BITS   8 /* a route as wide as this takes no range away: a longer one wins */
#define SLICE_DIGITS 5 /* slices begin at a number of 32nds of the range */

/* The first issuer, which most networks have alone, has half; the others find room in the rest. */
static const struct {
    uint8_t bits; /* that it is longer than its range */
    uint8_t at;   /* in 32nds of it */
} slices[FOUNDING_SLICES] = {{1, 0}, {2, 16}, {4, 24}, {4, 26}, {5, 28}, {5, 29}, {5, 30}, {5, 31}};

static size_t address_len(const struct addr *a)
{
    return a->family == 4 ? IPV4_LEN : IPV6_LEN;
}

static bool is_taken(const struct addr_prefix *range, const struct addr_prefix *taken, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (taken[i].bits > WHOLE_BITS && addr_prefix_overlap(range, &taken[i]))
            return true;
    return false;
}

int founding_range(const struct random_source *random, const struct addr_prefix *taken, size_t count,
                   struct addr_prefix *out)
{
    for (unsigned i = 0; i < RANGE_DRAWS; i++) {
        *out = (struct addr_prefix){.addr = {.family = 4, .ip = {10}}, .bits = RANGE_BITS};
        random_fill(random, out->addr.ip + 1, 2);
        if (!is_taken(out, taken, count))
            return 0;
    }
    return ERR_SPACE;
}

struct addr_prefix founding_ula(const struct node_id *ca)
{
    struct addr_prefix out = {.addr = {.family = 6, .ip = {0xfd}}, .bits = 64};

    memcpy(out.addr.ip + 1, ca->bytes, 5);
    return out;
}

bool founding_range_ok(const struct addr_prefix *range)
{
    if (range->addr.family == 4)
        return range->bits >= FOUNDING_IPV4_MIN && range->bits <= FOUNDING_IPV4_MAX;
    return range->addr.family == 6 && range->bits >= FOUNDING_IPV4_MIN && range->bits <= FOUNDING_IPV6_MAX;
}

/* Sets bit number at, from the left. */
static void set_bit(struct addr *a, unsigned at)
{
    a->ip[at / 8] |= (uint8_t)(0x80 >> at % 8);
}

int founding_slice(const struct addr_prefix *range, unsigned number, struct addr_prefix *out)
{
    unsigned bits = range->bits + slices[number].bits;

    if (bits > 8 * address_len(&range->addr))
        return ERR_SPACE;
    *out = (struct addr_prefix){range->addr, (uint8_t)bits};
    for (unsigned i = 0; i < SLICE_DIGITS; i++)
        if (slices[number].at >> (SLICE_DIGITS - 1 - i) & 1)
            set_bit(&out->addr, range->bits + i);
    return 0;
}

static int begin(const struct founding *f, enum cert_kind kind, const struct node_id *issuer,
                 const uint8_t spki[IDENTITY_SPKI_LEN], struct cert *out)
{
    size_t len = strlen(f->network);

    *out = (struct cert){.kind = kind, .issuer = *issuer, .not_before = f->now - FOUNDING_CLOCK_SLACK};
    if (len >= sizeof(out->network))
        return ERR_ARGUMENT;
    memcpy(out->network, f->network, len);
    memcpy(out->spki, spki, IDENTITY_SPKI_LEN);
    random_fill(f->random, out->serial, sizeof(out->serial));
    out->serial[0] = (uint8_t)(out->serial[0] % 0x7f + 1);
    return identity_id_of_spki(spki, IDENTITY_SPKI_LEN, &out->id);
}

static int finish(struct founding_cert *out, const struct identity *signer)
{
    return cert_sign(&out->cert, signer, out->der, &out->len);
}

int founding_ca(const struct founding *f, const struct identity *ca, struct founding_cert *out)
{
    struct cert *c = &out->cert;
    int err = begin(f, CERT_CA, identity_id(ca), identity_spki(ca), c);

    for (unsigned i = 0; i < f->range_count; i++)
        if (!founding_range_ok(&f->ranges[i]))
            return ERR_ARGUMENT;
    c->not_after = c->not_before + CERT_CA_LIFE;
    memcpy(c->ranges, f->ranges, sizeof(c->ranges));
    c->range_count = f->range_count;
    return err ? err : finish(out, ca);
}

int founding_issuer(const struct founding *f, const struct identity *ca,
                    const uint8_t spki[IDENTITY_SPKI_LEN], unsigned number, struct founding_cert *out)
{
    struct cert *c = &out->cert;
    int err = begin(f, CERT_ISSUER, identity_id(ca), spki, c);

    c->not_after = c->not_before + CERT_ISSUER_LIFE;
    memcpy(c->ranges, f->ranges, sizeof(c->ranges));
    c->range_count = c->slice_count = f->range_count;
    for (unsigned i = 0; !err && i < f->range_count; i++)
        err = founding_slice(&f->ranges[i], number, &c->slices[i]);
    return err ? err : finish(out, ca);
}

int founding_issuer_again(const struct founding *f, const struct identity *ca, const struct cert *last,
                          struct founding_cert *out)
{
    struct cert *c = &out->cert;
    int err = begin(f, CERT_ISSUER, identity_id(ca), last->spki, c);

    c->not_after = c->not_before + CERT_ISSUER_LIFE;
    memcpy(c->ranges, last->ranges, sizeof(c->ranges));
    memcpy(c->slices, last->slices, sizeof(c->slices));
    c->range_count = last->range_count;
    c->slice_count = last->slice_count;
    return err ? err : finish(out, ca);
}

/* The number of an address in a slice, as far as 32 bits have room for it. */
static uint32_t number_in(const struct addr_prefix *slice, const struct addr *a)
{
    uint32_t number = 0;

    for (size_t i = 0; i < address_len(a); i++)
        number = number << 8 | (uint32_t)(a->ip[i] ^ slice->addr.ip[i]);
    return number;
}

static struct addr nth_of(const struct addr_prefix *slice, uint32_t number)
{
    struct addr a = slice->addr;
    size_t len = address_len(&a);

    for (size_t i = 0; i < sizeof(number); i++)
        a.ip[len - 1 - i] |= (uint8_t)(number >> 8 * i);
    return a;
}

static int choose_number(const struct cert *issuer, const struct addr *ip, uint32_t *out)
{
    *out = 1;
    if (!ip->family)
        return 0;
    for (unsigned i = 0; i < issuer->slice_count; i++) {
        const struct addr_prefix *slice = &issuer->slices[i];
        uint32_t number = number_in(slice, ip);
        struct addr same = nth_of(slice, number);

        if (!number || !addr_in_prefix(ip, slice) || !addr_same_host(&same, ip))
            continue;
        *out = number;
        return 0;
    }
    return ERR_SPACE;
}

static int give_addresses(const struct cert *issuer, const struct addr *ip, struct cert *c)
{
    uint32_t number;
    int err = choose_number(issuer, ip, &number);

    for (unsigned i = 0; !err && i < issuer->slice_count; i++) {
        struct addr a = nth_of(&issuer->slices[i], number);

        if (addr_in_prefix(&a, &issuer->slices[i]))
            c->addresses[c->address_count++] = a;
    }
    return err;
}

int founding_member(const struct founding *f, const struct cert *issuer, const struct identity *issuer_key,
                    const uint8_t spki[IDENTITY_SPKI_LEN], const char *name, const struct addr *ip,
                    struct founding_cert *out)
{
    struct cert *c = &out->cert;
    int err = begin(f, CERT_MEMBER, identity_id(issuer_key), spki, c);
    size_t len = strlen(name);

    if (len >= sizeof(c->name))
        return ERR_ARGUMENT;
    memcpy(c->name, name, len);
    if (c->not_before < issuer->not_before)
        c->not_before = issuer->not_before;
    c->not_after = f->now + FOUNDING_MEMBER_LIFE;
    if (!err)
        err = give_addresses(issuer, ip, c);
    return err ? err : finish(out, issuer_key);
}
