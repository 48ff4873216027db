/* SPDX-License-Identifier: Apache-2.0 */
/* A TUN of another program's, by its descriptor: nothing of it is changed, as that takes rights that the node may not have.
 * Which interface it is, no call tells without a right: its name may be another one's in another network namespace. So it is
 * the one that counts what it is made to drop. Main thread, then control thread. */

#include "node/device/device_given.h"

#include "base/log.h"
#include "node/device/device_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 16 /* at most those of a certificate */

/* ---- what a person reads ---- */

static void explain(unsigned fd, enum tap_refusal refusal)
{
    switch (refusal) {
    case TAP_TAKEN:
        break;
    case TAP_NOT_OPEN:
        log_error(
            "-tun-fd %u: no such descriptor is open for reading and writing: who starts the node has to "
            "pass it on under that number",
            fd);
        break;
    case TAP_NO_PACKETS:
        log_error(
            "-tun-fd %u: that is no TUN, nor a local socket that keeps packets apart: open /dev/net/tun "
            "and call TUNSETIFF with IFF_TUN and IFF_NO_PI",
            fd);
        break;
    case TAP_NO_DEVICE:
        log_error("-tun-fd %u: /dev/net/tun is open there, but no device of it: call TUNSETIFF with IFF_TUN "
                  "and IFF_NO_PI first",
                  fd);
        break;
    case TAP_IS_ETHERNET:
        log_error("-tun-fd %u: that is a TAP: open it with IFF_TUN, or let the node attach to a TAP by -tap "
                  "NAME",
                  fd);
        break;
    case TAP_PACKET_INFO:
        log_error("-tun-fd %u: packets of that device begin with packet information: open it with IFF_NO_PI; "
                  "before Linux 5.1, also bring it up first",
                  fd);
        break;
    case TAP_FAILED:
        log_error("-tun-fd %u: that device cannot be used: %s", fd, strerror(errno));
        break;
    }
}

static void tell_assumed(const struct device *d)
{
    if (d->tap.assumed)
        log_info("device %s: descriptor %d tells no flags, so plain IP packets are taken and given",
                 d->tap.name, d->tap.given);
    if (!d->among)
        log_info("device %s is no interface to be seen here: it has the address that the node was told, and "
                 "MTU %u by -tap-mtu; gateways behind it are not known",
                 d->tap.name, d->link.mtu);
}

void device_given_check(const struct device *d)
{
    const char *name = d->tap.name;
    if (!d->link.up)
        log_warn("device %s is down: whoever opened it brings it up (`ip link set %s up`)", name, name);
    if (d->link.held_queues > 1)
        log_warn("device %s has %u queues, and the node has one of them: what the kernel hands to the others "
                 "does not come here: close them, or open the device without IFF_MULTI_QUEUE",
                 name, d->link.held_queues);
}

/* ---- taking it ---- */

int device_take(const struct config *config, struct tap *out)
{
    enum tap_refusal refusal = tap_adopt((int)config->tun_fd, out);
    explain(config->tun_fd, refusal);
    return refusal ? ERR_ARGUMENT : 0;
}

static uint64_t dropped_before(const struct rtnl_link *list, size_t count, unsigned index)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].index == index)
            return list[i].dropped;
    return UINT64_MAX;
}

static bool has_counted(const struct rtnl_link *now, uint64_t before)
{
    return now->dropped >= before && now->dropped - before >= TAP_KNOCKS;
}

/* NULL: none. Of two that dropped as much meanwhile none is it. */
static const struct rtnl_link *find_counted(const struct device *d, const struct rtnl_link *before,
                                            size_t count)
{
    const struct rtnl_link *found = NULL;
    unsigned matches = 0;
    for (size_t i = 0; i < d->link_count; i++) {
        const struct rtnl_link *link = &d->links[i];
        bool is_named = !d->tap.name[0] || strcmp(d->tap.name, link->name) == 0;
        if (is_named && has_counted(link, dropped_before(before, count, link->index))) {
            found = link;
            matches++;
        }
    }
    return matches == 1 ? found : NULL;
}

static int find_interface(struct device *d)
{
    int err = device_read_links(d);
    struct rtnl_link *before = d->links;
    size_t count = d->link_count;
    d->links = NULL;
    d->link_count = 0;
    if (!err && tap_knock(&d->tap))
        err = device_read_links(d);
    const struct rtnl_link *found = err ? NULL : find_counted(d, before, count);
    if (found) {
        d->tap.ifindex = found->index;
        snprintf(d->tap.name, sizeof(d->tap.name), "%s", found->name);
        d->link = *found;
    }
    free(before);
    return err;
}

static bool has_use_for(const struct device *d, const struct config *config)
{
    if (d->tap.ifindex || !config_has_doors(config))
        return true;
    log_error("-tun-fd %d: that device is no interface to be seen here, and -forward, -listen, -socks and "
              "-http-proxy make sockets at it: start the node in its network namespace, or leave them away",
              d->tap.given);
    return false;
}

int device_given_enter(struct device *d, const struct config *config, struct tap *given)
{
    d->tap = *given;
    given->queue_count = 0;
    int err = find_interface(d);
    if (err) {
        log_error("cannot read this machine's interfaces: %s", device_reason(err));
        return err;
    }
    if (!has_use_for(d, config))
        return ERR_UNSUPPORTED;
    if (!d->tap.name[0])
        snprintf(d->tap.name, sizeof(d->tap.name), "fd %d", d->tap.given);
    d->among = d->tap.ifindex;
    if (!d->among)
        d->link = (struct rtnl_link){.mtu = config->tap_mtu, .up = true};
    tell_assumed(d);
    return 0;
}

bool device_given_unseen(const struct device *d)
{
    return d->tap.given && !d->among;
}

/* ---- its addresses ---- */

static bool has_address(const struct device *d, const struct addr_prefix *a)
{
    for (unsigned i = 0; i < d->own_count; i++)
        if (d->own[i].bits == a->bits && addr_same_host(&d->own[i].addr, &a->addr))
            return true;
    return false;
}

static void tell_missing(const struct device *d, const struct addr_prefix *a)
{
    char text[ADDR_TEXT_MAX];
    if (has_address(d, a))
        return;
    addr_prefix_format(a, text);
    log_warn(
        "device %s has no address %s, by which peers are to reach it: whoever opened it sets it (`ip addr "
        "add %s dev %s`)",
        d->tap.name, text, text, d->tap.name);
}

static void have(struct device *d, const struct addr_prefix *list, unsigned count)
{
    struct rtnl_address addresses[ADDRESSES_MAX];
    unsigned given = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    for (unsigned i = 0; i < given; i++)
        addresses[i] = (struct rtnl_address){.prefix = list[i]};
    device_take_addresses(d, addresses, given, 0);
}

void device_given_expect(struct device *d, const struct addr_prefix *list, unsigned count)
{
    if (!d->among)
        have(d, list, count);
    for (unsigned i = 0; i < count; i++)
        tell_missing(d, &list[i]);
}
