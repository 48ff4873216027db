/* SPDX-License-Identifier: Apache-2.0 */
/* The node's device is made or attached to, addressed and brought up, and at exit put back as it was. Control thread. */

#include "base/log.h"
#include "frame/offload.h"
#include "net/broker.h"
#include "node/device/device_given.h"
#include "node/device/device_guard.h"
#include "node/device/device_impl.h"
#include "node/device/device_inside.h"
#include "node/device/device_kind.h"
#include "node/device/device_overlap.h"
#include "node/device/device_routes.h"
#include "node/device/device_undo.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The TAP's ring holds frames that the worker has not read yet, each up to 64 KB, and the kernel neither
 * paces nor marks there: what is long is only delay. Half of the kernel's default: 250 lost small frames
 * whenever the worker was off its core for a few milliseconds. */
#define TX_QUEUE_LEN 500

/* A super-frame that, cut to the smallest path and with our overhead on each segment, is one UDP_SEGMENT
 * call: at most 64 segments and 65,507 bytes. */
#define GSO_MAX 57344

/* ---- what a person reads ---- */

static void explain_common(const char *name, int err)
{
    if (err == ERR_PERMISSION && errno == EACCES)
        log_error(
            "/dev/net/tun may not be opened by user %u: run as root, or chmod 0666 it, as it is by default: "
            "the kernel checks CAP_NET_ADMIN besides",
            geteuid());
    else if (err == ERR_PERMISSION)
        log_error("no permission for device %s: that needs CAP_NET_ADMIN: run as root, or give the program "
                  "the capability (setcap cap_net_admin+ep)",
                  name);
    else if (err == ERR_NOT_FOUND)
        log_error("/dev/net/tun is missing: load it with `modprobe tun`, or give it to the container");
    else if (err == ERR_ARGUMENT)
        log_error("'%s' cannot be the name of a device: use 1 to 15 letters, digits, '-' or '_'", name);
    else
        log_error("device %s: %s", name, device_reason(err));
}

static void explain_create(const char *name, int err)
{
    if (err == ERR_EXISTS)
        log_error("device %s exists already: take another name for it, or leave -tap-ip out to attach to it",
                  name);
    else
        explain_common(name, err);
}

static void explain_busy(const char *name)
{
    char program[64];
    pid_t pid;
    if (tap_owner(name, &pid, program, sizeof(program)))
        log_error("device %s is held by another process: stop it, or use -tap-ip to create a device of our "
                  "own",
                  name);
    else
        log_error("device %s is held by process %ld (%s): stop it, or use -tap-ip to create a device of our "
                  "own",
                  name, (long)pid, program);
}

static void explain_attach(const char *name, enum tap_layer layer, int err)
{
    bool is_tun = layer == TAP_IP;
    if (err == ERR_BUSY)
        explain_busy(name);
    else if (err == ERR_UNSUPPORTED)
        log_error("%s is no %s device: give the name of one, or use -tap-ip to create a device of our own",
                  name, is_tun ? "TUN" : "TAP");
    else if (err == ERR_NOT_FOUND && !if_nametoindex(name))
        log_error("there is no device %s: make it (`ip tuntap add dev %s mode %s`), or use -tap-ip ADDR to "
                  "create one",
                  name, name, is_tun ? "tun" : "tap");
    else
        explain_common(name, err);
}

/* ---- opening ---- */

static int add_address(struct device *d, const struct addr_prefix *address)
{
    char text[ADDR_TEXT_MAX];
    int err = rtnl_address_add(d->inside, d->tap.ifindex, address);
    if (err)
        log_error("device %s: cannot set address %s: %s", d->tap.name, addr_prefix_format(address, text),
                  device_reason(err));
    return err;
}

static int configure(struct device *d, const struct config *config, const struct node_id *id)
{
    uint8_t mac[6];
    id_mac(id, mac);
    const struct rtnl_link_change sizes = {.mtu = config->tap_mtu,
                                           .txqueuelen = TX_QUEUE_LEN,
                                           .gso_max = GSO_MAX,
                                           .mac = d->tap.layer == TAP_ETHERNET ? mac : NULL};
    const struct rtnl_link_change up = {.up = true};
    int err = rtnl_link_set(d->inside, d->tap.ifindex, &sizes);
    if (err) {
        log_error("device %s: cannot set MTU %u and its MAC: %s", d->tap.name, config->tap_mtu,
                  device_reason(err));
        return err;
    }
    err = config->tap_address.addr.family ? add_address(d, &config->tap_address) : 0;
    if (err)
        return err;
    err = rtnl_link_set(d->inside, d->tap.ifindex, &up);
    if (err)
        log_error("device %s: cannot bring it up: %s", d->tap.name, device_reason(err));
    return err;
}

static int create(struct device *d, const struct config *config, const struct node_id *id, unsigned queues)
{
    const char *name = device_name_of(config), *any = device_layer_of(config) == TAP_IP ? "tun0" : "tap0";
    int err = tap_create(name, device_layer_of(config), queues, &d->tap);
    if (err) {
        explain_create(name ? name : any, err);
        return err;
    }
    return configure(d, config, id);
}

static int attach(struct device *d, const struct config *config, unsigned queues)
{
    const struct rtnl_link_change up = {.up = true};
    /* A device with several queues would let us in beside its owner,
     * whom /proc hides from an ordinary user. */
    const char *name = device_name_of(config);
    bool held = !rtnl_link_find(d->rtnl, name, &d->link) && d->link.held_queues;
    int err = held ? ERR_BUSY : tap_attach(name, device_layer_of(config), queues, &d->tap);
    if (err) {
        explain_attach(name, device_layer_of(config), err);
        return err;
    }
    /* Nobody held it, so what bears our mark is of a run that was killed, also where it left no record. */
    err = rtnl_routes_flush(d->rtnl, d->tap.ifindex);
    if (err > 0)
        err = 0;
    if (!err)
        err = rtnl_link_find(d->rtnl, d->tap.name, &d->link);
    if (!err && !d->link.up) {
        d->undo.down = true;
        device_undo_sync(d);
        err = rtnl_link_set(d->rtnl, d->tap.ifindex, &up);
    }
    if (err)
        log_error("device %s: cannot bring it up: %s", d->tap.name, device_reason(err));
    return err;
}

static void log_opened(const struct device *d)
{
    char text[ADDR_TEXT_MAX] = "no address";
    unsigned o = d->tap.offloads;
    if (d->address_count)
        addr_prefix_format(&d->addresses[0], text);
    log_info("device %s: %s%s, %s, MTU %u, offloads:%s%s%s%s", d->tap.name,
             d->tap.given      ? "opened by another program"
             : d->tap.attached ? "attached"
                               : "created",
             d->tap.layer == TAP_IP ? " for IP alone (a bridge does not take it)" : "", text, d->link.mtu,
             o & OFFLOAD_CSUM ? " csum" : "", o & OFFLOAD_TSO ? " tso" : "", o & OFFLOAD_USO ? " uso" : "",
             o ? "" : " none");
}

static int open_netlink(struct device *d)
{
    int err = rtnl_open(&d->rtnl);
    d->inside = d->rtnl;
    if (!err)
        err = rtnl_monitor_open(&d->monitor);
    if (err)
        log_error("cannot talk to the kernel's routing tables (rtnetlink): %s", device_reason(err));
    return err;
}

/* Where the device is made: here, by a broker elsewhere, or by somebody else before. */
struct place {
    unsigned queues;
    struct broker *inside; /* NULL: it is none of a broker's … */
    struct tap *given;     /* … nor somebody else's */
};

/* A network's certificate says the address, if no flag does. */
static bool makes_device(const struct config *config)
{
    return config->tap_address.addr.family || config->network[0];
}

static int enter(struct device *d, const struct config *config, const struct node_id *id, struct broker *b)
{
    int err = device_inside_enter(d, b);
    if (err)
        log_error("device %s: cannot be served from outside of its namespace: %s", b->tap.name,
                  device_reason(err));
    return err ? err : configure(d, config, id);
}

static int make_tap(struct device *d, const struct config *config, const struct node_id *id,
                    const struct place *place)
{
    if (place->inside)
        return enter(d, config, id, place->inside);
    if (place->given)
        return device_given_enter(d, config, place->given);
    return makes_device(config) ? create(d, config, id, place->queues) : attach(d, config, place->queues);
}

static int make(struct device *d, const struct config *config, const struct node_id *id,
                const struct place *place)
{
    int err = open_netlink(d);
    if (err)
        return err;
    if (!place->given)
        device_undo_heal(d);
    err = make_tap(d, config, id, place);
    if (err)
        return err;
    if (!place->inside)
        d->among = d->tap.ifindex;
    err = device_refresh(d);
    if (err) {
        log_error("device %s: cannot read interfaces and addresses: %s", d->tap.name, device_reason(err));
        return err;
    }
    if (place->given)
        device_given_check(d);
    if (place->given && config->tap_address.addr.family)
        device_given_expect(d, &config->tap_address, 1);
    d->underlay = device_underlay_hash(d);
    device_routes_refresh(d);
    if (d->address_count || !config->network[0])
        log_opened(d);
    return 0;
}

static int open_at(const struct config *config, const struct node_id *id, const struct place *place,
                   struct device **out)
{
    if (!makes_device(config) && !device_name_of(config)) {
        log_error("no device: give -tap-ip ADDR to create one, or -tap NAME to attach to one");
        return ERR_ARGUMENT;
    }
    struct device *d = calloc(1, sizeof(*d));
    if (!d) {
        log_error("out of memory");
        return ERR_NOMEM;
    }
    d->monitor = d->inside_monitor = d->monitors = -1;
    id_mac(id, d->shim_mac);
    d->guard.off = config->host_routes_off;
    d->guard.allowed_count = config->host_route_count;
    memcpy(d->guard.allowed, config->host_routes, sizeof(d->guard.allowed));
    device_undo_init(d, config, id);
    int err = make(d, config, id, place);
    if (err)
        device_close(d);
    else
        *out = d;
    return err;
}

int device_open(const struct config *config, const struct node_id *id, unsigned queues, struct device **out)
{
    return open_at(config, id, &(struct place){.queues = queues}, out);
}

int device_open_inside(const struct config *config, const struct node_id *id, struct broker *broker,
                       struct device **out)
{
    return open_at(config, id, &(struct place){.inside = broker}, out);
}

int device_open_given(const struct config *config, const struct node_id *id, struct tap *given,
                      struct device **out)
{
    return open_at(config, id, &(struct place){.given = given}, out);
}

int device_give(struct device *d, const struct addr_prefix *list, unsigned count)
{
    int err = 0;
    if (d->tap.given)
        device_given_expect(d, list, count);
    for (unsigned i = 0; !d->tap.given && !err && i < count; i++)
        err = add_address(d, &list[i]);
    if (!err)
        err = device_refresh(d);
    if (!err)
        log_opened(d);
    return err;
}

/* The record goes last: killed in between, the next start does the rest. */
static void put_back(struct device *d)
{
    const struct rtnl_link_change down = {.down = true};
    device_overlap_undo(d);
    if (d->undo.down) {
        (void)!rtnl_link_set(d->rtnl, d->tap.ifindex, &down);
        d->undo.down = false;
        device_undo_sync(d);
    }
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void device_close(struct device *d)
{
    if (!d)
        return;
    if (d->tap.queue_count) {
        put_back(d);
        tap_close(&d->tap);
    }
    if (d->run_dir >= 0)
        close(d->run_dir);
    close_all((const int[]){d->monitor, d->inside_monitor, d->monitors}, 3);
    if (d->inside != d->rtnl)
        rtnl_close(d->inside);
    rtnl_close(d->rtnl);
    device_guard_free(d);
    free(d->links);
    free(d->all);
    free(d->through);
    free(d);
}
