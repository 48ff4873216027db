/* SPDX-License-Identifier: Apache-2.0 */
/* Each of the settle functions completes values of one matter, and returns false when it complained. */
#include "node/config/config_settle.h"

#include "node/config/config_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define complain(...) flags_say(p->flags, p, __VA_ARGS__)

static bool settle_netmask(struct config_parse *p)
{
    struct addr_prefix *tap = &p->config->tap_address;
    char text[ADDR_TEXT_MAX];
    if (p->netmask && tap->addr.family == 0) {
        complain("-tap-netmask %s: there is no address that it belongs to: give -tap-ip too", p->netmask);
        return false;
    }
    uint8_t bits = tap->addr.family == 6 ? 64 : 24;
    const char *wrong = p->netmask ? config_read_netmask(p->netmask, tap->addr.family, &bits) : NULL;
    if (wrong) {
        complain("-tap-netmask %s: %s", p->netmask, wrong);
        return false;
    }
    if (p->has_bits && p->netmask && bits != tap->bits) {
        complain("-tap-ip says /%u and -tap-netmask says /%u: keep one of them", tap->bits, bits);
        return false;
    }
    if (!p->has_bits)
        tap->bits = tap->addr.family ? bits : 0;
    if (tap->addr.family && addr_is_subnet_edge(&tap->addr, tap)) {
        complain("-tap-ip %s: no host can have the first or last address of its subnet: give another",
                 addr_prefix_format(tap, text));
        return false;
    }
    return true;
}

static bool settle_relay(struct config_parse *p)
{
    struct config *c = p->config;
    if (!p->relays && p->relay_mbit) {
        complain("-relay-rate %u: nothing is relayed: give -relay too", p->relay_mbit);
        return false;
    }
    if (p->relays && c->carriers != CARRIERS_AUTO) {
        complain("-relay: a node that relays uses all carriers: leave -carrier away");
        return false;
    }
    if (p->relays && !c->network[0] && c->connect_count + c->allow_count < 2)
        complain(
            "warning: -relay: it serves pairs of peers that -connect and -allow name, and there are fewer "
            "than two");
    if (p->relays)
        c->relay_mbit = p->relay_mbit ? p->relay_mbit : CONFIG_RELAY_MBIT;
    return true;
}

static bool settle_mesh(struct config_parse *p)
{
    const struct config *c = p->config;
    if (!c->full_mesh)
        return true;
    if (c->allow_count == 0) {
        complain("-mesh: there is nobody to connect to: give -allow ID for each member");
        return false;
    }
    if (c->backbone_count == 0 && c->lan != CONFIG_LAN_ALL)
        complain("warning: -mesh: without -backbone members are found only where a peer knows them to be, or "
                 "with -lan on the local network");
    return true;
}

static bool settle_device(struct config_parse *p)
{
    const struct config *c = p->config;
    if (c->tun_name[0] && c->tap_name[0]) {
        complain("-tun %s and -tap %s: a node has one device: keep one of them", c->tun_name, c->tap_name);
        return false;
    }
    if (strcmp(c->tun_name, CONFIG_TUN_AUTO) == 0 && !c->tap_address.addr.family && !c->network[0]) {
        complain("-tun auto makes a device: give it an address by -tap-ip, or name a device to attach to");
        return false;
    }
    return true;
}

/* Nobody tells what address a device has that may be in another namespace, and one descriptor is one queue. */
static bool settle_given(struct config_parse *p)
{
    const struct config *c = p->config;
    if (!c->tun_fd)
        return true;
    if (c->tap_name[0] || c->tun_name[0] || c->rootless) {
        complain("-tun-fd %u: that device is there already, and a node has one: leave -tap, -tun and "
                 "-rootless away",
                 c->tun_fd);
        return false;
    }
    if (!c->tap_address.addr.family && !c->network[0]) {
        complain("-tun-fd %u: which address has its device? Give -tap-ip, too", c->tun_fd);
        return false;
    }
    if (c->workers > 1) {
        complain("-workers %u: the descriptor of -tun-fd is one queue, for one worker: leave -workers away",
                 c->workers);
        return false;
    }
    return true;
}

/* Whose default belongs to root is the user's own. */
static bool settle_rootless(struct config_parse *p)
{
    struct config *c = p->config;
    const char *own = getenv("XDG_RUNTIME_DIR");
    if (!c->rootless)
        return true;
    if (!c->tap_address.addr.family && !c->network[0]) {
        complain("-rootless: the device is made, none is attached to: give -tap-ip or -network");
        return false;
    }
    if (p->has_run)
        return true;
    if (!own || own[0] != '/' ||
        (size_t)snprintf(c->run_dir, sizeof(c->run_dir), "%s/shadowmesh", own) >= sizeof(c->run_dir)) {
        complain("-rootless: XDG_RUNTIME_DIR names no folder for the API socket: give -run DIR");
        return false;
    }
    return true;
}

static bool check_open_door(struct config_parse *p, const char *flag, const struct addr *at)
{
    char text[ADDR_TEXT_MAX];
    if (!at->family || addr_is_loopback(at) || p->config->socks_auth[0])
        return true;
    complain("%s %s: everybody there could use it: give -socks-auth FILE, or a loopback address", flag,
             addr_format(at, text));
    return false;
}

static bool settle_socks(struct config_parse *p)
{
    const struct config *c = p->config;
    if (!c->socks.family && !c->http_proxy.family && (c->socks_auth[0] || c->socks_direct)) {
        complain("-socks-auth and -socks-direct are about clients, and there are none: give -socks or "
                 "-http-proxy too");
        return false;
    }
    return check_open_door(p, "-socks", &c->socks) && check_open_door(p, "-http-proxy", &c->http_proxy);
}

bool config_settle(struct config_parse *p)
{
    const struct config *c = p->config;
    char id[ID_TEXT_MAX];
    if (!settle_netmask(p) || !settle_device(p) || !settle_given(p) || !settle_rootless(p))
        return false;
    if (p->has_words) {
        complain("-proxy: a name and a password do not belong on a command line: give -proxy-auth FILE");
        return false;
    }
    if (c->backbone_count == 0 && (c->proxy[0] || c->proxy_auth[0])) {
        complain("-proxy and -proxy-auth are ways to a backbone, and there is none: give -backbone too");
        return false;
    }
    if (!settle_relay(p) || !settle_mesh(p) || !settle_socks(p))
        return false;
    for (unsigned i = 0; i < c->connect_count; i++)
        if (c->backbone_count == 0 && c->connect[i].host[0] == '\0')
            complain("warning: -connect %s: without -backbone and @HOST %s", id_format(&c->connect[i].id, id),
                     c->lan == CONFIG_LAN_OFF ? "it is not dialled unless a peer knows where it is"
                                              : "it is found on the local network alone, or where a peer "
                                                "knows it to be");
    return true;
}
