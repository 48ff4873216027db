/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control/control_network.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/cert.h"
#include "node/control/control_doors.h"
#include "node/control/control_state.h"
#include "node/network/issuer.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <stdio.h>

/* Its certificate names it. */
static void take_name(struct node *n)
{
    const struct cert *me = network_me(n->network);
    if (me)
        snprintf(n->config->called, sizeof(n->config->called), "%s", me->name);
}

/* No earlier than what was signed last: boards without a clock begin in 1970. An issuer's word counts for its own members. */
static void begin_time(struct membership *ms, const struct rolls *rolls)
{
    const struct cert *me = membership_me(ms);
    uint64_t signed_s = rolls_signed_at(rolls, &me->issuer);
    membership_set_floor(ms, signed_s > me->not_before ? signed_s : me->not_before, clock_monotonic_us());
}

/* Without memory it is tried again. */
static void begin_log(struct node *n)
{
    const struct change_log_config config = {.keydir = network_keydir(n->network),
                                             .me = identity_id(n->identity),
                                             .rolls = registry_rolls(n->registry)};
    struct issuer *is = network_issuer(n->network);
    if (!is || n->changes || change_log_open(&config, &n->changes))
        return;
    n->commands.rosters.changes = n->changes;
    issuer_log(is, n->changes);
}

/* What its signers have said; of a member alone. */
static bool open_registry(struct node *n)
{
    const struct registry_config config = {.loop = &n->loop,
                                           .keydir = n->config->keydir,
                                           .me = n->identity,
                                           .membership = network_membership(n->network),
                                           .own_issuer = network_own_issuer(n->network)};
    if (!config.membership)
        return true;
    if (registry_open(&config, clock_monotonic_us(), &n->registry))
        return false;
    begin_time(network_membership(n->network), registry_rolls(n->registry));
    if (network_issuer(n->network))
        issuer_heed(network_issuer(n->network), registry_rolls(n->registry));
    begin_log(n);
    return true;
}

bool control_network_open(struct node *n)
{
    if (!n->config->network[0])
        return true;
    if (network_open(n->config, n->identity, &n->network))
        return false;
    take_name(n);
    return open_registry(n);
}

bool control_network_give(struct node *n)
{
    struct addr_prefix addresses[CERT_ADDRESSES_MAX];
    if (!n->network || n->config->tap_address.addr.family)
        return true;
    unsigned count = network_addresses(n->network, addresses);
    return count == 0 || device_give(n->device, addresses, count) == 0;
}

static bool say(const struct node *n, int err)
{
    if (err)
        log_error("-network %s: %s", n->config->network, err_str(err));
    return err == 0;
}

/* Of a member alone: names are by what its signers have said. */
static int begin_names(struct node *n)
{
    struct addr_prefix own[MESSAGE_ADDRS_MAX];
    int fd = n->helpers.resolver;
    bool inside =
        n->config->rootless && n->config->dns != RESOLVER_OFF; /* no resolver here is told of them */
    if ((fd < 0 && !inside) || !n->registry)
        return 0;
    const struct names_config config = {.loop = &n->loop,
                                        .rolls = registry_rolls(n->registry),
                                        .ca = membership_ca(network_membership(n->network)),
                                        .device = device_tap(n->device)->name,
                                        .broker = n->broker.channel};
    n->helpers.resolver = -1;
    int err = names_new(&config, fd, &n->names);
    n->commands.status.names = n->names;
    if (!err)
        names_serve(n->names, own, device_addresses(n->device, own, MESSAGE_ADDRS_MAX));
    return err;
}

bool control_network_begin(struct node *n)
{
    int err = n->network ? network_begin(n->network, n->mesh) : 0;
    return say(n, err ? err : begin_names(n));
}

static bool begin_registry(struct node *n)
{
    if (!open_registry(n))
        return false;
    n->commands.rosters.registry = n->registry;
    return say(n, mesh_set_rolls(n->mesh, registry_rolls(n->registry), clock_monotonic_us()));
}

/* What the first HELLO of a member says is known by then: the issuer is dialled behind this. */
void control_network_on_asked(struct node *n)
{
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    if (!n->network || !network_on_asked(n->network))
        return;
    take_name(n);
    if (network_me(n->network)->roles & CERT_ROLE_RELAY && !n->relaying.desk && !n->config->relay_off)
        log_info("network %s: this node relays for its members from its next start on: its certificate has "
                 "the role",
                 n->config->network);
    if (!begin_registry(n) || !control_network_give(n))
        return;
    (void)say(n, begin_names(n));
    mesh_set_overlay(n->mesh, overlay, device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX));
    control_doors_tell(n);
    addresses_announce(&n->addresses, clock_monotonic_us());
}

void control_network_on_leave(struct node *n, const struct node_id *id)
{
    char hex[ID_TEXT_MAX], name[CERT_LABEL_MAX] = "";
    if (!n->registry)
        return;
    const struct rolls_member *m = rolls_find(registry_rolls(n->registry), id);
    snprintf(name, sizeof(name), "%s", m ? m->is.name : "");
    uint64_t now_us = clock_monotonic_us();
    int err = registry_revoke(n->registry, n->mesh, id, now_us);
    if (!err)
        change_log_note(n->changes, CHANGE_REVOKED, id, name, 0, "itself: it left",
                        registry_now(n->registry, now_us));
    if (!err)
        log_info("%s (%s) has left the network: its key is shut out, its name and addresses are free",
                 name[0] ? name : "a member", id_format(id, hex));
    else if (err != ERR_EXISTS)
        log_warn("%s (%s) leaves the network, and its key cannot be shut out: %s",
                 name[0] ? name : "a member", id_format(id, hex),
                 err == ERR_SPACE ? "this issuer's list is full" : err_str(err));
}

static void become_issuer(struct node *n)
{
    const struct node_id *me = identity_id(n->identity);
    const struct rolls *rolls = registry_rolls(n->registry);
    if (!rolls_issuer(rolls, me) || !network_promote(n->network, rolls_bytes(rolls, LIST_ISSUER, me)))
        return;
    issuer_heed(network_issuer(n->network), rolls);
    mesh_set_serving(n->mesh, network_serving(n->network));
}

void control_network_tick(struct node *n, uint64_t now_us)
{
    become_issuer(n);
    begin_log(n);
    if (n->changes)
        change_log_tick(n->changes, membership_now(network_membership(n->network), now_us), now_us);
}
