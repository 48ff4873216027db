/* SPDX-License-Identifier: Apache-2.0 */
/* Each pair of observations tells something, by what differs between the two servers. Pure. */

#include "proto/nat/nat.h"

#include <stdlib.h>

/* What the pairs of two hosts, and of two ports of one host, say: whether any of them is mapped differently. */
struct pairs {
    bool hosts, hosts_differ, ports, ports_differ, near, far;
};

static void compare(struct pairs *p, const struct nat_observation *a, const struct nat_observation *b)
{
    bool differ = !addr_equal(&a->mapped, &b->mapped);
    if (addr_equal(&a->server, &b->server))
        return;
    if (addr_same_host(&a->server, &b->server)) {
        p->ports = true;
        p->ports_differ |= differ;
    } else {
        p->hosts = true;
        p->hosts_differ |= differ;
    }
    if (!differ)
        return;
    bool near =
        addr_same_host(&a->mapped, &b->mapped) && abs(a->mapped.port - b->mapped.port) <= NAT_SEQUENTIAL_MAX;
    p->near |= near;
    p->far |= !near;
}

static struct pairs compare_all(const struct nat *n)
{
    struct pairs p = {0};
    for (unsigned i = 0; i < n->observed_count; i++)
        for (unsigned j = i + 1; j < n->observed_count; j++)
            compare(&p, &n->observed[i], &n->observed[j]);
    return p;
}

static enum nat_mapping mapping_of(const struct pairs *p)
{
    if (p->ports_differ)
        return NAT_MAPPING_ADDRESS_PORT_DEPENDENT;
    if (p->hosts_differ)
        return p->ports ? NAT_MAPPING_ADDRESS_DEPENDENT : NAT_MAPPING_DEPENDENT;
    return p->hosts ? NAT_MAPPING_ENDPOINT_INDEPENDENT : NAT_MAPPING_UNKNOWN;
}

static enum nat_ports ports_of(const struct nat *n, const struct pairs *p, uint16_t port)
{
    bool kept = true;
    for (unsigned i = 0; i < n->observed_count; i++)
        kept = kept && n->observed[i].mapped.port == port;
    if (!n->observed_count)
        return NAT_PORTS_UNKNOWN;
    if (kept)
        return NAT_PORTS_KEPT;
    if (p->far)
        return NAT_PORTS_RANDOM;
    return p->near ? NAT_PORTS_SEQUENTIAL : NAT_PORTS_UNKNOWN;
}

void nat_judge(struct nat *n, bool ours(const void *context, const struct addr *a), const void *context,
               uint16_t port)
{
    const struct pairs p = compare_all(n);
    bool untranslated = n->observed_count > 0;
    for (unsigned i = 0; i < n->observed_count; i++)
        untranslated =
            untranslated && n->observed[i].mapped.port == port && ours(context, &n->observed[i].mapped);
    n->mapping = untranslated ? NAT_MAPPING_NONE : mapping_of(&p);
    n->ports = ports_of(n, &p, port);
}

bool nat_may_be_ours(const struct addr *mapped, const struct addr *server)
{
    return mapped->family == server->family && mapped->port && addr_is_routable(mapped) &&
           (!addr_is_private(mapped) || addr_is_private(server));
}

const char *nat_mapping_name(enum nat_mapping mapping)
{
    switch (mapping) {
    case NAT_MAPPING_UNKNOWN:
        return "unknown";
    case NAT_MAPPING_NONE:
        return "none";
    case NAT_MAPPING_ENDPOINT_INDEPENDENT:
        return "endpoint-independent";
    case NAT_MAPPING_ADDRESS_DEPENDENT:
        return "address-dependent";
    case NAT_MAPPING_ADDRESS_PORT_DEPENDENT:
        return "address-and-port-dependent";
    case NAT_MAPPING_DEPENDENT:
        return "address-dependent or address-and-port-dependent";
    }
    return "unknown";
}

const char *nat_filtering_name(enum nat_filtering filtering)
{
    switch (filtering) {
    case NAT_FILTERING_UNKNOWN:
        return "unknown";
    case NAT_FILTERING_ENDPOINT_INDEPENDENT:
        return "endpoint-independent";
    case NAT_FILTERING_ADDRESS_DEPENDENT:
        return "address-dependent";
    case NAT_FILTERING_ADDRESS_PORT_DEPENDENT:
        return "address-and-port-dependent";
    }
    return "unknown";
}

const char *nat_ports_name(enum nat_ports ports)
{
    switch (ports) {
    case NAT_PORTS_UNKNOWN:
        return "unknown";
    case NAT_PORTS_KEPT:
        return "kept";
    case NAT_PORTS_SEQUENTIAL:
        return "sequential";
    case NAT_PORTS_RANDOM:
        return "random";
    }
    return "unknown";
}
