/* SPDX-License-Identifier: Apache-2.0 */
/* The value of an endpoint. Pure; any thread. */

#include "proto/path/endpoint.h"

#include "proto/wire/target.h"

#include <stdio.h>

#define STANDBY_TIER 3 /* behind all that the kernel chooses */

const char *carrier_name(enum carrier carrier)
{
    switch (carrier) {
    case CARRIER_NONE:
        return "none";
    case CARRIER_UDP:
        return "direct";
    case CARRIER_RELAY:
        return "relay";
    case CARRIER_TCP:
    case CARRIER_UPLINK:
        return "tcp";
    }
    return "unknown";
}

bool carrier_in(enum carrier carrier, enum carriers which)
{
    switch (which) {
    case CARRIERS_AUTO:
        return carrier != CARRIER_NONE;
    case CARRIERS_UDP:
        return carrier == CARRIER_UDP;
    case CARRIERS_TCP:
        return carrier == CARRIER_TCP || carrier == CARRIER_UPLINK;
    }
    return false;
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

struct endpoint endpoint_side(const struct addr *remote, unsigned side)
{
    return (struct endpoint){.carrier = CARRIER_UDP, .remote = *remote, .side = (uint8_t)side};
}

struct endpoint endpoint_relay(const struct addr *relay, uint32_t channel)
{
    return (struct endpoint){.carrier = CARRIER_RELAY, .remote = *relay, .channel = channel};
}

unsigned carrier_tier(enum carrier carrier)
{
    switch (carrier) {
    case CARRIER_NONE:
    case CARRIER_UDP:
        return 0;
    case CARRIER_RELAY:
        return 1;
    case CARRIER_TCP:
    case CARRIER_UPLINK:
        return 2;
    }
    return 0;
}

unsigned endpoint_tier(const struct endpoint *e)
{
    return carrier_tier(e->carrier) + (e->interface ? STANDBY_TIER : 0);
}

struct endpoint endpoint_tcp(uint64_t conn, const struct addr *remote)
{
    return (struct endpoint){.carrier = CARRIER_TCP, .conn = conn, .remote = *remote};
}

struct endpoint endpoint_uplink(unsigned backbone, const struct node_id *peer)
{
    return (struct endpoint){.carrier = CARRIER_UPLINK, .backbone = (uint8_t)backbone, .peer = *peer};
}

bool endpoint_same_way(const struct endpoint *a, const struct endpoint *b)
{
    if (a->carrier != b->carrier)
        return false;
    if (a->carrier == CARRIER_TCP)
        return a->conn == b->conn;
    return addr_equal(&a->remote, &b->remote) && a->backbone == b->backbone && a->channel == b->channel &&
           a->side == b->side && id_compare(&a->peer, &b->peer) == 0;
}

bool endpoint_same_path(const struct endpoint *a, const struct endpoint *b)
{
    return endpoint_same_way(a, b) && a->interface == b->interface;
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
    return endpoint_same_path(a, b) && addr_same_host(&a->local, &b->local);
}

static char *format_uplink(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    char backbone[TARGET_TEXT_MAX];
    const struct target by = target_uplink(e->backbone, &e->peer);
    snprintf(out, ENDPOINT_TEXT_MAX, "%s by %s", carrier_name(e->carrier), target_format(&by, backbone));
    return out;
}

char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    char remote[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
    if (e->carrier == CARRIER_UPLINK)
        return format_uplink(e, out);
    int len =
        snprintf(out, ENDPOINT_TEXT_MAX, "%s %s", carrier_name(e->carrier), addr_format(&e->remote, remote));
    if (e->local.family)
        len +=
            snprintf(out + len, ENDPOINT_TEXT_MAX - (size_t)len, " from %s", addr_format(&e->local, local));
    if (e->interface)
        len += snprintf(out + len, ENDPOINT_TEXT_MAX - (size_t)len, " by interface %u", e->interface);
    if (e->side)
        snprintf(out + len, ENDPOINT_TEXT_MAX - (size_t)len, " from a port of its own");
    return out;
}
