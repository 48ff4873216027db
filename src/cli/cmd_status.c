/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh status: every node that runs here, and a line for each of its peers. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/mapping_text.h"
#include "cli/network_text.h"
#include "cli/nodes.h"
#include "cli/peer_text.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_title(const struct cli_options *options, const json_t *node)
{
    char id[ID_TEXT_MAX], age[FORMAT_MAX];
    char *name = format_clean(nodes_text(node, "name"));
    char *digits = format_clean(nodes_id(options, nodes_text(node, "id"), id));
    char *addresses = nodes_addresses(node), *clean = format_clean(addresses);
    printf("%s%s%s  %s", options->colour ? "\033[1m" : "", name, options->colour ? "\033[0m" : "", digits);
    if (clean[0])
        printf("  %s", clean);
    printf("  up %s\n", format_age(nodes_number(node, "uptime_s"), age));
    free(name);
    free(digits);
    free(addresses);
    free(clean);
}

static void add_fact(struct table *t, const char *label, char *text)
{
    if (text && text[0])
        table_add(t, (const char *const[]){label, text});
    free(text);
}

/* ", offloads csum tso", for the caller to free; "" of a node that does not tell. */
static char *offloads_text(const json_t *node)
{
    const json_t *list = json_object_get(node, "offloads"), *name;
    char *text = NULL;
    size_t size, i;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    if (list)
        fputs(json_array_size(list) ? ", offloads" : ", no offloads", out);
    json_array_foreach(list, i, name)
        fprintf(out, " %s", json_string_value(name) ? json_string_value(name) : "");
    if (fclose(out))
        abort();
    return text;
}

/* Of a device that the node did not open itself, or not in this machine's network. */
static char *way_text(const json_t *node)
{
    const json_t *given = json_object_get(node, "descriptor");
    char *out = NULL;
    if (!json_is_object(given))
        return strdup(json_is_object(json_object_get(node, "rootless"))
                          ? " (without root: `shadowmesh run` is in its network)"
                          : "");
    bool plain = json_is_false(json_object_get(given, "virtio_header"));
    bool assumed = strcmp(nodes_text(given, "flags"), "assumed") == 0;
    bool unseen = json_is_false(json_object_get(given, "interface"));
    if (asprintf(&out, " (descriptor %.0f of another program%s%s%s)", nodes_number(given, "number"),
                 plain ? ", plain packets" : "", assumed ? " as its flags cannot be read" : "",
                 unseen ? ", no interface to be seen here" : "") < 0)
        abort();
    return out;
}

static char *device_text(const json_t *node)
{
    double workers = nodes_number(node, "workers");
    const char *backend = nodes_text(node, "aead_backend"), *reason = nodes_text(node, "aead_reason");
    char *out = NULL, *offloads = offloads_text(node), *way = way_text(node);
    bool down = json_is_false(json_object_get(node, "device_up"));
    if (!way ||
        asprintf(&out, "%s%s%s, MTU %.0f%s, %.0f worker%s, %s%s%s%s%s%s%s", nodes_text(node, "device"),
                 down ? " (down: no frame passes)" : "", way, nodes_number(node, "mtu"), offloads, workers,
                 workers == 1 ? "" : "s", nodes_text(node, "aead"), backend[0] ? " by " : "", backend,
                 reason[0] ? " (" : "", reason, reason[0] ? ")" : "",
                 json_is_true(json_object_get(node, "public")) ? ", public" : "") < 0)
        abort();
    free(offloads);
    free(way);
    return out;
}

static char *backbone_text(const json_t *backbone, const char *seen)
{
    const char *url = nodes_text(backbone, "url"), *error = nodes_text(backbone, "error"),
               *proxy = nodes_text(backbone, "proxy");
    bool reached = json_is_true(json_object_get(backbone, "reachable"));
    bool refused = reached && json_is_false(json_object_get(backbone, "registered"));
    char *out = NULL;
    if (!url[0])
        return strdup("none");
    if (asprintf(&out, "%s%s%s, %s%s%s%s%s%s", url, proxy[0] ? " by the proxy " : "", proxy,
                 reached ? "reached" : "cannot be reached", refused ? ", but it does not register us" : "",
                 error[0] ? ": " : "", error, seen[0] ? ", sees us as " : "", seen) < 0)
        abort();
    return out;
}

/* "endpoint-independent mapping, ports kept, filtering address-dependent"; nothing while too few servers answer. */
static char *nat_text(const json_t *node)
{
    const json_t *nat = json_object_get(json_object_get(node, "nat"), "ipv4");
    const char *mapping = nodes_text(nat, "mapping"), *ports = nodes_text(nat, "ports"),
               *filtering = nodes_text(nat, "filtering");
    bool none = strcmp(mapping, "none") == 0;
    char *out = NULL;
    if (!mapping[0] || strcmp(mapping, "unknown") == 0)
        return NULL;
    if (asprintf(&out, "%s%s%s%s%s%s", none ? "none: addresses are not translated" : mapping,
                 none ? "" : " mapping", none || strcmp(ports, "unknown") == 0 ? "" : ", ports ",
                 none || strcmp(ports, "unknown") == 0 ? "" : ports,
                 strcmp(filtering, "unknown") == 0 || !filtering[0] ? "" : ", filtering ",
                 strcmp(filtering, "unknown") == 0 ? "" : filtering) < 0)
        abort();
    return out;
}

/* A node of an earlier version has one at most. */
static void add_backbones(struct table *facts, const json_t *node)
{
    const json_t *list = json_object_get(node, "backbones"), *backbone;
    const char *seen = nodes_text(node, "reflexive");
    size_t index;
    if (json_array_size(list) == 0)
        add_fact(facts, "backbone", backbone_text(json_object_get(node, "backbone"), seen));
    json_array_foreach(list, index, backbone)
        add_fact(facts, "backbone", backbone_text(backbone, index ? "" : seen));
}

/* "caps net_admin, no new privileges, seccomp, landlock 6"; nothing of a node that knows no sandbox. */
static char *sandbox_text(const json_t *node)
{
    const json_t *sandbox = json_object_get(node, "sandbox"), *name;
    char *out = NULL;
    size_t len = 0, index;
    if (!json_is_object(sandbox))
        return json_is_null(sandbox) ? strdup("off") : NULL;
    FILE *text = open_memstream(&out, &len);
    if (!text)
        abort();
    const json_t *names = json_object_get(sandbox, "capabilities");
    fputs(json_array_size(names) ? "caps" : "no caps", text);
    json_array_foreach(names, index, name)
    {
        char *clean = format_clean(json_is_string(name) ? json_string_value(name) : "");
        fprintf(text, " %s", clean);
        free(clean);
    }
    if (json_is_true(json_object_get(sandbox, "no_new_privileges")))
        fputs(", no new privileges", text);
    if (json_is_true(json_object_get(sandbox, "seccomp")))
        fputs(", seccomp", text);
    double landlock = nodes_number(sandbox, "landlock");
    if (landlock > 0)
        fprintf(text, ", landlock %.0f", landlock);
    else
        fputs(", no landlock on this kernel", text);
    fclose(text);
    return out;
}

static uint64_t count_of(const json_t *object, const char *key)
{
    double value = nodes_number(object, key);
    return value > 0 ? (uint64_t)value : 0;
}

static char *frames_text(const json_t *node)
{
    const json_t *frames = json_object_get(node, "frames");
    char sent[FORMAT_MAX], sent_bytes[FORMAT_MAX], got[FORMAT_MAX], got_bytes[FORMAT_MAX], *out = NULL;
    if (!json_is_object(frames))
        return NULL;
    if (asprintf(&out, "%s sent (%s), %s received (%s)", format_count(count_of(frames, "from_device"), sent),
                 format_bytes(count_of(frames, "bytes_from_device"), sent_bytes),
                 format_count(count_of(frames, "to_device"), got),
                 format_bytes(count_of(frames, "bytes_to_device"), got_bytes)) < 0)
        abort();
    return out;
}

/* "198 of 199 members connected"; nothing of a node that is in no full mesh. */
static char *mesh_text(const json_t *node)
{
    const json_t *mesh = json_object_get(node, "mesh");
    double members = nodes_number(mesh, "members");
    char *out = NULL;
    if (!json_is_object(mesh))
        return NULL;
    if (asprintf(&out, "%.0f of %.0f member%s connected", nodes_number(mesh, "connected"), members,
                 members == 1 ? "" : "s") < 0)
        abort();
    return out;
}

/* "2 pairs of peers, 1.2 GB so far, 100 Mbit/s at most"; nothing of a node that relays for nobody. */
static char *relay_text(const json_t *node)
{
    const json_t *relay = json_object_get(node, "relay");
    double pairs = nodes_number(relay, "channels");
    char bytes[FORMAT_MAX], *out = NULL;
    if (!json_is_object(relay))
        return NULL;
    if (asprintf(&out, "%.0f pair%s of peers, %s so far, %.0f Mbit/s at most", pairs, pairs == 1 ? "" : "s",
                 format_bytes(count_of(relay, "bytes"), bytes), nodes_number(relay, "rate_mbit")) < 0)
        abort();
    return out;
}

/* "2, 3 connections (1,000 so far), …"; nothing of a node without. */
static char *doors_text(const json_t *node)
{
    const json_t *doors = json_object_get(node, "doors");
    char served[FORMAT_MAX], to[FORMAT_MAX], from[FORMAT_MAX], *out = NULL;
    if (!json_is_object(doors))
        return NULL;
    if (asprintf(&out, "%zu, %.0f connections (%s so far), %s to the mesh, %s from it",
                 json_array_size(json_object_get(doors, "list")), nodes_number(doors, "open"),
                 format_count(count_of(doors, "served"), served),
                 format_bytes(count_of(doors, "bytes_to_mesh"), to),
                 format_bytes(count_of(doors, "bytes_from_mesh"), from)) < 0)
        abort();
    return out;
}

/* "replay 3, no_peer 17"; nothing when nothing was dropped. */
static char *drops_text(json_t *node)
{
    const char *reason;
    json_t *count;
    char *out = NULL, number[FORMAT_MAX];
    size_t len = 0;
    bool first = true;
    FILE *text = open_memstream(&out, &len);
    if (!text)
        abort();
    json_object_foreach(json_object_get(node, "drops"), reason, count)
    {
        if (!json_is_integer(count) || json_integer_value(count) <= 0)
            continue;
        fprintf(text, "%s%s %s", first ? "" : ", ", reason,
                format_count((uint64_t)json_integer_value(count), number));
        first = false;
    }
    fclose(text);
    return out;
}

static void add_peer(const struct cli_options *options, struct table *t, const json_t *peer)
{
    char id[ID_TEXT_MAX], rtt[FORMAT_MAX], loss[FORMAT_MAX], bytes[FORMAT_MAX], rx[FORMAT_MAX + 3],
        tx[FORMAT_MAX + 3];
    bool connected = json_is_object(json_object_get(peer, "path"));
    char *addresses = nodes_addresses(peer), *path = peer_text_path(peer);
    const char *name = nodes_text(peer, "name");
    snprintf(rx, sizeof(rx), "rx %s", format_bytes(count_of(peer, "rx_bytes"), bytes));
    snprintf(tx, sizeof(tx), "tx %s", format_bytes(count_of(peer, "tx_bytes"), bytes));
    table_add(t, (const char *const[]){name[0] ? name : "-", nodes_id(options, nodes_text(peer, "id"), id),
                                       addresses, path,
                                       connected ? format_rtt(nodes_number(peer, "rtt_us"), rtt) : "",
                                       connected ? format_share(nodes_number(peer, "loss"), loss) : "",
                                       connected ? rx : "", connected ? tx : ""});
    free(addresses);
    free(path);
}

static void print_node(const struct cli_options *options, json_t *node, bool titled)
{
    struct table *facts = table_new("ll"), *peers = table_new("llllrrll");
    const json_t *list = json_object_get(node, "peers");
    size_t index;
    json_t *peer, *warning;
    (void)titled; /* one node has as much of a title as several */
    print_title(options, node);
    add_fact(facts, "network", network_text(node));
    add_fact(facts, "device", device_text(node));
    add_backbones(facts, node);
    add_fact(facts, "NAT", nat_text(node));
    mapping_text_add(facts, json_object_get(node, "port_mappings"));
    add_fact(facts, "frames", frames_text(node));
    add_fact(facts, "mesh", mesh_text(node));
    add_fact(facts, "relays", relay_text(node));
    add_fact(facts, "doors", doors_text(node));
    add_fact(facts, "drops", drops_text(node));
    add_fact(facts, "sandbox", sandbox_text(node));
    json_array_foreach(json_object_get(node, "warnings"), index, warning)
        add_fact(facts, "warning", format_clean(json_is_string(warning) ? json_string_value(warning) : ""));
    if (json_array_size(list) == 0)
        add_fact(facts, "peers", strdup("none yet"));
    const struct table_style style = {2, options->width, false, options->colour};
    table_print(facts, stdout, &style);
    json_array_foreach(list, index, peer)
    {
        add_peer(options, peers, peer);
        table_add_note(peers, peer_text_error(peer));
    }
    if (index > 0)
        putchar('\n');
    table_print(peers, stdout, &style);
    table_free(facts);
    table_free(peers);
}

int cmd_status(const struct cli_options *options)
{
    static const struct nodes_listing listing = {.print = print_node};
    return nodes_show(options, &listing);
}
