/* SPDX-License-Identifier: Apache-2.0 */
/* The API's commands, and what status, fdb and ping answer. The JSON is a promise to scripts: it only grows.
 * docs/PROTOCOL.md §11. Control thread. */

#include "base/clock.h"
#include "base/hex.h"
#include "base/vault.h"
#include "crypto/aead.h"
#include "node/lists.h"
#include "node/node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PING_TIMEOUT_US 2000000ull

static json_t *text_of_id(const struct node_id *id)
{
    char text[ID_TEXT_MAX];
    return json_string(id_format(id, text));
}

static json_t *text_of_addr(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    return a->family ? json_string(addr_format(a, text)) : json_null();
}

static json_t *prefixes(const struct addr_prefix *list, unsigned count)
{
    json_t *array = json_array();
    char text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_string(addr_prefix_format(&list[i], text)));
    return array;
}

/* A peer's overlay addresses, without the length of the prefix. */
static json_t *hosts(const struct addr_prefix *list, unsigned count)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, text_of_addr(&list[i].addr));
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
    }
    return "unknown";
}

static json_t *describe_path(const struct path *path)
{
    if (path->endpoint.carrier == CARRIER_NONE)
        return json_null();
    const struct addr *local = &path->endpoint.local;
    return json_pack("{s:s, s:o, s:o, s:i, s:s, s:i}", "kind", carrier_name(path->endpoint.carrier), "local",
                     local->family ? text_of_addr(local) : json_null(), "remote",
                     text_of_addr(&path->endpoint.remote), "mtu", (int)path->size, "state",
                     path_state_name(path->state), "rtt_us", (int)path->rtt_us);
}

static json_t *age_s(uint64_t since_us, uint64_t now_us)
{
    return since_us ? json_integer((json_int_t)((now_us - since_us) / USEC_PER_SEC)) : json_null();
}

static void describe_peer(void *context, const struct mesh_peer *peer)
{
    uint64_t now_us = clock_monotonic_us();
    json_t *paths = json_array();
    for (size_t i = 0; i < peer->path_count; i++)
        json_array_append_new(paths, describe_path(&peer->paths[i]));
    json_t *o =
        json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:f, s:I, s:I, s:o, s:o, s:i, s:i, s:s, s:b}",
                  "id", text_of_id(&peer->id), "name", peer->name, "addresses",
                  hosts(peer->addresses, peer->address_count), "state", mesh_peer_state_name(peer->state),
                  "state_age_s", age_s(peer->state_us, now_us), "path", describe_path(&peer->path), "paths",
                  paths, "rtt_us", peer->path.rtt_us ? json_integer(peer->path.rtt_us) : json_null(), "loss",
                  peer->loss, "rx_bytes", (json_int_t)peer->rx_bytes, "tx_bytes", (json_int_t)peer->tx_bytes,
                  "handshake_age_s", age_s(peer->handshake_us, now_us), "ratchet_age_s",
                  age_s(peer->ratchet_us, now_us), "handshakes", (int)peer->handshakes, "ratchets",
                  (int)peer->ratchets, "suite", peer->suite, "fresh_root", peer->fresh_root);
    if (peer->error[0] && o)
        json_object_set_new(o, "error", json_string(peer->error));
    json_array_append_new(context, o);
}

static json_t *describe_drops(const struct node *n)
{
    json_t *o = json_object();
    for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++) {
        uint64_t count = n->drops[i];
        count += workers_dropped(&n->workers, i);
        json_object_set_new(o, drop_name(i), json_integer((json_int_t)count));
    }
    return o;
}

static json_t *describe_frames(const struct node *n)
{
    const struct workers_frames f = workers_frames(&n->workers);
    return json_pack("{s:I, s:I, s:I, s:I}", "from_device", (json_int_t)f.from_device, "to_device",
                     (json_int_t)f.to_device, "bytes_from_device", (json_int_t)f.bytes_from_device,
                     "bytes_to_device", (json_int_t)f.bytes_to_device);
}

static json_t *describe_key_memory(void)
{
    struct vault_stats stats;
    vault_stats(&stats);
    return json_pack("{s:I, s:I}", "bytes", (json_int_t)stats.bytes, "unlocked", (json_int_t)stats.unlocked);
}

static json_t *describe_backbone(const struct node *n)
{
    if (!n->rendezvous)
        return json_null();
    const char *why;
    bool registered = rendezvous_is_registered(n->rendezvous, &why);
    json_t *o = json_pack("{s:s, s:b, s:b}", "url", n->config->backbone, "reachable", n->backbone_reachable,
                          "registered", registered);
    if (!registered && why[0] && o)
        json_object_set_new(o, "error", json_string(why));
    return o;
}

/* null: off, or not possible. */
static json_t *describe_sandbox(const struct node *n)
{
    const struct sandbox *s = &n->sandbox;
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

static void add_warning(void *context, const char *text)
{
    json_array_append_new(context, json_string(text));
}

static json_t *describe_warnings(struct node *n)
{
    json_t *list = json_array();
    uint64_t now_us = clock_monotonic_us();
    for (unsigned i = 0; i < WARNING_COUNT; i++) {
        const char *text = warnings_text(&n->warnings, i, now_us);
        if (text)
            json_array_append_new(list, json_string(text));
    }
    overlay_warnings(&n->overlay, add_warning, list);
    return list;
}

static json_t *describe_node(struct node *n)
{
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    unsigned overlay_count = device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX);
    json_t *peers = json_array();
    mesh_peers(n->mesh, describe_peer, peers);
    enum aead_suite suite = aead_cpu_has_aes() ? AEAD_AES_256_GCM : AEAD_CHACHA20_POLY1305;
    return json_pack(
        "{s:o, s:s, s:s, s:i, s:o, s:i, s:s, s:s, s:s, s:I, s:o, s:o, s:i, s:i, s:b, s:o, s:o, "
        "s:o, s:o, s:o, s:o, s:b}",
        "id", text_of_id(identity_id(n->identity)), "name", n->config->name, "device",
        device_tap(n->device)->name, "mtu", (int)device_mtu(n->device), "addresses",
        prefixes(overlay, overlay_count), "workers", (int)n->workers.count, "aead", aead_suite_name(suite),
        "aead_backend", aead_backend_name(suite), "version", SHADOWMESH_VERSION, "uptime_s",
        (json_int_t)((clock_monotonic_us() - n->started_us) / USEC_PER_SEC), "backbone", describe_backbone(n),
        "reflexive", text_of_addr(addresses_mapped(&n->addresses)), "port", (int)n->config->port,
        "control_port", (int)n->config->control_port, "public", n->config->is_public, "peers", peers, "drops",
        describe_drops(n), "frames", describe_frames(n), "key_memory", describe_key_memory(), "sandbox",
        describe_sandbox(n), "warnings", describe_warnings(n), "device_up", device_up(n->device));
}

/* ---- fdb ---- */

static json_t *describe_entry(const struct node *n, const struct switch_entry *e)
{
    char mac[MAC_TEXT_MAX];
    struct node_id id;
    const char *name;
    json_t *entry =
        json_pack("{s:s, s:i, s:s, s:i}", "mac", mac_format(e->mac, mac), "vlan", (int)e->vlan, "port",
                  e->port == SWITCH_PORT_DEVICE ? "device" : "peer", "age_s", (int)e->age_s);
    if (e->port != SWITCH_PORT_DEVICE && mesh_peer_name(n->mesh, (uint32_t)e->port, &id, &name)) {
        json_object_set_new(entry, "peer_id", text_of_id(&id));
        json_object_set_new(entry, "peer_name", json_string(name));
    }
    return entry;
}

/* How far a caller has been told. */
struct fdb_cursor {
    const struct node *node;
    uint64_t at; /* of switch_list */
    struct switch_entry piece[API_LIST_PIECE];
    size_t count, next; /* in piece */
};

static json_t *next_entry(void *context)
{
    struct fdb_cursor *c = context;
    if (c->next == c->count) {
        c->count = switch_list(c->node->workers.sw, clock_monotonic_us(), &c->at, c->piece, API_LIST_PIECE);
        c->next = 0;
    }
    return c->next < c->count ? describe_entry(c->node, &c->piece[c->next++]) : NULL;
}

static void list_fdb(struct node *n, const json_t *request, struct api_call *call)
{
    (void)request;
    struct fdb_cursor *c = calloc(1, sizeof(*c));
    if (!c) {
        api_fail(call, "out of memory");
        return;
    }
    c->node = n;
    api_reply_list(call, &(struct api_list){"entries", next_entry, free, c});
}

/* ---- ping ---- */

struct ping_search {
    const char *wanted;
    struct mesh_peer peer;
    unsigned matches;
};

static void match_peer(void *context, const struct mesh_peer *peer)
{
    struct ping_search *s = context;
    char id[ID_TEXT_MAX];
    id_format(&peer->id, id);
    size_t len = strlen(s->wanted);
    if (strcmp(peer->name, s->wanted) != 0 && (len < 4 || strncmp(id, s->wanted, len) != 0))
        return;
    s->matches++;
    s->peer = *peer;
}

static void start_ping(struct node *n, const json_t *request, struct api_call *call)
{
    struct ping_search s = {.wanted = json_string_value(json_object_get(request, "peer"))};
    if (!s.wanted) {
        api_fail(call, "ping needs a peer: its name or the first digits of its id");
        return;
    }
    mesh_peers(n->mesh, match_peer, &s);
    if (s.matches != 1) {
        api_fail(call,
                 s.matches ? "more than one peer is called %s: give more digits of the id"
                           : "no peer is called %s",
                 s.wanted);
        return;
    }
    struct node_ping *free_ping = NULL;
    for (unsigned i = 0; i < NODE_PINGS_MAX; i++)
        if (!n->pings[i].call)
            free_ping = &n->pings[i];
    uint64_t now_us = clock_monotonic_us(), token = ++n->last_ping;
    if (!free_ping) {
        api_fail(call, "too many pings at once");
        return;
    }
    if (mesh_ping(n->mesh, s.peer.slot, token, now_us)) {
        api_fail(call, "%s is not connected%s%s", s.wanted, s.peer.error[0] ? ": " : "", s.peer.error);
        return;
    }
    *free_ping = (struct node_ping){call, s.peer.slot, token, now_us + PING_TIMEOUT_US};
}

struct pong_reply {
    const struct node_ping *ping;
    uint32_t rtt_us;
    json_t *result;
};

static void describe_pong(void *context, const struct mesh_peer *peer)
{
    struct pong_reply *r = context;
    if (peer->slot == r->ping->slot && !r->result)
        r->result = json_pack("{s:o, s:s, s:i, s:o}", "peer_id", text_of_id(&peer->id), "name", peer->name,
                              "rtt_us", (int)r->rtt_us, "path", describe_path(&peer->path));
}

void status_pong(struct node *n, uint64_t token, uint32_t rtt_us)
{
    for (unsigned i = 0; i < NODE_PINGS_MAX; i++) {
        struct node_ping *ping = &n->pings[i];
        if (!ping->call || ping->token != token)
            continue;
        struct pong_reply reply = {ping, rtt_us, NULL};
        mesh_peers(n->mesh, describe_pong, &reply);
        api_reply(ping->call, reply.result);
        ping->call = NULL;
    }
}

void status_tick(struct node *n, uint64_t now_us)
{
    for (unsigned i = 0; i < NODE_PINGS_MAX; i++) {
        struct node_ping *ping = &n->pings[i];
        if (!ping->call || (now_us < ping->deadline_us && !n->stopping))
            continue;
        api_fail(ping->call, n->stopping ? "the node is stopping" : "no answer within 2 s");
        ping->call = NULL;
    }
}

static void tell_status(struct node *n, const json_t *request, struct api_call *call)
{
    (void)request;
    api_reply(call, describe_node(n));
}

static const struct {
    const char *name;
    bool
        reads; /* alone: whoever may only read may ask it. A ping makes traffic, and uses up what the peer grants us */
    void (*run)(struct node *n, const json_t *request, struct api_call *call);
} commands[] = {
    {"status", true, tell_status},
    {"fdb", true, list_fdb},
    {"ping", false, start_ping},
    {"allow", false, lists_allow},
    {"disallow", false, lists_disallow},
    {"connect", false, lists_connect},
    {"disconnect", false, lists_disconnect},
};

void status_handle(void *context, const char *command, const json_t *request, struct api_call *call)
{
    size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);
    while (i < count && strcmp(commands[i].name, command) != 0)
        i++;
    if (i == count)
        api_fail(call, "no such command: %s", command);
    else if (api_call_by(call)->reads_only && !commands[i].reads)
        api_fail(call, "this socket is for reading: %s needs the node's other one, without .ro", command);
    else
        commands[i].run(context, request, call);
}
