/* SPDX-License-Identifier: Apache-2.0 */
/* The value of an endpoint. Pure; any thread. */

#include "proto/path/endpoint.h"

#include <stdio.h>

const char *carrier_name(enum carrier carrier)
{
    switch (carrier) {
    case CARRIER_NONE:
        return "none";
    case CARRIER_UDP:
        return "direct";
    }
    return "unknown";
}

enum carrier carrier_for(enum candidate_kind kind)
{
    switch (kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
    case CANDIDATE_STATIC:
        return CARRIER_UDP;
    case CANDIDATE_RELAYED: /* only its relay reaches it */
        return CARRIER_NONE;
    }
    return CARRIER_NONE;
}

struct endpoint endpoint_udp(const struct addr *remote)
{
    return (struct endpoint){.carrier = CARRIER_UDP, .remote = *remote};
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
    return a->carrier == b->carrier && addr_same_host(&a->local, &b->local) &&
           addr_equal(&a->remote, &b->remote);
}

char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    char remote[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
    int len =
        snprintf(out, ENDPOINT_TEXT_MAX, "%s %s", carrier_name(e->carrier), addr_format(&e->remote, remote));
    if (e->local.family)
        snprintf(out + len, ENDPOINT_TEXT_MAX - (size_t)len, " from %s", addr_format(&e->local, local));
    return out;
}
