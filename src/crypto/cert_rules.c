/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the profile: labels, lives, and lists in order. Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert_rules.h"

#include "crypto/cert.h"
#include "crypto/der.h"
#include "crypto/identity_internal.h"

#define VLAN_MAX 4094

static bool is_ldh(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool cert_label_ok(const char *text)
{
    size_t len = strnlen(text, CERT_LABEL_MAX);

    if (len == 0 || len == CERT_LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_ldh(text[i]))
            return false;
    return true;
}

bool cert_name_ok(const char *text)
{
    struct node_id id;

    return cert_label_ok(text) && id_parse(text, &id) != 0;
}

static uint64_t longest_life(enum cert_kind kind)
{
    switch (kind) {
    case CERT_CA:
        return CERT_CA_LIFE;
    case CERT_ISSUER:
        return CERT_ISSUER_LIFE;
    case CERT_MEMBER:
        return CERT_MEMBER_LIFE;
    }
    return 0;
}

static bool life_is_sound(const struct cert *c)
{
    return c->not_before < c->not_after && c->not_after <= DER_TIME_MAX &&
           c->not_after - c->not_before <= longest_life(c->kind);
}

static bool addr_is_plain(const struct addr *a)
{
    return (a->family == 4 || a->family == 6) && a->port == 0 && a->scope == 0;
}

static int addr_order(const struct addr *a, const struct addr *b)
{
    return a->family != b->family ? a->family - b->family : memcmp(a->ip, b->ip, sizeof(a->ip));
}

bool cert_addresses_hold(const struct addr *list, size_t count)
{
    if (count > CERT_ADDRESSES_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!addr_is_plain(&list[i]) || (i > 0 && addr_order(&list[i - 1], &list[i]) >= 0))
            return false;
    return true;
}

/* A subnet: no bit is set behind its prefix. */
static bool prefix_is_plain(const struct addr_prefix *p)
{
    unsigned bits = p->addr.family == 4 ? 32 : 128;

    if (!addr_is_plain(&p->addr) || p->bits > bits)
        return false;
    for (unsigned bit = p->bits; bit < bits; bit++)
        if (p->addr.ip[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

static int prefix_order(const struct addr_prefix *a, const struct addr_prefix *b)
{
    int order = addr_order(&a->addr, &b->addr);

    return order ? order : a->bits - b->bits;
}

static bool prefixes_are_sound(const struct addr_prefix *list, size_t count, size_t most)
{
    if (count > most)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!prefix_is_plain(&list[i]) || (i > 0 && prefix_order(&list[i - 1], &list[i]) >= 0))
            return false;
    return true;
}

static bool vlans_are_sound(const struct cert *c)
{
    unsigned least = 1; /* ranges that touch would be one */

    if (c->vlan_count > CERT_VLANS_MAX)
        return false;
    for (size_t i = 0; i < c->vlan_count; i++) {
        const struct cert_vlans *v = &c->vlans[i];
        if (v->first < least || v->last < v->first || v->last > VLAN_MAX)
            return false;
        least = v->last + 2u;
    }
    return true;
}

/* No prefix is, or lies within, the one before it. */
static bool macs_are_sound(const struct cert *c)
{
    if (c->mac_count > CERT_MACS_MAX)
        return false;
    for (size_t i = 0; i < c->mac_count; i++) {
        const struct cert_mac *m = &c->macs[i], *before = i > 0 ? m - 1 : NULL;
        if (m->len == 0 || m->len > sizeof(m->bytes))
            return false;
        if (before && memcmp(before->bytes, m->bytes, before->len < m->len ? before->len : m->len) >= 0)
            return false;
    }
    return true;
}

static bool member_is_sound(const struct cert *c)
{
    return cert_name_ok(c->name) && c->range_count == 0 && c->slice_count == 0 &&
           cert_addresses_hold(c->addresses, c->address_count) && vlans_are_sound(c) && macs_are_sound(c) &&
           prefixes_are_sound(c->routes, c->route_count, CERT_ROUTES_MAX);
}

/* Of a CA or an issuer. */
static bool authority_is_sound(const struct cert *c)
{
    return c->name[0] == '\0' && c->range_count > 0 &&
           prefixes_are_sound(c->ranges, c->range_count, CERT_RANGES_MAX) && c->address_count == 0 &&
           c->vlan_count == 0 && c->mac_count == 0 && c->route_count == 0 && c->roles == 0;
}

static bool slices_are_sound(const struct cert *c)
{
    if (c->slice_count == 0 || !prefixes_are_sound(c->slices, c->slice_count, CERT_RANGES_MAX))
        return false;
    for (size_t i = 0; i < c->slice_count; i++) {
        size_t within = 0;
        for (size_t j = 0; j < c->range_count; j++)
            within +=
                c->slices[i].bits >= c->ranges[j].bits && addr_in_prefix(&c->slices[i].addr, &c->ranges[j]);
        if (within == 0)
            return false;
    }
    return true;
}

bool cert_rules_hold(const struct cert *c)
{
    bool self = id_compare(&c->issuer, &c->id) == 0;

    if (!cert_label_ok(c->network) || c->serial[0] == 0 || c->serial[0] > 0x7f || !life_is_sound(c) ||
        !identity_is_spki(c->spki, sizeof(c->spki)))
        return false;
    switch (c->kind) {
    case CERT_CA:
        return self && authority_is_sound(c) && c->slice_count == 0;
    case CERT_ISSUER:
        return !self && authority_is_sound(c) && slices_are_sound(c);
    case CERT_MEMBER:
        return member_is_sound(c);
    }
    return false;
}
