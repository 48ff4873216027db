/* SPDX-License-Identifier: Apache-2.0 */
/* The node's device: made or attached to, addressed, brought up, and at exit put back as it was; and what it
 * knows of the machine's other interfaces. device_overlap.c deals with those that hold the same subnet,
 * device_undo.c with what a run that was killed left. Control thread. */

#include "node/device/device.h"

#include "base/clock.h"
#include "base/log.h"
#include "frame/offload.h"
#include "node/device/device_guard.h"
#include "node/device/device_impl.h"
#include "node/device/device_overlap.h"
#include "node/device/device_undo.h"
#include "proto/wire/wire.h"
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

#define UDP4_OVERHEAD 28 /* IPv4 and UDP headers */

/* The kernel's tables may be long, and change without end. What this does not grant, the next second does. */
static const struct bucket_rate look_rate = {250 * USEC_PER_MSEC, 4};

static const char *reason(int err)
{
    return err == ERR_IO ? strerror(errno) : err_str(err);
}

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
        log_error("device %s: %s", name, reason(err));
}

static void explain_create(const char *name, int err)
{
    if (err == ERR_EXISTS)
        log_error("device %s exists already: take another name in -tap, or leave -tap-ip out to attach to it",
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

static void explain_attach(const char *name, int err)
{
    if (err == ERR_BUSY)
        explain_busy(name);
    else if (err == ERR_UNSUPPORTED)
        log_error("%s is no TAP device: give the name of one, or use -tap-ip to create a device of our own",
                  name);
    else if (err == ERR_NOT_FOUND && !if_nametoindex(name))
        log_error("there is no device %s: make it (`ip tuntap add dev %s mode tap`), or use -tap-ip ADDR to "
                  "create one",
                  name, name);
    else
        explain_common(name, err);
}

/* ---- snapshots of the machine ---- */

const struct rtnl_link *device_link_at(const struct device *d, unsigned index)
{
    for (size_t i = 0; i < d->link_count; i++)
        if (d->links[i].index == index)
            return &d->links[i];
    return NULL;
}

static int read_links(struct device *d)
{
    for (size_t cap = 64;; cap *= 2) {
        struct rtnl_link *list = calloc(cap, sizeof(*list));
        int count = list ? rtnl_links(d->rtnl, list, cap) : ERR_NOMEM;
        if (count >= 0 && (size_t)count <= cap) {
            free(d->links);
            d->links = list;
            d->link_count = (size_t)count;
            return 0;
        }
        free(list);
        if (count < 0)
            return count;
    }
}

static int read_addresses(struct device *d)
{
    for (size_t cap = 64;; cap *= 2) {
        struct rtnl_address *list = calloc(cap, sizeof(*list));
        int count = list ? rtnl_addresses(d->rtnl, list, cap) : ERR_NOMEM;
        if (count >= 0 && (size_t)count <= cap) {
            free(d->all);
            d->all = list;
            d->all_count = (size_t)count;
            return 0;
        }
        free(list);
        if (count < 0)
            return count;
    }
}

/* IPv6 link-local addresses are every device's: they name no subnet of ours. */
static void pick_own_addresses(struct device *d)
{
    d->address_count = 0;
    for (size_t i = 0; i < d->all_count && d->address_count < DEVICE_ADDRESSES_MAX; i++) {
        const struct rtnl_address *a = &d->all[i];
        bool link_local = a->prefix.addr.family == 6 && addr_is_link_local(&a->prefix.addr);
        if (a->index == d->tap.ifindex && !link_local)
            d->addresses[d->address_count++] = a->prefix;
    }
}

/* At which another machine may reach us, if only from the same wire. */
static bool is_outside(const struct device *d, const struct rtnl_address *a)
{
    const struct rtnl_link *link = device_link_at(d, a->index);
    const struct addr *addr = &a->prefix.addr;
    return link && link->up && !link->loopback && a->index != d->tap.ifindex && !addr_is_loopback(addr) &&
           !addr_is_unspecified(addr) && !device_is_overlay(d, addr);
}

/* Where there is nothing else, IPv6 link-local addresses are the underlay. */
static bool is_underlay(const struct device *d, const struct rtnl_address *a)
{
    const struct addr *addr = &a->prefix.addr;
    return is_outside(d, a) && (!addr_is_link_local(addr) || (addr->family == 6 && d->link_local_alone));
}

static bool has_link_local_alone(const struct device *d)
{
    for (size_t i = 0; i < d->all_count; i++)
        if (is_outside(d, &d->all[i]) && !addr_is_link_local(&d->all[i].prefix.addr))
            return false;
    return true;
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3ull; /* FNV-1a */
    return hash;
}

/* Changes when an underlay address comes, goes or moves, or its interface carries another size. */
static uint64_t underlay_hash(const struct device *d)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < d->all_count; i++) {
        const struct rtnl_address *a = &d->all[i];
        if (!is_underlay(d, a))
            continue;
        hash = mix(hash, &a->index, sizeof(a->index));
        hash = mix(hash, a->prefix.addr.ip, sizeof(a->prefix.addr.ip));
        hash = mix(hash, &a->prefix.bits, sizeof(a->prefix.bits));
        hash = mix(hash, &device_link_at(d, a->index)->mtu, sizeof(uint32_t));
    }
    return hash;
}

static void take_link(struct device *d, const struct rtnl_link *now)
{
    if (!now)
        return; /* it was removed: the workers notice */
    if (d->link.up && !now->up)
        log_warn("device %s was taken down: no frame passes until `ip link set %s up`", now->name, now->name);
    else if (d->told_down && now->up)
        log_info("device %s is up again", now->name);
    d->told_down = !now->up && (d->told_down || d->link.up);
    d->link = *now;
}

static int refresh(struct device *d)
{
    int err = read_links(d);
    if (!err)
        err = read_addresses(d);
    if (err)
        return err;
    take_link(d, device_link_at(d, d->tap.ifindex));
    pick_own_addresses(d);
    d->link_local_alone = has_link_local_alone(d);
    device_overlap_refresh(d);
    return 0;
}

/* ---- opening ---- */

static int configure(struct device *d, const struct config *config, const struct node_id *id)
{
    uint8_t mac[6];
    id_mac(id, mac);
    const struct rtnl_link_change sizes = {
        .mtu = config->tap_mtu, .txqueuelen = TX_QUEUE_LEN, .gso_max = GSO_MAX, .mac = mac};
    const struct rtnl_link_change up = {.up = true};
    char text[ADDR_TEXT_MAX];
    int err = rtnl_link_set(d->rtnl, d->tap.ifindex, &sizes);
    if (err) {
        log_error("device %s: cannot set MTU %u and its MAC: %s", d->tap.name, config->tap_mtu, reason(err));
        return err;
    }
    err = rtnl_address_add(d->rtnl, d->tap.ifindex, &config->tap_address);
    if (err) {
        log_error("device %s: cannot set address %s: %s", d->tap.name,
                  addr_prefix_format(&config->tap_address, text), reason(err));
        return err;
    }
    err = rtnl_link_set(d->rtnl, d->tap.ifindex, &up);
    if (err)
        log_error("device %s: cannot bring it up: %s", d->tap.name, reason(err));
    return err;
}

static int create(struct device *d, const struct config *config, const struct node_id *id, unsigned queues)
{
    const char *name = config->tap_name[0] ? config->tap_name : NULL;
    int err = tap_create(name, queues, &d->tap);
    if (err) {
        explain_create(name ? name : "tap0", err);
        return err;
    }
    return configure(d, config, id);
}

static int attach(struct device *d, const struct config *config, unsigned queues)
{
    const struct rtnl_link_change up = {.up = true};
    /* A device with several queues would let us in beside its owner,
     * whom /proc hides from an ordinary user. */
    bool held = !rtnl_link_find(d->rtnl, config->tap_name, &d->link) && d->link.held_queues;
    int err = held ? ERR_BUSY : tap_attach(config->tap_name, queues, &d->tap);
    if (err) {
        explain_attach(config->tap_name, err);
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
        log_error("device %s: cannot bring it up: %s", d->tap.name, reason(err));
    return err;
}

static void log_opened(const struct device *d)
{
    char text[ADDR_TEXT_MAX] = "no address";
    unsigned o = d->tap.offloads;
    if (d->address_count)
        addr_prefix_format(&d->addresses[0], text);
    log_info("device %s: %s, %s, MTU %u, offloads:%s%s%s%s", d->tap.name,
             d->tap.attached ? "attached" : "created", text, d->link.mtu, o & OFFLOAD_CSUM ? " csum" : "",
             o & OFFLOAD_TSO ? " tso" : "", o & OFFLOAD_USO ? " uso" : "", o ? "" : " none");
}

static int open_netlink(struct device *d)
{
    int err = rtnl_open(&d->rtnl);
    if (!err)
        err = rtnl_monitor_open(&d->monitor);
    if (err)
        log_error("cannot talk to the kernel's routing tables (rtnetlink): %s", reason(err));
    return err;
}

static int make(struct device *d, const struct config *config, const struct node_id *id, unsigned queues)
{
    int err = open_netlink(d);
    if (err)
        return err;
    device_undo_heal(d);
    err = config->tap_address.addr.family ? create(d, config, id, queues) : attach(d, config, queues);
    if (err)
        return err;
    err = refresh(d);
    if (err) {
        log_error("device %s: cannot read interfaces and addresses: %s", d->tap.name, reason(err));
        return err;
    }
    d->underlay = underlay_hash(d);
    log_opened(d);
    return 0;
}

int device_open(const struct config *config, const struct node_id *id, unsigned queues, struct device **out)
{
    if (!config->tap_address.addr.family && !config->tap_name[0]) {
        log_error("no device: give -tap-ip ADDR to create one, or -tap NAME to attach to one");
        return ERR_ARGUMENT;
    }
    struct device *d = calloc(1, sizeof(*d));
    if (!d) {
        log_error("out of memory");
        return ERR_NOMEM;
    }
    d->monitor = -1;
    d->guard.off = config->host_routes_off;
    d->guard.allowed_count = config->host_route_count;
    memcpy(d->guard.allowed, config->host_routes, sizeof(d->guard.allowed));
    device_undo_init(d, config, id);
    int err = make(d, config, id, queues);
    if (err)
        device_close(d);
    else
        *out = d;
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
    if (d->monitor >= 0)
        close(d->monitor);
    if (d->rtnl)
        rtnl_close(d->rtnl);
    device_guard_free(d);
    free(d->links);
    free(d->all);
    free(d);
}

/* ---- the device ---- */

const struct tap *device_tap(const struct device *d)
{
    return &d->tap;
}

unsigned device_mtu(const struct device *d)
{
    return d->link.mtu;
}

const uint8_t *device_mac(const struct device *d)
{
    return d->link.mac;
}

bool device_up(const struct device *d)
{
    return d->link.up;
}

unsigned device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap)
{
    unsigned count = d->address_count < cap ? d->address_count : cap;
    memcpy(out, d->addresses, count * sizeof(*out));
    return count;
}

bool device_is_overlay(const struct device *d, const struct addr *a)
{
    for (unsigned i = 0; i < d->address_count; i++)
        if (addr_in_prefix(a, &d->addresses[i]))
            return true;
    return false;
}

/* ---- the underlay ---- */

const struct rtnl_address *device_machine_addresses(const struct device *d, size_t *count)
{
    *count = d->all_count;
    return d->all;
}

bool device_is_local(const struct device *d, const struct addr *a)
{
    for (size_t i = 0; i < d->all_count; i++) {
        const struct rtnl_link *link = device_link_at(d, d->all[i].index);
        if (link && link->up && link->index != d->tap.ifindex && addr_same_host(a, &d->all[i].prefix.addr))
            return true;
    }
    return false;
}

unsigned device_host_candidates(struct device *d, uint16_t port, uint16_t control_port, struct candidate *out,
                                unsigned cap)
{
    unsigned count = 0;
    for (size_t i = 0; i < d->all_count && count < cap; i++) {
        if (!is_underlay(d, &d->all[i]))
            continue;
        out[count] = (struct candidate){
            .kind = CANDIDATE_HOST, .addr = d->all[i].prefix.addr, .control_port = control_port};
        out[count++].addr.port = port;
    }
    return count;
}

uint16_t device_underlay_max(struct device *d)
{
    uint32_t most = WIRE_LEAST_SIZE, bound = WIRE_FRAME_MAX + WIRE_OVERHEAD;
    for (size_t i = 0; i < d->all_count; i++) {
        if (!is_underlay(d, &d->all[i]))
            continue;
        uint32_t mtu = device_link_at(d, d->all[i].index)->mtu;
        if (mtu > most + UDP4_OVERHEAD)
            most = mtu - UDP4_OVERHEAD;
    }
    return (uint16_t)(most < bound ? most : bound);
}

int device_monitor_fd(const struct device *d)
{
    return d->monitor;
}

bool device_may_look(struct device *d, uint64_t now_us)
{
    return bucket_take(&d->looks, &look_rate, 1, now_us);
}

/* True when underlay addresses changed. What cannot be read is tried again. */
static bool look(struct device *d)
{
    int err = refresh(d);
    if (err && !d->unreadable_told)
        log_warn("cannot read interfaces and addresses: %s", reason(err));
    d->machine_stale = d->unreadable_told = err != 0;
    if (err)
        return false;
    uint64_t underlay = underlay_hash(d);
    bool changed = underlay != d->underlay;
    d->underlay = underlay;
    return changed;
}

bool device_on_change(struct device *d, uint64_t now_us)
{
    d->machine_stale |= rtnl_monitor_drain(d->monitor);
    return d->machine_stale && device_may_look(d, now_us) && look(d);
}

bool device_tick(struct device *d, uint64_t now_us)
{
    bool due = device_overlap_due(d);
    if (!d->machine_stale && !d->around_stale && !due)
        return false;
    bucket_spend(&d->looks, &look_rate, 1, now_us);
    if (d->machine_stale)
        return look(d);
    device_overlap_look(d, due);
    return false;
}
