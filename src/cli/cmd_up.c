/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh up: a network of one's own, made if it is not there, and this machine's node in it, started. */
#include "cli/cmd.h"

#include "cli/adopted.h"
#include "cli/authority.h"
#include "cli/ca_renewal.h"
#include "cli/cli.h"
#include "cli/flag_values.h"
#include "cli/network_call.h"
#include "cli/new_network.h"
#include "cli/nodes.h"
#include "cli/own_name.h"
#include "cli/place.h"
#include "cli/service.h"
#include "cli/token_output.h"
#include "crypto/founding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVITED_S 3600

/* ---- what a person chose ---- */

static bool chose_any(const struct cli_options *o)
{
    return o->name || o->ip || o->tap_ip || o->range_count || o->check_count || o->adopt;
}

/* "10.20.30.0/24" */
static bool read_prefix(const char *text, struct addr_prefix *out)
{
    char host[ADDR_TEXT_MAX], *end;
    size_t len = strcspn(text, "/");
    if (len >= sizeof(host) || text[len] != '/' || text[len + 1] < '0' || text[len + 1] > '9')
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    unsigned long bits = strtoul(text + len + 1, &end, 10);
    *out = (struct addr_prefix){.bits = (uint8_t)bits};
    return !*end && bits <= 128 && addr_parse(host, 0, &out->addr) == 0 && !out->addr.port &&
           founding_range_ok(out);
}

static bool read_range(const char *text, struct new_network *plan)
{
    struct addr_prefix range;
    if (!read_prefix(text, &range)) {
        cli_complain("-range %s: no range: give a subnet as 10.20.30.0/24, of 8 to 28 bits, or one of IPv6 "
                     "of 8 to 112",
                     text);
        return false;
    }
    struct addr_prefix *out = range.addr.family == 4 ? &plan->range : &plan->range6;
    if (out->addr.family)
        cli_complain("-range %s: one too many: give one of IPv4 and one of IPv6", text);
    bool first = !out->addr.family;
    *out = range;
    return first;
}

static bool read_tap_ip(const char *text, struct new_network *plan)
{
    if (addr_parse(text, 0, &plan->tap_ip) != 0 || plan->tap_ip.port) {
        cli_complain("-tap-ip %s: no address: give one of the network, as 10.20.30.1", text);
        return false;
    }
    /* without -range the network is around it */
    if (plan->tap_ip.family == 4 && !plan->range.addr.family) {
        plan->range = (struct addr_prefix){plan->tap_ip, 24};
        plan->range.addr.ip[3] = 0;
    }
    return true;
}

static bool read_conf(const struct cli_options *o, const struct place *p, struct node_conf *out)
{
    *out = (struct node_conf){.network = p->network, .checked = place_checked(p)};
    if (!flag_values_take(o, out))
        return false;
    node_conf_choose(out, p->etc);
    return true;
}

static bool read_plan(const struct cli_options *o, const struct place *p, char name[CERT_LABEL_MAX],
                      struct new_network *out)
{
    *out = (struct new_network){.name = own_name_choose(o->name, name)};
    if (!out->name)
        return false;
    for (unsigned i = 0; i < o->range_count; i++)
        if (!read_range(o->ranges[i], out))
            return false;
    if (o->tap_ip && !read_tap_ip(o->tap_ip, out))
        return false;
    if (!read_conf(o, p, &out->conf))
        return false;
    if (!out->conf.ip.family || !addr_in_prefix(&out->conf.ip, &out->range))
        return true;
    cli_complain(
        "-ip %s: this is at which address others reach this machine: -tap-ip gives its one in the network",
        o->ip);
    return false;
}

/* ---- what it says ---- */

static void print_made(const struct place *p, const struct new_network *plan, const struct cert *ca,
                       const struct cert *member)
{
    char hex[ID_TEXT_MAX], text[ADDR_TEXT_MAX];
    printf("network %s: made, id %s\n", p->network, id_format(&ca->id, hex));
    printf("  this node  %s, %s\n", member->name, id_format(&member->id, hex));
    for (unsigned i = 0; i < member->address_count; i++)
        printf("  %-10s %s, of %s\n", i ? "" : "address", addr_format(&member->addresses[i], text),
               addr_prefix_format(&ca->ranges[i], (char[ADDR_TEXT_MAX]){0}));
    printf("  device     %s; UDP port %u for data, TCP port %u for control\n", plan->conf.device,
           plan->conf.port, plan->conf.control_port);
    printf("  files      %s, and the node's in %s\n", p->conf, p->keydir);
    printf("  CA         %s/ca.key: who has this file decides who is in; keep a copy elsewhere\n", p->dir);
}

static void print_started(const struct place *p)
{
    if (service_is_systemd(p))
        printf("started: shadowmesh@%s, also at each boot; `systemctl status shadowmesh@%s`\n", p->network,
               p->network);
    else
        printf("started: it logs to %s\n", p->log);
}

/* The last line is what another machine types. A node that cannot invite runs all the same. */
static void print_invitation(const struct cli_options *o, const struct place *p)
{
    json_t *result = NULL;
    json_t *request = json_pack("{s:s, s:i, s:i, s:b, s:[]}", "cmd", "invite", "uses", 1, "expires_s",
                                INVITED_S, "approve", false, "roles");
    if (network_call(o, "up", request, &result) == CLI_OK) {
        printf("`shadowmesh invite %s` lets a further machine in. The next one, once and within an hour, "
               "types:\n\n",
               p->network);
        token_output(result, false);
    }
    json_decref(result);
}

/* Where the CA's key is. The node runs all the same. */
static void renew_issuers(const struct cli_options *o, const struct place *p)
{
    struct authority a;
    if (authority_is_here(p) && authority_open(o, "up", p, &a)) {
        (void)ca_renewal(o, &a, false);
        identity_free(a.key);
    }
}

static bool make(const struct cli_options *o, const struct place *p)
{
    char name[CERT_LABEL_MAX];
    struct new_network plan;
    struct cert ca, member;
    bool ok = read_plan(o, p, name, &plan) && adopted_key(o, "up", &plan.key) &&
              new_network_make(p, &plan, &ca, &member);
    if (ok)
        print_made(p, &plan, &ca, &member);
    identity_free(plan.key);
    return ok;
}

static int start(const struct cli_options *o, const struct place *p, bool made)
{
    fflush(stdout);
    if (o->foreground) {
        service_become(p);
        return CLI_FAILURE;
    }
    if (!service_start(p))
        return CLI_FAILURE;
    print_started(p);
    if (made)
        print_invitation(o, p);
    else
        renew_issuers(o, p);
    return CLI_OK;
}

int cmd_up(const struct cli_options *options)
{
    struct place p;
    const char *wrong = place_init(options, options->words[0], &p);
    if (wrong) {
        cli_complain("up %s: %s", options->words[0], wrong);
        return CLI_USAGE;
    }
    if (!place_exists(&p))
        return make(options, &p) ? start(options, &p, true) : CLI_FAILURE;
    if (chose_any(options)) {
        cli_complain(
            "network %s is there already: `shadowmesh up %s` alone starts it; %s has what can be changed",
            p.network, p.network, p.conf);
        return CLI_USAGE;
    }
    json_t *status = service_status(&p);
    json_decref(status);
    if (status)
        printf("network %s: its node runs already\n", p.network);
    return status ? CLI_OK : start(options, &p, false);
}
