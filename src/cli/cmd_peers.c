/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh peers: a row per peer with everything that is known of its session; with -l, every path. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/peer_text.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *bytes_of(const json_t *object, const char *key, char out[FORMAT_MAX])
{
    double value = nodes_number(object, key);
    return value >= 0 ? format_bytes((uint64_t)value, out) : "-";
}

static const char *mtu_of(const json_t *path, char out[FORMAT_MAX])
{
    double mtu = nodes_number(path, "mtu");
    if (mtu <= 0)
        return "";
    snprintf(out, FORMAT_MAX, "%.0f", mtu);
    return out;
}

static void add_peer(const struct cli_options *options, struct table *t, const json_t *peer)
{
    char id[ID_TEXT_MAX], mtu[FORMAT_MAX], rtt[FORMAT_MAX], loss[FORMAT_MAX], rx[FORMAT_MAX], tx[FORMAT_MAX],
        handshake[FORMAT_MAX], ratchet[FORMAT_MAX];
    char *addresses = nodes_addresses(peer), *path = peer_text_path(peer);
    const char *name = nodes_text(peer, "name");
    table_add(t, (const char *const[]){name[0] ? name : "-", nodes_id(options, nodes_text(peer, "id"), id),
                                       addresses, path, mtu_of(json_object_get(peer, "path"), mtu),
                                       format_rtt(nodes_number(peer, "rtt_us"), rtt),
                                       format_share(nodes_number(peer, "loss"), loss),
                                       bytes_of(peer, "rx_bytes", rx), bytes_of(peer, "tx_bytes", tx),
                                       format_age(nodes_number(peer, "handshake_age_s"), handshake),
                                       format_age(nodes_number(peer, "ratchet_age_s"), ratchet),
                                       options->whole ? nodes_text(peer, "suite") : ""});
    free(addresses);
    free(path);
}

/* What else is known of a peer, under it. Nodes of earlier versions do not tell. */
static void add_line(struct table *t, const char *title, const char *value)
{
    char text[160];
    if (!value[0])
        return;
    snprintf(text, sizeof(text), "  %s: %.120s", title, value);
    char *clean = format_clean(text);
    table_add(t, (const char *const[]){"", "", "", clean, "", "", "", "", "", "", "", ""});
    free(clean);
}

/* The paths that are tried or kept warm, under their peer. */
static void add_paths(struct table *t, const json_t *peer)
{
    char mtu[FORMAT_MAX], rtt[FORMAT_MAX];
    size_t index;
    json_t *path;
    json_array_foreach(json_object_get(peer, "paths"), index, path)
    {
        char *carrier = peer_text_carrier(path), *text = NULL;
        const char *why = nodes_text(path, "why");
        if (asprintf(&text, "  %s, %s%s%s", carrier, nodes_text(path, "state"), why[0] ? ": " : "", why) < 0)
            abort();
        table_add(t, (const char *const[]){"", "", "", text, mtu_of(path, mtu),
                                           format_rtt(nodes_number(path, "rtt_us"), rtt), "", "", "", "", "",
                                           ""});
        free(carrier);
        free(text);
    }
}

/* That which admitted a member of a network. */
static void add_certificate(struct table *t, const json_t *peer)
{
    char end[32] = "", text[64];
    const json_t *c = json_object_get(peer, "certificate");
    time_t not_after = (time_t)nodes_number(c, "not_after");
    struct tm utc;
    if (!json_is_object(c) || !gmtime_r(&not_after, &utc) ||
        !strftime(end, sizeof(end), "%Y-%m-%d %H:%M:%S", &utc))
        return;
    snprintf(text, sizeof(text), "until %s UTC", end);
    add_line(t, "certificate", text);
}

static void print_node(const struct cli_options *options, json_t *node, bool titled)
{
    const char *columns[] = {"PEER", "ID",        "ADDRESSES", "PATH",
                             "MTU",  "RTT",       "LOSS",      "RX",
                             "TX",   "HANDSHAKE", "RATCHET",   options->whole ? "SUITE" : ""};
    struct table *t = table_new("llllrrrrrrrl");
    size_t index;
    json_t *peer;
    char *name = format_clean(nodes_text(node, "name"));
    if (titled)
        printf("%s%s%s\n", options->colour ? "\033[1m" : "", name, options->colour ? "\033[0m" : "");
    table_add(t, columns);
    json_array_foreach(json_object_get(node, "peers"), index, peer)
    {
        add_peer(options, t, peer);
        table_add_note(t, peer_text_error(peer));
        if (options->whole) {
            add_paths(t, peer);
            add_line(t, "not direct", nodes_text(peer, "not_direct"));
            add_line(t, "control", nodes_text(peer, "control"));
            add_certificate(t, peer);
        }
    }
    if (index == 0)
        printf("%sno peers yet\n", titled ? "  " : "");
    else
        table_print(t, stdout, &(struct table_style){titled ? 2 : 0, options->width, true, options->colour});
    free(name);
    table_free(t);
}

int cmd_peers(const struct cli_options *options)
{
    static const struct nodes_listing listing = {.member = "peers", .print = print_node};
    return nodes_show(options, &listing);
}
