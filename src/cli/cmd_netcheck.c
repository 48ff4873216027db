/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh netcheck: what the way to the internet does. The nodes that run here are asked; or, where servers are given, a
 * shadowmesh-l2 of its own looks, which needs no node and no rights. */
#include "cli/cmd.h"

#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/mapping_text.h"
#include "cli/nodes.h"
#include "cli/program.h"
#include "cli/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 7000

/* ---- for people ---- */

static const json_t *part(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(part(object, key));
}

static void add_fact(struct table *t, const char *label, char *text)
{
    if (!text)
        abort();
    table_add(t, (const char *const[]){label, text});
    free(text);
}

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&out, format, args);
    va_end(args);
    return len < 0 ? NULL : out;
}

/* Where the first observation has us. */
static const char *seen_at(const json_t *family)
{
    const json_t *observed = part(part(family, "nat"), "observed");
    return nodes_text(json_array_get(observed, 0), "address");
}

static char *family_text(const json_t *family)
{
    if (!is_true(family, "address"))
        return strdup("no address");
    if (!is_true(family, "asked"))
        return strdup("an address; no server that could be asked has one");
    if (!is_true(family, "udp"))
        return strdup("an address, but no server answers over UDP");
    const char *seen = seen_at(family);
    return seen[0] ? text_of("seen as %s", seen) : strdup("servers answer, and none tells where it sees us");
}

static char *nat_text(const json_t *nat)
{
    const char *mapping = nodes_text(nat, "mapping"), *filtering = nodes_text(nat, "filtering"),
               *ports = nodes_text(nat, "ports");
    const json_t *hairpin = part(nat, "hairpin");
    if (strcmp(mapping, "unknown") == 0)
        return strdup("unknown: that takes two servers with different addresses that answer");
    bool none = strcmp(mapping, "none") == 0;
    return text_of("%s%s%s, filtering %s%s%s", none ? "addresses are not translated" : mapping,
                   none ? "" : " mapping, ports ", none ? "" : ports, filtering,
                   json_is_boolean(hairpin) ? ", hairpin " : "",
                   !json_is_boolean(hairpin) ? ""
                   : json_is_true(hairpin)   ? "yes"
                                             : "no");
}

static char *size_text(const json_t *family)
{
    double size = nodes_number(family, "path_size");
    return size < 0 ? strdup("not known: no server answers large datagrams")
                    : text_of("UDP payloads of %.0f bytes get out", size);
}

/* The best round trip over UDP; -1: none. */
static double udp_rtt(const json_t *host)
{
    double rtt4 = nodes_number(part(host, "ipv4"), "rtt_us"),
           rtt6 = nodes_number(part(host, "ipv6"), "rtt_us");
    return rtt4 < 0 || (rtt6 >= 0 && rtt6 < rtt4) ? rtt6 : rtt4;
}

static char *host_text(const json_t *host, const char *name)
{
    char http[FORMAT_MAX], udp[FORMAT_MAX];
    const char *error = nodes_text(host, "error");
    double rtt = udp_rtt(host);
    bool backbone = part(host, "url") != NULL;
    if (backbone && is_true(host, "reachable"))
        return text_of("%s: %s over HTTP, %s%s", name, format_rtt(nodes_number(host, "rtt_us"), http),
                       rtt < 0 ? "no answer" : format_rtt(rtt, udp), " over UDP");
    if (rtt >= 0)
        return text_of("%s: %s%s over UDP%s%s", name, backbone ? "no answer over HTTP, " : "",
                       format_rtt(rtt, udp), error[0] ? ": " : "", error);
    return text_of("%s: %s%s%s", name, backbone ? "cannot be reached" : "no answer", error[0] ? ": " : "",
                   error);
}

static void add_hosts(struct table *facts, const json_t *result)
{
    const json_t *host;
    size_t i;
    json_array_foreach(part(result, "backbones"), i, host)
        add_fact(facts, "backbone", host_text(host, nodes_text(host, "url")));
    json_array_foreach(part(result, "stun"), i, host)
    {
        char *name = text_of("%s, port %.0f", nodes_text(host, "host"), nodes_number(host, "port"));
        add_fact(facts, "STUN", host_text(host, name ? name : ""));
        free(name);
    }
}

/* What it means, in one sentence. */
static const char *meaning(const json_t *result)
{
    const json_t *v4 = part(result, "ipv4"), *v6 = part(result, "ipv6");
    const char *mapping = nodes_text(part(is_true(v4, "udp") ? v4 : v6, "nat"), "mapping");
    if (!is_true(result, "udp"))
        return "UDP is blocked: peers are reached over TCP alone, by a backbone or at their control port";
    if (strstr(mapping, "dependent") && strcmp(mapping, "endpoint-independent") != 0)
        return "a port of our own for each destination: straight to peers that let strangers in, by a relay "
               "to others";
    if (strcmp(mapping, "unknown") == 0)
        return "UDP gets out; -stun HOST asks another server, which shows how the NAT behaves";
    return "good: peers are reached straight, unless theirs is a NAT with a port for each destination";
}

static void print_result(const struct cli_options *options, const json_t *result)
{
    struct table *facts = table_new("ll");
    const json_t *v4 = part(result, "ipv4"), *v6 = part(result, "ipv6");
    const char *proxy = nodes_text(result, "proxy");
    add_fact(facts, "UDP",
             strdup(is_true(result, "udp") ? "gets out" : "does not get out: no server answers"));
    add_fact(facts, "IPv4", family_text(v4));
    add_fact(facts, "IPv6", family_text(v6));
    if (is_true(v4, "udp"))
        add_fact(facts, "NAT", nat_text(part(v4, "nat")));
    if (is_true(result, "udp"))
        add_fact(facts, "path size", size_text(is_true(v4, "udp") ? v4 : v6));
    mapping_text_add(facts, json_object_get(result, "port_mapping"));
    add_fact(facts, "proxy", strdup(proxy[0] ? proxy : "none"));
    add_hosts(facts, result);
    add_fact(facts, "means", strdup(meaning(result)));
    const struct table_style style = {2, options->width, false, options->colour};
    table_print(facts, stdout, &style);
    table_free(facts);
}

/* ---- whether all is well ---- */

static bool is_well(const json_t *result)
{
    const json_t *backbone, *backbones = part(result, "backbones");
    bool reached = json_array_size(backbones) == 0;
    size_t i;
    json_array_foreach(backbones, i, backbone) reached = reached || is_true(backbone, "reachable");
    return is_true(result, "udp") && reached;
}

static enum cli_exit show(const struct cli_options *options, json_t *results, bool partial)
{
    json_t *result;
    size_t i;
    bool well = !partial;
    json_array_foreach(results, i, result)
    {
        well = well && is_well(result);
        if (options->json)
            continue;
        char *name = format_clean(nodes_text(result, "name"));
        if (name[0])
            printf("%s%s\n", i ? "\n" : "", name);
        free(name);
        print_result(options, result);
    }
    if (options->json)
        nodes_print_json(json_incref(results));
    json_decref(results);
    return well ? CLI_OK : CLI_FAILURE;
}

/* ---- by nodes ---- */

static json_t *ask_node(const struct cli_options *options, const struct node_id *id, json_t *status)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    int err = api_client_call(options->run_dir, id, json_pack("{s:s}", "cmd", "netcheck"), TIMEOUT_MS,
                              &result, error);
    if (err == ERR_PERMISSION)
        cli_complain(
            "only root and the user that runs the node may make it check the network: try sudo, or give "
            "-backbone URL or -stun HOST");
    else if (err)
        nodes_complain(options, id, err, error);
    if (!json_is_object(result)) {
        json_decref(result);
        return NULL;
    }
    json_object_set(result, "node", json_object_get(status, "id"));
    json_object_set(result, "name", json_object_get(status, "name"));
    return result;
}

static enum cli_exit ask_nodes(const struct cli_options *options)
{
    struct nodes nodes;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict == CLI_NO_NODE && !options->node)
        cli_complain("netcheck needs no node where it is told whom to ask: give -backbone URL or -stun HOST");
    if (verdict != CLI_OK)
        return verdict;
    json_t *results = json_array();
    bool partial = nodes.partial;
    for (size_t i = 0; i < nodes.count; i++) {
        json_t *result = ask_node(options, &nodes.ids[i], json_array_get(nodes.list, i));
        partial = partial || !result;
        if (result)
            json_array_append_new(results, result);
    }
    nodes_free(&nodes);
    return show(options, results, partial);
}

/* ---- without ---- */

static enum cli_exit look_alone(const struct cli_options *options)
{
    const char *words[CLI_CHECK_MAX + 2] = {"-netcheck"};
    memcpy(words + 1, options->check, options->check_count * sizeof(*words));
    int from;
    pid_t child = program_start(words, &from);
    if (child < 0) {
        cli_complain("shadowmesh-l2 cannot be run: %s", strerror(errno));
        return CLI_FAILURE;
    }
    json_t *result = json_loadfd(from, 0, NULL), *results = json_array();
    close(from);
    int code = program_wait(child);
    if (!json_is_object(result)) {
        json_decref(result);
        json_decref(results);
        return code == CLI_USAGE ? CLI_USAGE : CLI_FAILURE;
    }
    json_array_append_new(results, result);
    return show(options, results, false);
}

int cmd_netcheck(const struct cli_options *options)
{
    if (options->check_count && (options->node || options->run_given)) {
        cli_complain(
            "netcheck asks either servers or nodes: with -backbone, -stun or -proxy leave -n and -run away");
        return CLI_USAGE;
    }
    return options->check_count ? look_alone(options) : ask_nodes(options);
}
