/* SPDX-License-Identifier: Apache-2.0 */
/* Each part of the answer is a function that asks the one who knows. */

#include "node/command/status.h"

#include "base/clock.h"
#include "base/vault.h"
#include "crypto/aead_policy.h"
#include "crypto/identity.h"
#include "frame/offload.h"
#include "net/sandbox.h"
#include "node/backbones/backbones.h"
#include "node/command/describe.h"
#include "node/command/status_doors.h"
#include "node/config/config.h"
#include "node/data/workers.h"
#include "node/device/device.h"
#include "node/netcheck/nat_json.h"
#include "node/network/issuer.h"
#include "node/network/names.h"
#include "node/network/network.h"
#include "node/report/overlay.h"
#include "node/report/warnings.h"
#include "node/underlay/addresses.h"
#include "proto/mesh/mesh.h"
#include "proto/relay/relay_desk.h"

static json_t *prefixes(const struct addr_prefix *list, unsigned count)
{
    json_t *array = json_array();
    char text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_string(addr_prefix_format(&list[i], text)));
    return array;
}

struct peer_list {
    json_t *array;
    const struct backbones *backbones;
    const struct device *device;
    uint64_t now_us;
};

static void add_peer(void *context, const struct mesh_peer *peer)
{
    const struct peer_list *l = context;
    json_array_append_new(l->array, describe_peer(peer, l->backbones, l->device, l->now_us));
}

static json_t *describe_peers(const struct status *s, uint64_t now_us)
{
    struct peer_list list = {json_array(), s->backbones, s->device, now_us};
    mesh_peers(s->mesh, add_peer, &list);
    return list.array;
}

static json_t *describe_drops(const struct status *s)
{
    json_t *o = json_object();
    for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++) {
        uint64_t count = s->drops[i] + workers_dropped(s->workers, i);
        json_object_set_new(o, drop_name(i), json_integer((json_int_t)count));
    }
    return o;
}

static json_t *describe_frames(const struct workers *workers)
{
    const struct workers_frames f = workers_frames(workers);
    return json_pack("{s:I, s:I, s:I, s:I}", "from_device", (json_int_t)f.from_device, "to_device",
                     (json_int_t)f.to_device, "bytes_from_device", (json_int_t)f.bytes_from_device,
                     "bytes_to_device", (json_int_t)f.bytes_to_device);
}

/* null: it is in no full mesh. */
static json_t *describe_mesh(const struct status *s)
{
    unsigned members, connected;
    if (!s->config->full_mesh && !s->network)
        return json_null();
    mesh_members(s->mesh, &members, &connected);
    return json_pack("{s:i, s:i}", "members", (int)members, "connected", (int)connected);
}

/* null: it lets nobody in. */
static json_t *describe_issued(const struct issuer *is)
{
    if (!is)
        return json_null();
    const struct issuer_counts c = issuer_counts(is);
    return json_pack("{s:I, s:I, s:I}", "joined", (json_int_t)c.joined, "renewed", (json_int_t)c.renewed,
                     "refused", (json_int_t)c.refused);
}

/* null: nobody here is told any. */
static json_t *describe_names(const struct names *n)
{
    static const char *const modes[] = {
        [RESOLVER_OFF] = "off", [RESOLVER_RESOLVED] = "resolved", [RESOLVER_HOSTS] = "hosts"};
    return n ? json_pack("{s:s, s:s}", "mode", modes[names_mode(n)], "text", names_trouble(n)) : json_null();
}

/* null: it is in none. */
static json_t *describe_network(const struct network *n, const struct names *names, uint64_t now_us)
{
    if (!n)
        return json_null();
    const struct network_status s = network_status(n, now_us);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:i, s:o, s:o, s:o}", "name", s.name, "id",
                     s.id, "state", s.state, "step", s.step, "text", s.text, "issuer", s.issuer, "not_before",
                     (json_int_t)s.not_before, "not_after", (json_int_t)s.not_after, "life_spent",
                     (int)s.spent, "issuer_not_after",
                     s.issuer_not_after ? json_integer((json_int_t)s.issuer_not_after) : json_null(),
                     "issued", describe_issued(network_issuer(n)), "names", describe_names(names));
}

/* null: it does not. */
static json_t *describe_relaying(const struct status *s)
{
    if (!s->desk)
        return json_null();
    const struct workers_relayed r = workers_relayed(s->workers);
    return json_pack("{s:i, s:i, s:I, s:I}", "rate_mbit", (int)s->relay_mbit, "channels",
                     (int)relay_desk_count(s->desk), "bytes", (json_int_t)r.bytes, "trains",
                     (json_int_t)r.trains);
}

static json_t *describe_key_memory(void)
{
    struct vault_stats stats;
    vault_stats(&stats);
    return json_pack("{s:I, s:I}", "bytes", (json_int_t)stats.bytes, "unlocked", (json_int_t)stats.unlocked);
}

static json_t *describe_uplink(const struct status *s, const struct uplink_status *status, uint64_t now_us)
{
    json_t *o = json_pack("{s:s, s:I}", "state", status->state, "since_s",
                          (json_int_t)((now_us - status->since_us) / USEC_PER_SEC));
    if (o && status->interface)
        json_object_set_new(o, "interface", json_string(device_interface_name(s->device, status->interface)));
    if (o && status->error[0])
        json_object_set_new(o, "error", json_string(status->error));
    return o;
}

static json_t *describe_backbone(const struct status *s, unsigned number, uint64_t now_us)
{
    const struct backbone_status status = backbones_status(s->backbones, number);
    json_t *o =
        json_pack("{s:s, s:b, s:b, s:o}", "url", status.url, "reachable", status.reachable, "registered",
                  status.registered, "uplink", describe_uplink(s, &status.uplink, now_us));
    if (status.instance[0] && o)
        json_object_set_new(o, "instance", json_string(status.instance));
    if (status.proxy[0] && o)
        json_object_set_new(o, "proxy", json_string(status.proxy));
    if (status.error[0] && o)
        json_object_set_new(o, "error", json_string(status.error));
    return o;
}

/* The first one stands for itself, too: nodes had one for long. */
static json_t *describe_first(const struct status *s, uint64_t now_us)
{
    return backbones_count(s->backbones) ? describe_backbone(s, 0, now_us) : json_null();
}

static json_t *describe_backbones(const struct status *s, uint64_t now_us)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < backbones_count(s->backbones); i++)
        json_array_append_new(array, describe_backbone(s, i, now_us));
    return array;
}

/* null: off, or not possible. */
static json_t *describe_sandbox(const struct sandbox *s)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < 64; i++)
        if (s->capabilities >> i & 1)
            json_array_append_new(names, json_string(sandbox_capability_name(i)));
    json_t *o = json_pack("{s:o, s:b, s:b, s:i}", "capabilities", names, "no_new_privileges", s->entered,
                          "seccomp", s->entered, "landlock", s->landlock);
    if (s->entered)
        return o;
    json_decref(o);
    return json_null();
}

/* What device and kernel leave to each other: where it cannot merge datagrams, there is no "uso". */
static json_t *describe_offloads(unsigned offloads)
{
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {{OFFLOAD_CSUM, "csum"}, {OFFLOAD_TSO, "tso"}, {OFFLOAD_USO, "uso"}};
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (offloads & known[i].bit)
            json_array_append_new(list, json_string(known[i].name));
    return list;
}

static json_t *describe_nats(const struct addresses *a)
{
    return json_pack("{s:o, s:o}", "ipv4", nat_json(addresses_nat(a, 4)), "ipv6",
                     nat_json(addresses_nat(a, 6)));
}

static void add_warning(void *context, const char *text)
{
    json_array_append_new(context, json_string(text));
}

static json_t *describe_warnings(const struct status *s, uint64_t now_us)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < WARNING_COUNT; i++) {
        const char *text = warnings_text(s->warnings, i, now_us);
        if (text)
            json_array_append_new(list, json_string(text));
    }
    overlay_warnings(s->overlay, add_warning, list);
    return list;
}

static json_t *describe_files(const struct flags_source *source)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < source->file_count; i++)
        json_array_append_new(list, json_string(source->files[i]));
    return list;
}

static json_t *describe_rootless(pid_t broker)
{
    return broker > 0 ? json_pack("{s:i}", "process", (int)broker) : json_null();
}

/* Of a device that another program opened. */
static json_t *describe_given(const struct tap *tap)
{
    if (!tap->given)
        return json_null();
    return json_pack("{s:i, s:s, s:b, s:b}", "number", tap->given, "flags", tap->assumed ? "assumed" : "read",
                     "virtio_header", !tap->plain, "interface", tap->ifindex != 0);
}

json_t *status_describe(const struct status *s, uint64_t now_us)
{
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    unsigned overlay_count = device_addresses(s->device, overlay, MESSAGE_ADDRS_MAX);
    enum aead_suite suite = aead_policy_first(s->config->aead);
    return json_pack(
        "{s:o, s:s, s:s, s:i, s:o, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:i, s:i, s:b, s:o, s:o, "
        "s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "id", describe_id(identity_id(s->identity)), "name", s->config->called, "device",
        device_tap(s->device)->name, "mtu", (int)device_mtu(s->device), "addresses",
        prefixes(overlay, overlay_count), "workers", (int)workers_bulk(s->workers), "aead",
        aead_suite_name(suite), "aead_backend", aead_backend_name(suite), "aead_reason",
        aead_policy_reason(s->config->aead), "version", SHADOWMESH_VERSION, "uptime_s",
        (json_int_t)((now_us - s->started_us) / USEC_PER_SEC), "backbone", describe_first(s, now_us),
        "reflexive", describe_addr(addresses_mapped(s->addresses)), "port", (int)s->config->port,
        "control_port", (int)s->config->control_port, "public", s->config->is_public, "peers",
        describe_peers(s, now_us), "drops", describe_drops(s), "frames", describe_frames(s->workers),
        "key_memory", describe_key_memory(), "sandbox", describe_sandbox(s->sandbox), "warnings",
        describe_warnings(s, now_us), "device_up", device_up(s->device), "nat", describe_nats(s->addresses),
        "backbones", describe_backbones(s, now_us), "relay", describe_relaying(s), "port_mappings",
        describe_mappings(s->portmap), "mesh", describe_mesh(s), "config", describe_files(&s->config->source),
        "network", describe_network(s->network, s->names, now_us), "offloads",
        describe_offloads(device_tap(s->device)->offloads), "rootless", describe_rootless(s->broker), "doors",
        status_doors(s->config, s->doors), "descriptor", describe_given(device_tap(s->device)));
}
