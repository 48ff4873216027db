/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of shadowmesh-l2: one table names, explains and reads them, so that --help and the parser cannot
 * differ. How to add one: docs/HACKING.md. Main thread, before anything else runs. */
#include "node/config/config.h"

#include "net/sandbox.h"
#include "node/config/config_door.h"
#include "node/config/config_settle.h"
#include "node/config/config_value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last columns of a row: whether a running node takes its value anew, and where that lies. */
#define SPAN(first, last)          .field = FLAG_SPAN(struct config, first, last)
#define RELOADS(first, last)       .reload = FLAG_RELOADS, SPAN(first, last)
#define RESTARTS(member)           .reload = FLAG_RESTARTS, SPAN(member, member)
#define RESTARTS_SPAN(first, last) .reload = FLAG_RESTARTS, SPAN(first, last)

static const char *read_keydir(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_path(text, p->config->keydir, sizeof(p->config->keydir));
}

static const char *read_generate_keys(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->generate_keys);
}

static const char *read_netcheck(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->netcheck);
}

static const char *read_name(void *context, const char *text)
{
    struct config_parse *p = context;
    p->config->named = true;
    return config_read_name(text, p->config->name, sizeof(p->config->name));
}

static const char *read_network(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_network(text, p->config->network, sizeof(p->config->network));
}

static const char *read_backbone(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    char url[CONFIG_URL_MAX];
    const char *wrong = config_read_url(text, url, sizeof(url));
    for (unsigned i = 0; !wrong && i < c->backbone_count; i++)
        if (strcmp(c->backbones[i], url) == 0)
            wrong = "this backbone is given twice: keep one of them";
    if (!wrong && c->backbone_count == UPLINKS_MAX)
        wrong = "one too many: at most 4 can be given";
    if (!wrong)
        strcpy(c->backbones[c->backbone_count++], url);
    return wrong;
}

static const char *read_proxy(void *context, const char *text)
{
    struct config_parse *p = context;
    p->has_words = strchr(text, '@'); /* refused later, where what was given is not shown */
    return p->has_words ? NULL : config_read_proxy(text, p->config->proxy, sizeof(p->config->proxy));
}

static const char *read_proxy_auth(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_path(text, p->config->proxy_auth, sizeof(p->config->proxy_auth));
}

static const char *read_stun(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    if (c->stun_count == CONFIG_STUN_MAX)
        return "one too many: at most 8 can be given";
    const char *wrong = config_read_stun(text, &c->stun[c->stun_count]);
    if (!wrong)
        c->stun_count++;
    return wrong;
}

static const char *read_ip(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_host_address(text, &p->config->external);
}

static const char *read_port(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_port(text, &p->config->port);
}

static const char *read_control_port(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_port(text, &p->config->control_port);
}

static const char *read_tap(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_device(text, p->config->tap_name);
}

static const char *read_tun(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_device(text, p->config->tun_name);
}

static const char *read_tun_fd(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, CONFIG_TUN_FD_MIN, CONFIG_TUN_FD_MAX,
                              "no descriptor: give the number of an open one, 3 or more", &p->config->tun_fd);
}

static const char *read_tap_ip(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_tap_address(text, &p->config->tap_address, &p->has_bits);
}

static const char *read_tap_netmask(void *context, const char *text)
{
    struct config_parse *p = context;
    p->netmask = text;
    return NULL;
}

static const char *read_tap_mtu(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, CONFIG_MTU_MIN, CONFIG_MTU_MAX, "no MTU: give a number from 576 to 9000",
                              &p->config->tap_mtu);
}

static const char *read_rootless(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->rootless);
}

static const char *read_bpdu(void *context, const char *text)
{
    struct config_parse *p = context;
    p->config->pass_bpdus = strcmp(text, "pass") == 0;
    return p->config->pass_bpdus || strcmp(text, "drop") == 0 ? NULL : "is unknown: give drop or pass";
}

static const char *read_host_route(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    if (strcmp(text, "off") == 0) {
        c->host_routes_off = true;
        return NULL;
    }
    if (c->host_route_count == CONFIG_HOST_ROUTES_MAX)
        return "one too many: at most 64 can be given";
    const char *wrong = config_read_host_address(text, &c->host_routes[c->host_route_count]);
    if (!wrong)
        c->host_route_count++;
    return wrong;
}

static const char *read_public(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->is_public);
}

static const char *read_connect(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    struct config_connect *entry = &c->connect[c->connect_count];
    if (c->connect_count == CONFIG_CONNECT_MAX)
        return "one too many: at most 256 can be given";
    const char *wrong = config_read_connect(text, entry);
    for (unsigned i = 0; !wrong && i < c->connect_count; i++)
        if (id_compare(&c->connect[i].id, &entry->id) == 0)
            wrong = "this id is given twice: keep one of them";
    if (!wrong)
        c->connect_count++;
    return wrong;
}

static const char *read_allow(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    if (c->allow_count == CONFIG_CONNECT_MAX)
        return "one too many: at most 256 can be given";
    const char *wrong = config_read_id(text, &c->allow[c->allow_count]);
    for (unsigned i = 0; !wrong && i < c->allow_count; i++)
        if (id_compare(&c->allow[i], &c->allow[c->allow_count]) == 0)
            wrong = "this id is given twice: keep one of them";
    if (!wrong)
        c->allow_count++;
    return wrong;
}

static const char *read_mesh(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->full_mesh);
}

static const char *read_run(void *context, const char *text)
{
    struct config_parse *p = context;
    p->has_run = true;
    return config_read_path(text, p->config->run_dir, sizeof(p->config->run_dir));
}

static const char *read_workers(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, CONFIG_WORKERS_MAX, "no number of workers: give one from 1 to 8",
                              &p->config->workers);
}

static const char *read_dns(void *context, const char *text)
{
    static const char *const modes[] = {[RESOLVER_OFF] = "off",
                                        [RESOLVER_AUTO] = "auto",
                                        [RESOLVER_RESOLVED] = "resolved",
                                        [RESOLVER_HOSTS] = "hosts"};
    struct config_parse *p = context;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            p->config->dns = (enum resolver_mode)i;
            return NULL;
        }
    }
    return "is unknown: give auto, resolved, hosts or off";
}

static const char *read_carrier(void *context, const char *text)
{
    static const char *const names[] = {
        [CARRIERS_AUTO] = "auto", [CARRIERS_UDP] = "udp", [CARRIERS_TCP] = "tcp"};
    struct config_parse *p = context;
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(text, names[i]) == 0) {
            p->config->carriers = (enum carriers)i;
            return NULL;
        }
    }
    return "is unknown: give auto, udp or tcp";
}

static const char *read_portmap(void *context, const char *text)
{
    struct config_parse *p = context;
    p->config->portmap = strcmp(text, "auto") == 0;
    return p->config->portmap || strcmp(text, "off") == 0 ? NULL : "is unknown: give auto or off";
}

static const char *read_lan(void *context, const char *text)
{
    struct config_parse *p = context;
    bool all;
    const char *wrong = flags_read_switch(text, &all);
    p->config->lan = all ? CONFIG_LAN_ALL : CONFIG_LAN_OFF;
    return wrong;
}

static const char *read_relay(void *context, const char *text)
{
    struct config_parse *p = context;
    const char *wrong = flags_read_switch(text, &p->relays);
    p->config->relay_off = !p->relays;
    return wrong;
}

static const char *read_relay_rate(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, CONFIG_RELAY_MBIT_MAX, "no rate: give Mbit a second, from 1 to 100000",
                              &p->relay_mbit);
}

static const char *read_forward(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    if (c->forward_count == CONFIG_DOORS_MAX)
        return "one too many: at most 16 can be given";
    const char *wrong = config_read_forward(text, &c->forward[c->forward_count]);
    if (!wrong)
        c->forward_count++;
    return wrong;
}

static const char *read_listen(void *context, const char *text)
{
    struct config_parse *p = context;
    struct config *c = p->config;
    if (c->listen_count == CONFIG_DOORS_MAX)
        return "one too many: at most 16 can be given";
    const char *wrong = config_read_listen(text, &c->listen[c->listen_count]);
    if (!wrong)
        c->listen_count++;
    return wrong;
}

static const char *read_socks(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_local(text, &p->config->socks);
}

static const char *read_http_proxy(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_local(text, &p->config->http_proxy);
}

static const char *read_socks_auth(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_path(text, p->config->socks_auth, sizeof(p->config->socks_auth));
}

static const char *read_socks_direct(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->socks_direct);
}

static const char *read_cipher_library(void *context, const char *text)
{
    static const char *const names[] = {
        [AEAD_BY_RULE] = "auto", [AEAD_OPENSSL_ALONE] = "openssl", [AEAD_MEASURED] = "measure"};
    struct config_parse *p = context;
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(text, names[i]) == 0) {
            p->config->cipher_library = (enum aead_choice)i;
            return NULL;
        }
    }
    return "is unknown: give auto, openssl or measure";
}

static const char *read_aead(void *context, const char *text)
{
    static const char *const names[] = {
        [AEAD_AUTO] = "auto", [AEAD_AES_ALONE] = "aes", [AEAD_CHACHA_ALONE] = "chacha20"};
    struct config_parse *p = context;
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(text, names[i]) == 0) {
            p->config->aead = (enum aead_policy)i;
            return NULL;
        }
    }
    return "is unknown: give auto, aes or chacha20";
}

static const char *read_sandbox(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_on_off(text, &p->config->sandbox);
}

static const char *read_verbose(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->verbose);
}

static const char *read_profile(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->profile);
}

static const char *read_test_ratchet(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, 86400, "no number of seconds from 1 to 86400", &p->config->ratchet_s);
}

static const char *read_test_rehandshake(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, 86400, "no number of seconds from 1 to 86400",
                              &p->config->rehandshake_s);
}

static const char *read_test_control_idle(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, 86400, "no number of seconds from 1 to 86400",
                              &p->config->control_idle_s);
}

static const char *read_test_quiet(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 1, 86400, "no number of seconds from 1 to 86400", &p->config->quiet_s);
}

static const char *read_test_certificate(void *context, const char *text)
{
    struct config_parse *p = context;
    return config_read_number(text, 8, 86400, "no number of seconds from 8 to 86400",
                              &p->config->certificate_s);
}

#ifdef SHADOWMESH_BENCH_NULL
static const char *read_test_null_cipher(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->null_cipher);
}
#endif

static const char *read_config(void *context, const char *text);

static const char *read_check(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_switch(text, &p->config->check);
}

static const struct flag flags[] = {
    {NULL, NULL, "The device: one of -tap-ip, -tap, -tun and -network is needed", NULL},
    {"tap-ip", "ADDR", "create a TAP device with this address (ADDR or ADDR/BITS)", read_tap_ip,
     RESTARTS(tap_address)},
    {"tap-netmask", "MASK", "its netmask, 24 or 255.255.255.0 (default 24; 64 for IPv6)", read_tap_netmask,
     RESTARTS(tap_address)},
    {"tap", "NAME",
     "with -tap-ip or -network: the new device's name (default the first free of "
     "tap0, tap1, ...); alone: attach to an existing TAP device",
     read_tap, RESTARTS(tap_name)},
    {"tun", "NAME|auto",
     "a device for IP alone, a TUN, in place of a TAP: it takes part in the same segment, and a bridge does "
     "not take "
     "it. auto: the first free of tun0, tun1, ...; without -tap-ip and -network: attach to NAME",
     read_tun, RESTARTS(tun_name)},
    {"tun-fd", "N",
     "the TUN that another program opened and passed on as descriptor N, with its address by -tap-ip: the "
     "node needs no right, and whoever opened it sets addresses, routes and MTU",
     read_tun_fd, RESTARTS(tun_fd)},
    {"tap-mtu", "BYTES", "the device's MTU, 576 to 9000 (default 1500)", read_tap_mtu, RESTARTS(tap_mtu)},
    {"rootless", NULL,
     "for an ordinary user: the device is in namespaces of its own, where `shadowmesh run` runs programs; "
     "nothing of this machine's network changes",
     read_rootless, RESTARTS(rootless)},
    {"bpdu", "drop|pass",
     "spanning tree, pause and LACP frames of bridges, both ways "
     "(default drop: no peer reshapes a LAN bridged here)",
     read_bpdu, RESTARTS(pass_bpdus)},
    {"host-route", "ADDR|off",
     "beside an interface with the same subnet: reach ADDR at the "
     "peer that announces it, also if a gateway, a name server or "
     "a LAN host here has it; off: reach no others; may repeat",
     read_host_route, RESTARTS_SPAN(host_routes_off, host_routes)},

    {NULL, NULL, "Peers", NULL},
    {"network", "NAME",
     "be a member of this network: certificates in -keydir say who this node is, and admit the others; all "
     "members are connected (`shadowmesh up` and `join` make what it needs)",
     read_network, RESTARTS(network)},
    {"dns", "auto|resolved|hosts|off",
     "how this machine learns members' names, NAME.NETWORK.internal: resolved (systemd-resolved asks "
     "this node), hosts (lines of /etc/hosts), off, or auto (the default): the first of these that can be; "
     "with -rootless programs of `shadowmesh run` do, unless off",
     read_dns, RESTARTS(dns)},
    {"backbone", "URL",
     "a rendezvous server, http://HOST[:PORT] or https; may repeat, "
     "up to 4: all are used at once",
     read_backbone, RESTARTS_SPAN(backbone_count, backbones)},
    {"proxy", "URL|off",
     "reach the backbone by this HTTP proxy, http://HOST:PORT or "
     "https (default as https_proxy, http_proxy and no_proxy of "
     "the environment say); off: by none",
     read_proxy, RESTARTS(proxy)},
    {"proxy-auth", "FILE", "USER:PASSWORD for the proxy, in a file of mode 0600", read_proxy_auth,
     RESTARTS(proxy_auth)},
    {"connect", "ID[@HOST[:PORT]]",
     "connect to the node with this id; HOST and its TCP control "
     "port (default 8443) spare asking the backbone; may repeat",
     read_connect, RELOADS(connect_count, connect)},
    {"allow", "ID", "accept this id without dialling it; may repeat", read_allow,
     RELOADS(allow_count, allow)},
    {"mesh", NULL,
     "connect to every id of -allow, each in its turn: of members that are all started with it, each has a "
     "session with each",
     read_mesh, RESTARTS(full_mesh)},
    {"lan", NULL,
     "tell peers of -allow, too, on the local network that this node is here; those of -connect "
     "without @HOST are looked for there anyway, and nobody is with -lan=false",
     read_lan, RESTARTS(lan)},
    {"public", NULL,
     "be listed in the backbone's directory and accept every "
     "authenticated node, not only -connect and -allow",
     read_public, RESTARTS(is_public)},
    {"name", "NAME", "what people see (default the host name)", read_name, RESTARTS(name)},

    {NULL, NULL, "This node's addresses", NULL},
    {"ip", "ADDR", "external address to advertise (default found by itself)", read_ip, RESTARTS(external)},
    {"stun", "HOST[:PORT]",
     "ask this STUN server, too, how it sees us (port 3478); two with "
     "different addresses show how a NAT behaves; may repeat",
     read_stun, RESTARTS_SPAN(stun_count, stun)},
    {"port", "N", "UDP port for data (default 9443)", read_port, RESTARTS(port)},
    {"udp-port", "N", "the same as -port", read_port, RESTARTS(port)},
    {"control-port", "N", "TCP port for control (default 8443)", read_control_port, RESTARTS(control_port)},
    {"carrier", "KIND",
     "how frames travel: auto, udp (only straight to the peer), or tcp "
     "(only over TCP: to the peer's control port or by the backbone) (default auto)",
     read_carrier, RESTARTS(carriers)},
    {"portmap", "auto|off",
     "auto (the default): behind a home's router, ask it by PCP, NAT-PMP or UPnP to lead "
     "an outer port here; off: never",
     read_portmap, RESTARTS(portmap)},

    {"relay", NULL,
     "pass datagrams on between peers of -connect and -allow that "
     "do not reach each other; what is in them stays sealed",
     read_relay, RESTARTS(relay_mbit)},
    {"relay-rate", "MBIT", "what is passed on so, in all, Mbit a second (default 100)", read_relay_rate,
     RESTARTS(relay_mbit)},

    {NULL, NULL, "Doors: ports for programs that know nothing of the mesh", NULL},
    {"forward", "tcp|udp:PORT:HOST:PORT",
     "what connects to PORT of this machine (of loopback; ADDR:PORT names which) reaches PORT of HOST, an "
     "address of the mesh or a member's name; may repeat",
     read_forward, RESTARTS_SPAN(forward_count, forward)},
    {"listen", "tcp:PORT:HOST:PORT",
     "what connects to PORT of this node's addresses in the mesh reaches PORT of HOST, localhost or "
     "an address that this machine reaches; may repeat",
     read_listen, RESTARTS_SPAN(listen_count, listen)},
    {"socks", "[ADDR:]PORT",
     "SOCKS 5 at PORT of this machine: clients reach addresses of the mesh, and members by their names; at "
     "another address than loopback with -socks-auth alone",
     read_socks, RESTARTS(socks)},
    {"http-proxy", "[ADDR:]PORT", "likewise a proxy of HTTP, for CONNECT alone", read_http_proxy,
     RESTARTS(http_proxy)},
    {"socks-auth", "FILE", "USER:PASSWORD that clients of both have to know, in a file of mode 0600",
     read_socks_auth, RESTARTS(socks_auth)},
    {"socks-direct", NULL,
     "what is not the mesh's they reach, too, as this machine does (default: it is refused)",
     read_socks_direct, RESTARTS(socks_direct)},

    {NULL, NULL, "Keys", NULL},
    {"keydir", "DIR", "folder of node.key (default ./keys); made when missing", read_keydir,
     RESTARTS(keydir)},
    {"generate-keys", NULL, "make the keys unless they exist, print the peer id and exit", read_generate_keys,
     RESTARTS(generate_keys)},

    {NULL, NULL, "Running", NULL},
    {"config", "FILE",
     "read flags from this file, lines \"name = value\", as if they stood here: what follows "
     "on the command line replaces what it says",
     read_config, .reload = FLAG_RELOADS},
    {"check", NULL, "read the flags and the file, say what is wrong with them and exit", read_check,
     RESTARTS(check)},
    {"netcheck", NULL,
     "check the way to the internet with -backbone, -stun and -proxy alone, print JSON and exit "
     "(`shadowmesh netcheck` shows it to people)",
     read_netcheck, RESTARTS(netcheck)},
    {"run", "DIR",
     "folder of the API socket (default /run/shadowmesh; with -rootless $XDG_RUNTIME_DIR/shadowmesh)",
     read_run, RESTARTS(run_dir)},
    {"workers", "N", "data threads, 1 to 8 (default one per CPU)", read_workers, RESTARTS(workers)},
    {"aead", "KIND",
     "what frames may be sealed with: auto, aes or chacha20; alone, it refuses peers that have not got it "
     "(default auto: AES-256-GCM where both CPUs have instructions for it)",
     read_aead, RESTARTS(aead)},
    {"cipher-library", "NAME",
     "what seals frames: auto, openssl, or measure, "
     "which takes the faster one at this start (default auto)",
     read_cipher_library, RESTARTS(cipher_library)},
    {"sandbox", "on|off",
     "off keeps every right and system call: for debugging "
     "(default on; off in a build with a sanitizer)",
     read_sandbox, RESTARTS(sandbox)},
    {"v", NULL, "log more: frames (rate-limited) and every change of a path", read_verbose,
     RELOADS(verbose, verbose)},
    {"profile", NULL, "log [PROFILE-...] lines with latency percentiles", read_profile, RESTARTS(profile)},
    {"test-ratchet-seconds", "N", NULL, read_test_ratchet, RESTARTS(ratchet_s)},
    {"test-rehandshake-seconds", "N", NULL, read_test_rehandshake, RESTARTS(rehandshake_s)},
    {"test-control-idle-seconds", "N", NULL, read_test_control_idle, RESTARTS(control_idle_s)},
    {"test-quiet-seconds", "N", NULL, read_test_quiet, RESTARTS(quiet_s)},
    {"test-certificate-seconds", "N", NULL, read_test_certificate, RESTARTS(certificate_s)},
#ifdef SHADOWMESH_BENCH_NULL
    {"test-null-cipher", NULL, NULL, read_test_null_cipher, RESTARTS(null_cipher)},
#endif
};

static const char head[] = "Usage: shadowmesh-l2 [-backbone URL]... (-tap-ip ADDR | -tap NAME | -tun NAME)\n"
                           "                     [-connect ID]... [flags]\n"
                           "\n"
                           "Runs one ShadowMesh node in the foreground: an Ethernet segment over the\n"
                           "internet, directly between its nodes, with post-quantum cryptography end to\n"
                           "end. Write -flag VALUE, --flag VALUE or -flag=VALUE.";
static const char tail[] = "Examples:\n"
                           "  A site that waits for others:\n"
                           "    shadowmesh-l2 -backbone http://bb.example:8080 -tap-ip 10.10.10.4 -public\n"
                           "  A site that connects to it, by the peer id that the first one prints:\n"
                           "    shadowmesh-l2 -backbone http://bb.example:8080 -tap-ip 10.10.10.3 \\\n"
                           "      -connect 0123456789abcdef0123456789abcdef01234567\n"
                           "\n"
                           "Look at running nodes with `shadowmesh status`; more in shadowmesh-l2(8).";
static const struct flags program = {.program = "shadowmesh-l2",
                                     .head = head,
                                     .tail = tail,
                                     .rows = flags,
                                     .count = sizeof(flags) / sizeof(flags[0])};
static_assert(sizeof(flags) / sizeof(flags[0]) <= FLAGS_MAX, "a table that flags_parse takes");

bool config_has_doors(const struct config *c)
{
    return c->forward_count || c->listen_count || c->socks.family || c->http_proxy.family;
}

const struct flags *config_flags(void)
{
    return &program;
}

static const char *read_config(void *context, const char *text)
{
    struct config_parse *p = context;
    return flags_read_config(p->flags, &p->config->source, p->again, text, context);
}

static void set_defaults(struct config *c)
{
    *c = (struct config){.keydir = "./keys",
                         .port = CONFIG_PORT_DATA,
                         .control_port = CONFIG_PORT_CONTROL,
                         .tap_mtu = CONFIG_MTU_DEFAULT,
                         .run_dir = "/run/shadowmesh",
                         .portmap = true,
                         .dns = RESOLVER_AUTO,
                         .sandbox = SANDBOX_DEFAULT};
    char host[256] = "";
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    host[sizeof(c->name) - 1] = '\0';
    if (config_read_name(host, c->name, sizeof(c->name)))
        snprintf(c->name, sizeof(c->name), "node");
}

static enum flags_result parse(struct config_parse *p, int argc, char **argv)
{
    set_defaults(p->config);
    p->config->source = (struct flags_source){.argc = argc, .argv = argv};
    enum flags_result result = flags_parse_source(p->flags, &p->config->source, p->again, p);
    if (result != FLAGS_RUN)
        return result;
    memcpy(p->config->called, p->config->name, sizeof(p->config->called));
    return config_settle(p) ? FLAGS_RUN : FLAGS_EXIT_USAGE;
}

enum flags_result config_parse(int argc, char **argv, struct config *out)
{
    struct config_parse p = {.config = out, .flags = &program};
    return parse(&p, argc, argv);
}

static void say(void *context, const char *line)
{
    const struct config_parse *p = context;
    p->again->say(p->again->context, line);
}

enum flags_result config_parse_again(const struct flags_again *again, struct config *out)
{
    struct flags speaking = program;
    struct config_parse p = {.config = out, .flags = &speaking, .again = again};
    speaking.say = say;
    return parse(&p, again->source->argc, again->source->argv);
}
