/* SPDX-License-Identifier: Apache-2.0 */
/* MemberRights: roles, VLANs, MAC prefixes, routes. IssuerRights: slices. Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert_rights.h"

#include "crypto/cert.h"
#include "crypto/der.h"

#define SUBNET_LEN_4 5u /* an address and the length of its prefix */
#define SUBNET_LEN_6 17u

static void put_vlans(struct writer *w, const struct cert *c)
{
    size_t list = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < c->vlan_count; i++) {
        size_t range = der_open(w, DER_SEQUENCE);
        der_put_uint(w, c->vlans[i].first);
        der_put_uint(w, c->vlans[i].last);
        der_close(w, range);
    }
    der_close(w, list);
}

static void put_macs(struct writer *w, const struct cert *c)
{
    size_t list = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < c->mac_count; i++)
        der_put(w, DER_OCTET_STRING, c->macs[i].bytes, c->macs[i].len);
    der_close(w, list);
}

static void put_subnets(struct writer *w, const struct addr_prefix *subnets, size_t count)
{
    size_t list = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < count; i++) {
        const struct addr_prefix *p = &subnets[i];
        size_t subnet = der_open(w, DER_OCTET_STRING);
        writer_put(w, p->addr.ip, (p->addr.family == 4 ? SUBNET_LEN_4 : SUBNET_LEN_6) - 1);
        writer_u8(w, p->bits);
        der_close(w, subnet);
    }
    der_close(w, list);
}

void cert_rights_put(const struct cert *c, struct writer *w)
{
    size_t opened = der_open(w, DER_SEQUENCE);

    der_put_uint(w, c->roles);
    put_vlans(w, c);
    put_macs(w, c);
    put_subnets(w, c->routes, c->route_count);
    der_close(w, opened);
}

static bool take_vlans(struct reader list, struct cert *out)
{
    while (reader_left(&list) > 0) {
        struct reader range = der_take(&list, DER_SEQUENCE);
        if (out->vlan_count == CERT_VLANS_MAX)
            return false;
        struct cert_vlans *v = &out->vlans[out->vlan_count++];
        v->first = (uint16_t)der_take_uint(&range);
        v->last = (uint16_t)der_take_uint(&range);
    }
    return true;
}

static bool take_macs(struct reader list, struct cert *out)
{
    while (reader_left(&list) > 0) {
        struct reader mac = der_take(&list, DER_OCTET_STRING);
        size_t len = reader_left(&mac);
        if (out->mac_count == CERT_MACS_MAX || len > sizeof(out->macs->bytes))
            return false;
        struct cert_mac *m = &out->macs[out->mac_count++];
        m->len = (uint8_t)len;
        reader_copy(&mac, m->bytes, len);
    }
    return true;
}

static bool take_subnets(struct reader list, struct addr_prefix *out, size_t max, uint8_t *count)
{
    while (reader_left(&list) > 0) {
        struct reader subnet = der_take(&list, DER_OCTET_STRING);
        size_t len = reader_left(&subnet);
        if (*count == max || (len != SUBNET_LEN_4 && len != SUBNET_LEN_6))
            return false;
        struct addr_prefix *p = &out[(*count)++];
        p->addr.family = len == SUBNET_LEN_4 ? 4 : 6;
        reader_copy(&subnet, p->addr.ip, len - 1);
        p->bits = reader_u8(&subnet);
    }
    return true;
}

bool cert_rights_take(struct reader value, struct cert *out)
{
    struct reader fields = der_take(&value, DER_SEQUENCE);

    out->roles = (uint16_t)der_take_uint(&fields);
    return take_vlans(der_take(&fields, DER_SEQUENCE), out) &&
           take_macs(der_take(&fields, DER_SEQUENCE), out) &&
           take_subnets(der_take(&fields, DER_SEQUENCE), out->routes, CERT_ROUTES_MAX, &out->route_count);
}

void cert_slices_put(const struct cert *c, struct writer *w)
{
    size_t opened = der_open(w, DER_SEQUENCE);

    put_subnets(w, c->slices, c->slice_count);
    der_close(w, opened);
}

bool cert_slices_take(struct reader value, struct cert *out)
{
    struct reader fields = der_take(&value, DER_SEQUENCE);

    return take_subnets(der_take(&fields, DER_SEQUENCE), out->slices, CERT_RANGES_MAX, &out->slice_count);
}
