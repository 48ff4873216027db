/* SPDX-License-Identifier: Apache-2.0 */
/* One object per noun. */

#include "node/command/describe.h"

#include "base/clock.h"
#include "crypto/cert.h"
#include "node/backbones/backbones.h"
#include "node/device/device.h"
#include "node/underlay/portmap.h"
#include "proto/mesh/mesh.h"

json_t *describe_id(const struct node_id *id)
{
    char text[ID_TEXT_MAX];
    return json_string(id_format(id, text));
}

json_t *describe_addr(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    return a->family ? json_string(addr_format(a, text)) : json_null();
}

/* A peer's overlay addresses, without the length of the prefix. */
static json_t *hosts(const struct addr_prefix *list, unsigned count)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, describe_addr(&list[i].addr));
    return array;
}

static const char *path_state_name(enum path_state state)
{
    switch (state) {
    case PATH_STATE_UNTRIED:
        return "untried";
    case PATH_STATE_PROBING:
        return "probing";
    case PATH_STATE_PROVEN:
        return "proven";
    case PATH_STATE_SUSPECT:
        return "suspect";
    case PATH_STATE_FAILED:
        return "failed";
    case PATH_STATE_QUIET:
        return "quiet";
    }
    return "unknown";
}

/* null: the kernel chooses. */
static json_t *describe_interface(const struct endpoint *e, const struct device *device)
{
    return e->interface ? json_string(device_interface_name(device, e->interface)) : json_null();
}

json_t *describe_path(const struct path *path, const struct backbones *backbones, const struct device *device)
{
    const struct endpoint *e = &path->endpoint;
    if (e->carrier == CARRIER_NONE)
        return json_null();
    json_t *remote = e->carrier == CARRIER_UPLINK ? json_string(backbones_url(backbones, e->backbone))
                                                  : describe_addr(&e->remote);
    return json_pack("{s:s, s:o, s:o, s:o, s:i, s:s, s:i, s:s}", "kind", carrier_name(e->carrier), "local",
                     describe_addr(&e->local), "interface", describe_interface(e, device), "remote", remote,
                     "mtu", (int)path->size, "state", path_state_name(path->state), "rtt_us",
                     (int)path->rtt_us, "why", path_why_text(path->why));
}

static json_t *age_s(uint64_t since_us, uint64_t now_us)
{
    return since_us ? json_integer((json_int_t)((now_us - since_us) / USEC_PER_SEC)) : json_null();
}

static json_t *describe_certificate(const struct cert *c)
{
    return json_pack("{s:s, s:o, s:I, s:I}", "name", c->name, "issuer", describe_id(&c->issuer), "not_before",
                     (json_int_t)c->not_before, "not_after", (json_int_t)c->not_after);
}

json_t *describe_peer(const struct mesh_peer *peer, const struct backbones *backbones,
                      const struct device *device, uint64_t now_us)
{
    json_t *paths = json_array();
    for (size_t i = 0; i < peer->path_count; i++)
        json_array_append_new(paths, describe_path(&peer->paths[i], backbones, device));
    json_t *o = json_pack(
        "{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:f, s:I, s:I, s:o, s:o, s:i, s:i, s:s, s:b, s:s}", "id",
        describe_id(&peer->id), "name", peer->name, "addresses", hosts(peer->addresses, peer->address_count),
        "state", mesh_peer_state_name(peer->state), "state_age_s", age_s(peer->state_us, now_us), "path",
        describe_path(&peer->path, backbones, device), "paths", paths, "rtt_us",
        peer->path.rtt_us ? json_integer(peer->path.rtt_us) : json_null(), "loss", peer->loss, "rx_bytes",
        (json_int_t)peer->rx_bytes, "tx_bytes", (json_int_t)peer->tx_bytes, "handshake_age_s",
        age_s(peer->handshake_us, now_us), "ratchet_age_s", age_s(peer->ratchet_us, now_us), "handshakes",
        (int)peer->handshakes, "ratchets", (int)peer->ratchets, "suite", peer->suite, "fresh_root",
        peer->fresh_root, "control", mesh_control_name(peer->control));
    if (peer->crooked[0] && o)
        json_object_set_new(o, "not_direct", json_string(peer->crooked));
    if (peer->certificate && o)
        json_object_set_new(o, "certificate", describe_certificate(peer->certificate));
    if (peer->error[0] && o)
        json_object_set_new(o, "error", json_string(peer->error));
    return o;
}

static json_t *describe_mapping(const struct portmap_view *v)
{
    const char *key = v->external.family ? "protocol" : "error";
    json_t *o = json_pack("{s:o, s:o, s:o, s:b, s:I}", "gateway", describe_addr(&v->gateway), "external",
                          describe_addr(&v->external), "control", describe_addr(&v->control), "announced",
                          v->announced, "lifetime_s", (json_int_t)v->lifetime_s);
    if (o && v->text[0])
        json_object_set_new(o, key, json_string(v->text));
    return o;
}

json_t *describe_mappings(const struct portmap *p)
{
    json_t *list = p ? json_array() : json_null();
    for (unsigned i = 0; p && i < PORTMAP_FAMILIES; i++) {
        const struct portmap_view v = portmap_view(p, i);
        if (v.gateway.family)
            json_array_append_new(list, describe_mapping(&v));
    }
    return list;
}
