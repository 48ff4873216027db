/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation by STUN for each standby of IPv4; IPv6 needs none. Control thread. */

#include "node/underlay/standbys.h"

#include "node/carrier/carrier.h"
#include "node/device/device.h"
#include "proto/mesh/mesh.h"

void standbys_init(struct standbys *s, const struct standbys_config *config)
{
    *s = (struct standbys){.config = *config};
}

/* The interface's first address of IPv6 at which another machine may reach it; without family: it has none. */
static struct addr host_address(const struct device *d, uint32_t interface)
{
    size_t count;
    const struct rtnl_address *list = device_machine_addresses(d, &count);
    for (size_t i = 0; i < count; i++) {
        const struct addr *a = &list[i].prefix.addr;
        if (list[i].index == interface && a->family == 6 && addr_is_routable(a))
            return *a;
    }
    return (struct addr){0};
}

static void tell(struct standbys *s, uint64_t now_us)
{
    struct addr list[2 * STANDBYS_MAX];
    unsigned count = 0;
    uint32_t interface;
    for (unsigned i = 0; i < s->count; i++)
        if (s->list[i].seen.mapped.family)
            list[count++] = s->list[i].seen.mapped;
    for (unsigned i = 0; (interface = ways_standby(device_ways(s->config.device), 6, i)); i++) {
        struct addr a = host_address(s->config.device, interface);
        a.port = s->config.socket->port;
        if (a.family && count < 2 * STANDBYS_MAX)
            list[count++] = a;
    }
    mesh_set_standbys(s->config.mesh, list, count, now_us);
}

static const struct standby *find(const struct standbys *s, uint32_t interface)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->list[i].interface == interface)
            return &s->list[i];
    return NULL;
}

void standbys_on_change(struct standbys *s, uint64_t now_us)
{
    const struct standbys before = *s;
    const struct ways *ways = device_ways(s->config.device);
    mesh_set_ways(s->config.mesh, ways);
    for (s->count = 0; s->count < STANDBYS_MAX && ways_standby(ways, 4, s->count); s->count++) {
        uint32_t interface = ways_standby(ways, 4, s->count);
        const struct standby *known = find(&before, interface);
        s->list[s->count] = known ? *known : (struct standby){.interface = interface};
    }
    tell(s, now_us);
}

static void ask(struct standbys *s, struct standby *by, uint64_t now_us)
{
    uint8_t buffer[ENDPOINT_ENVELOPE_MAX + STUN_MESSAGE_MAX], *request = buffer + ENDPOINT_ENVELOPE_MAX;
    if (!reflexive_due(&by->seen, now_us))
        return;
    size_t len = reflexive_request(&by->seen, now_us, request);
    const struct carrier_ports ports = carrier_ports_of(s->config.socket);
    struct endpoint to = endpoint_udp(&by->seen.server);
    to.interface = by->interface;
    /* A lost request is asked again. */
    (void)!carrier_send_one(&ports, &to, request, len);
}

void standbys_tick(struct standbys *s, const struct addr *server, uint64_t now_us)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct standby *by = &s->list[i];
        if (server->family == 4 && !addr_equal(server, &by->seen.server))
            reflexive_restart(&by->seen, server);
        ask(s, by, now_us);
    }
}

bool standbys_on_stun(struct standbys *s, const struct addr *from, const uint8_t *data, size_t len,
                      uint64_t now_us)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (reflexive_answer(&s->list[i].seen, from, data, len, now_us))
            continue;
        tell(s, now_us);
        return true;
    }
    return false;
}
