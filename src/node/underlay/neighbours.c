/* SPDX-License-Identifier: Apache-2.0 */
/* One socket for each family, in its group at each interface that has an address of that family. What comes by IPv6 counts
 * from link-local addresses alone: those are of this link, and tell its interface. */

#include "node/underlay/neighbours.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/identity.h"
#include "net/multicast.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "proto/lan/lan.h"
#include "proto/mesh/mesh.h"
#include "proto/wire/drop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAMILIES       2
#define INTERFACES_MAX 8  /* those beyond stay without beacons */
#define READS_MAX      64 /* in one turn of the loop */

/* 239.255/16 is for a site's own use (RFC 2365 §6.1), ff02::/16 never leaves a link (RFC 4291 §2.7). */
static const struct addr groups[FAMILIES] = {
    {.family = 4, .port = CONFIG_PORT_LAN, .ip = {239, 255, 83, 77}},
    {.family = 6,
     .port = CONFIG_PORT_LAN,
     .ip = {0xff, 2, [12] = 0x53, [13] = 0x4d, [14] = 0x4c, [15] = 0x4e}},
};

struct side {
    struct neighbours *owner;
    const struct addr *group;
    int fd; /* -1: this family cannot be used */
    uv_poll_t poll;
    uint32_t interfaces[INTERFACES_MAX];
    unsigned count;
};

struct neighbours {
    struct neighbours_config config;
    struct lan *lan;
    struct side sides[FAMILIES];
    unsigned open; /* handles */
    bool somebody; /* is looked for, or told of us: else no group is joined */
    bool full;     /* nothing is read until the next tick */
};

/* ---- which interfaces ---- */

static bool has(const uint32_t *list, unsigned count, uint32_t interface)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == interface)
            return true;
    return false;
}

/* Those at which that family's beacons can leave and be answered. */
static unsigned list_interfaces(const struct device *d, uint8_t family, uint32_t out[INTERFACES_MAX])
{
    size_t addresses;
    unsigned count = 0;
    const struct rtnl_address *list = device_machine_addresses(d, &addresses);
    for (size_t i = 0; i < addresses && count < INTERFACES_MAX; i++) {
        const struct addr *a = &list[i].prefix.addr;
        bool serves = a->family == family && (family == 4 || addr_is_link_local(a)) && !addr_is_loopback(a) &&
                      !device_is_overlay(d, a);
        uint32_t interface = serves ? device_interface_of(d, a) : 0;
        if (interface && !has(out, count, interface))
            out[count++] = interface;
    }
    return count;
}

static void settle_groups(struct side *s)
{
    uint32_t list[INTERFACES_MAX];
    unsigned joined = 0, count = s->owner->somebody
                                     ? list_interfaces(s->owner->config.device, s->group->family, list)
                                     : 0;
    for (unsigned i = 0; i < s->count; i++)
        if (!has(list, count, s->interfaces[i]))
            multicast_leave(s->fd, s->group, s->interfaces[i]);
    for (unsigned i = 0; i < count; i++) {
        if (multicast_join(s->fd, s->group, list[i]) == 0)
            s->interfaces[joined++] = list[i];
        else
            log_debug("local network: interface %u takes no beacons: %s", list[i], strerror(errno));
    }
    s->count = joined;
}

static void settle_all_groups(struct neighbours *n)
{
    for (unsigned i = 0; i < FAMILIES; i++)
        if (n->sides[i].fd >= 0)
            settle_groups(&n->sides[i]);
}

/* ---- what is said ---- */

static void send_beacon(struct side *s, const struct lan_place *to, uint64_t unix_s)
{
    uint8_t beacon[BEACON_LEN];
    for (unsigned i = 0; i < s->count; i++)
        if (lan_say(s->owner->lan, to, unix_s, beacon) == 0) /* one that is lost is said again */
            (void)!multicast_send(s->fd, s->group, s->interfaces[i], beacon, sizeof(beacon));
}

static void say(struct neighbours *n, uint64_t now_us)
{
    const struct lan_place *to;
    while ((to = lan_next(n->lan, now_us)))
        for (unsigned i = 0; i < FAMILIES; i++)
            send_beacon(&n->sides[i], to, clock_unix_s());
}

/* ---- what is heard ---- */

static void stop_reading(struct neighbours *n)
{
    n->full = true;
    for (unsigned i = 0; i < FAMILIES; i++)
        if (n->sides[i].fd >= 0)
            uv_poll_stop(&n->sides[i].poll);
}

static bool is_near(const struct side *s, const struct addr *from)
{
    return s->group->family == 4 || (from->scope && has(s->interfaces, s->count, from->scope));
}

static void take(struct side *s, const uint8_t *data, size_t len, struct addr *from)
{
    struct neighbours *n = s->owner;
    struct node_id id;
    uint64_t now_us = clock_monotonic_us();
    char text[ADDR_TEXT_MAX], hex[ID_TEXT_MAX];
    size_t counts = is_near(s, from) ? len : 0; /* what does not has its price, too */
    switch (lan_hear(n->lan, data, counts, now_us, clock_unix_s(), &id, &from->port)) {
    case LAN_IGNORED:
        n->config.drops[DROP_BEACON]++;
        break;
    case LAN_FULL:
        n->config.drops[DROP_BEACON]++;
        stop_reading(n);
        break;
    case LAN_HEARD:
        break;
    case LAN_FOUND:
        log_debug("%s says on the local network that it is at %s", id_format(&id, hex),
                  addr_format(from, text));
        mesh_on_neighbour(n->config.mesh, &id, from, now_us);
        break;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct side *s = poll->data;
    uint8_t data[BEACON_LEN + 1]; /* a longer one is seen to be none */
    struct addr from;
    size_t len;
    for (unsigned i = 0; i < READS_MAX && !s->owner->full; i++) {
        if (multicast_receive(s->fd, data, sizeof(data), &len, &from))
            break;
        take(s, data, len, &from);
    }
    say(s->owner, clock_monotonic_us());
}

/* ---- whom ---- */

struct listing {
    enum config_lan lan;
    struct lan_peer list[LAN_PEERS_MAX];
    unsigned count;
};

/* Whom a person only admits, or has placed, is none of the local network's business unless -lan says so. */
static void list_peer(void *context, const struct mesh_listed_peer *p)
{
    struct listing *l = context;
    bool sought = p->wanted && !p->placed && !p->member;
    if (l->count < LAN_PEERS_MAX && (sought || l->lan == CONFIG_LAN_ALL))
        l->list[l->count++] = (struct lan_peer){.id = p->id, .seeks = p->wanted, .connected = p->open};
}

static void look_at_lists(struct neighbours *n)
{
    struct listing l = {.lan = n->config.config->lan};
    mesh_listed(n->config.mesh, list_peer, &l);
    int err = lan_set_peers(n->lan, l.list, l.count, clock_unix_s());
    if (n->somebody != (l.count > 0)) {
        n->somebody = l.count > 0;
        settle_all_groups(n);
    }
    if (err)
        log_debug("local network: peers are not heard for a second: %s", err_str(err));
}

/* ---- what the node does ---- */

static void open_side(struct neighbours *n, unsigned i)
{
    struct side *s = &n->sides[i];
    *s = (struct side){.owner = n, .group = &groups[i], .fd = -1};
    int err = multicast_open(s->group, &s->fd);
    if (err) {
        if (err != ERR_UNSUPPORTED)
            log_warn("peers on the local network are not found by IPv%u: UDP port %u: %s", s->group->family,
                     s->group->port, strerror(errno));
        return;
    }
    uv_poll_init(n->config.loop, &s->poll, s->fd);
    s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    n->open++;
}

int neighbours_new(const struct neighbours_config *config, struct neighbours **out)
{
    struct neighbours *n = calloc(1, sizeof(*n));
    if (!n)
        return ERR_NOMEM;
    n->config = *config;
    int err = lan_new(identity_id(config->me), config->config->control_port, &n->lan);
    if (err) {
        free(n);
        return err;
    }
    for (unsigned i = 0; i < FAMILIES; i++)
        open_side(n, i);
    neighbours_on_change(n, clock_monotonic_us());
    *out = n;
    return 0;
}

static void free_all(struct neighbours *n)
{
    lan_free(n->lan);
    free(n);
}

static void on_closed(uv_handle_t *handle)
{
    struct side *s = handle->data;
    struct neighbours *n = s->owner;
    close(s->fd);
    if (--n->open == 0)
        free_all(n);
}

void neighbours_close(struct neighbours *n)
{
    if (!n)
        return;
    if (!n->open)
        free_all(n);
    else
        for (unsigned i = 0; i < FAMILIES; i++)
            if (n->sides[i].fd >= 0)
                uv_close((uv_handle_t *)&n->sides[i].poll, on_closed);
}

void neighbours_on_change(struct neighbours *n, uint64_t now_us)
{
    if (!n)
        return;
    settle_all_groups(n);
    lan_restart(n->lan);
    neighbours_tick(n, now_us);
}

void neighbours_tick(struct neighbours *n, uint64_t now_us)
{
    if (!n)
        return;
    for (unsigned i = 0; n->full && i < FAMILIES; i++)
        if (n->sides[i].fd >= 0)
            uv_poll_start(&n->sides[i].poll, UV_READABLE, on_readable);
    n->full = false;
    look_at_lists(n);
    say(n, now_us);
}
