/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of shadowmesh-backbone. */

#include "backbone/config.h"

#include "backbone/uplink_places.h"
#include "backbone/uplink_rates.h"
#include "net/sandbox.h"
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ADDR:0": addr_parse takes no port 0, which means a port of the kernel's choice here. */
static int parse_any_port(const char *text, struct addr *out)
{
    char host[ADDR_TEXT_MAX];
    size_t len = strlen(text);
    if (len < 2 || len >= sizeof(host) || strcmp(text + len - 2, ":0") != 0)
        return ERR_ARGUMENT;
    snprintf(host, sizeof(host), "%.*s", (int)len - 2, text);
    int err = addr_parse(host, BACKBONE_PORT, out);
    out->port = 0;
    return err;
}

static int parse_listen(const char *text, struct addr *out)
{
    const char *digits = text[0] == ':' ? text + 1 : text;
    size_t len = strlen(digits);
    if (len == 0 || strspn(digits, "0123456789") != len)
        return addr_parse(text, BACKBONE_PORT, out) == 0 ? 0 : parse_any_port(text, out);
    unsigned long port = len <= 5 ? strtoul(digits, NULL, 10) : UINT16_MAX + 1ul;
    if (port > UINT16_MAX)
        return ERR_ARGUMENT;
    *out = (struct addr){.port = (uint16_t)port};
    return 0;
}

static const char *read_listen(void *context, const char *text)
{
    struct backbone_config *c = context;
    return parse_listen(text, &c->listen) == 0
               ? NULL
               : "no [ADDR:]PORT: give one such as 8080, 192.0.2.1:8080 or [2001:db8::1]:8080";
}

static const char *read_data(void *context, const char *text)
{
    struct backbone_config *c = context;
    if (text[0] == '\0')
        return "no name of a folder";
    if (strlen(text) >= sizeof(c->data_dir))
        return "too long for a folder: give a shorter one";
    strcpy(c->data_dir, text);
    return NULL;
}

static const char *read_sandbox(void *context, const char *text)
{
    return flags_read_on_off(text, &((struct backbone_config *)context)->sandbox);
}

static const char *read_url(void *context, const char *text)
{
    return uplink_names_add(&((struct backbone_config *)context)->uplinks.names, text);
}

/* A number of at most six digits; more than any limit when it is none. */
static unsigned long number_of(const char *text)
{
    size_t len = strlen(text);
    return len && len <= 6 && strspn(text, "0123456789") == len ? strtoul(text, NULL, 10) : ULONG_MAX;
}

static const char *read_relay_rate(void *context, const char *text)
{
    unsigned long mbit = number_of(text);
    if (mbit > UPLINK_RATE_MBIT_MAX)
        return "no number of Mbit/s from 1 to 100000, nor 0, with which nothing is passed on";
    ((struct backbone_config *)context)->uplinks.relay_mbit = (unsigned)mbit;
    return NULL;
}

static const char *read_relay_port(void *context, const char *text)
{
    unsigned long port = number_of(text);
    if (port == 0 || port > UINT16_MAX)
        return "no UDP port from 1 to 65535";
    ((struct backbone_config *)context)->relay_port = (uint16_t)port;
    return NULL;
}

static const char *read_source_rate(void *context, const char *text)
{
    unsigned long mbit = number_of(text);
    if (mbit == 0 || mbit > UPLINK_RATE_MBIT_MAX)
        return "no number of Mbit/s from 1 to 100000";
    ((struct backbone_config *)context)->uplinks.source_mbit = (unsigned)mbit;
    return NULL;
}

static const char *read_trusted_proxy(void *context, const char *text)
{
    return forwarded_add(&((struct backbone_config *)context)->proxies, text);
}

static const char *read_store(void *context, const char *text)
{
    return redis_target_read(&((struct backbone_config *)context)->store, text);
}

/* A running server has its password: it may open no file. */
static const char *read_store_password_file(void *context, const char *text)
{
    struct backbone_config *c = context;
    if (strlen(text) >= sizeof(c->password_file))
        return "too long for a path";
    strcpy(c->password_file, text);
    return c->again ? NULL : redis_target_read_password(&c->store, text);
}

/* Its host and port become a name of ours, where others were given. */
static const char *read_advertise(void *context, const char *text)
{
    struct backbone_config *c = context;
    const char *authority = strncmp(text, "https://", 8) == 0  ? text + 8
                            : strncmp(text, "http://", 7) == 0 ? text + 7
                                                               : NULL;
    char host[UPLINK_NAME_MAX];
    if (!authority)
        return "no URL of this server: give one such as https://b1.example";
    if (strlen(text) >= sizeof(c->advertise))
        return "too long for a URL";
    size_t len = strlen(authority);
    len -= len && authority[len - 1] == '/';
    struct uplink_names check = {0};
    if (len >= sizeof(host))
        return "too long for a host";
    snprintf(host, sizeof(host), "%.*s", (int)len, authority);
    if (uplink_names_add(&check, host))
        return "no URL of this server: give one such as https://b1.example, without a path";
    snprintf(c->advertise, sizeof(c->advertise), "%.*s", (int)(authority - text + (ptrdiff_t)len), text);
    return NULL;
}

static const char *read_verbose(void *context, const char *text)
{
    return flags_read_switch(text, &((struct backbone_config *)context)->verbose);
}

static const char *read_config(void *context, const char *text);

static const char *read_check(void *context, const char *text)
{
    return flags_read_switch(text, &((struct backbone_config *)context)->check);
}

/* The last columns of a row: whether a running server takes its value anew, and where that lies. */
#define SPAN(first, last) .field = FLAG_SPAN(struct backbone_config, first, last)
#define RESTARTS(member)  .reload = FLAG_RESTARTS, SPAN(member, member)

static const struct flag flags[] = {
    {"listen", "[ADDR:]PORT",
     "HTTP on this TCP port and address reflection (STUN) on the UDP port of the same number (default 8080, "
     "on "
     "every IPv6 and IPv4 address)",
     read_listen, RESTARTS(listen)},
    {"data", "DIR", "where registrations are kept (default ./backbone-data; made when missing)", read_data,
     RESTARTS(data_dir)},
    {"url", "HOST[:PORT]",
     "a name under which nodes know this server, as in their -backbone behind ://; it refuses uplinks meant "
     "for another one. May repeat (default: any name counts)",
     read_url, RESTARTS(uplinks.names)},
    {"relay-rate", "MBIT", "Mbit/s of nodes' datagrams passed on in all (default 1000; 0: none)",
     read_relay_rate, RESTARTS(uplinks.relay_mbit)},
    {"relay-port", "PORT", "UDP port of the relay (default: that of -listen)", read_relay_port,
     RESTARTS(relay_port)},
    {"source-rate", "MBIT", "Mbit/s of them from one source: an IPv4 address or an IPv6 /64 (default 200)",
     read_source_rate, RESTARTS(uplinks.source_mbit)},
    {"trusted-proxy", "CIDR",
     "a reverse proxy's address or network: its X-Forwarded-For, or PROXY header (version 2), is believed. "
     "May repeat",
     read_trusted_proxy, RESTARTS(proxies)},
    {"store", "URL",
     "registrations in a Redis or Valkey server that several backbones share: "
     "redis://[USER@]HOST[:PORT][/DB], "
     "rediss:// with TLS, or unix:///PATH (default: SQLite in -data)",
     read_store, .reload = FLAG_RESTARTS, SPAN(store.given, store.user)},
    {"store-password-file", "FILE",
     "its first line is the store's password; nobody else may read it (default: what is in the environment "
     "as "
     "SHADOWMESH_STORE_PASSWORD)",
     read_store_password_file, RESTARTS(password_file)},
    {"advertise", "URL",
     "this server's URL as nodes reach it, which the others tell them; needed with -store", read_advertise,
     RESTARTS(advertise)},
    {"sandbox", "on|off",
     "off keeps every right and system call: for debugging (default on; off in a build with a sanitizer)",
     read_sandbox, RESTARTS(sandbox)},
    {"config", "FILE",
     "read flags from this file, lines \"name = value\", as if they stood here: what follows "
     "on the command line replaces what it says",
     read_config, .reload = FLAG_RELOADS},
    {"check", NULL, "read the flags and the file, say what is wrong with them and exit", read_check,
     RESTARTS(check)},
    {"v", NULL, "log registrations, and what HTTP clients do wrong", read_verbose, .reload = FLAG_RELOADS,
     SPAN(verbose, verbose)},
};

static const struct flags program = {
    .program = "shadowmesh-backbone",
    .head = "Usage: shadowmesh-backbone [-listen [ADDR:]PORT] [-data DIR] [-url HOST[:PORT]]\n"
            "                           [-relay-rate MBIT] [-source-rate MBIT]\n"
            "                           [-relay-port PORT]\n"
            "                           [-trusted-proxy CIDR] [-sandbox on|off] [-v]\n"
            "                           [-store URL -advertise URL]\n"
            "                           [-store-password-file FILE]\n"
            "                           [-config FILE] [-check]\n"
            "\n"
            "The rendezvous server of ShadowMesh: nodes register here, find each other by id,\n"
            "and learn the address under which others see them. It passes on what nodes that\n"
            "cannot be dialled say to each other, sealed.\n"
            "Write -flag VALUE, --flag VALUE or -flag=VALUE.\n",
    .rows = flags,
    .count = sizeof(flags) / sizeof(flags[0]),
};

const struct flags *backbone_config_flags(void)
{
    return &program;
}

static void say(void *context, const char *line)
{
    const struct flags_again *again = ((struct backbone_config *)context)->again;
    again->say(again->context, line);
}

/* By which a config is read, whose place is the caller's. */
static const struct flags *flags_of(const struct backbone_config *c, struct flags *speaking)
{
    *speaking = program;
    speaking->say = say;
    return c->again ? speaking : &program;
}

static const char *read_config(void *context, const char *text)
{
    struct backbone_config *c = context;
    struct flags speaking;
    return flags_read_config(flags_of(c, &speaking), &c->source, c->again, text, c);
}

/* What contradicts, or NULL. */
static const char *check_together(struct backbone_config *c)
{
    if (c->store.has_password)
        return "-store: a password does not belong on a command line, which everybody may read: give "
               "-store-password-file FILE";
    if (c->store.given && !c->advertise[0])
        return "-store needs -advertise URL, by which nodes and the other backbones know this server";
    if (!c->store.given && c->advertise[0])
        return "-advertise is for backbones that share a store: give -store URL too, or leave it out";
    if (!c->store.given && (c->store.password[0] || c->password_file[0]))
        return "-store-password-file is for a shared store: give -store URL too, or leave it out";
    if (c->uplinks.names.count && c->advertise[0] &&
        uplink_names_add(&c->uplinks.names, strstr(c->advertise, "://") + 3))
        return "-url: one too many with that of -advertise: give at most 15";
    return NULL;
}

static enum flags_result parse(int argc, char **argv, const struct flags_again *again,
                               struct backbone_config *out)
{
    struct flags speaking;
    *out = (struct backbone_config){
        .source = {.argc = argc, .argv = argv},
        .again = again,
        .listen.port = BACKBONE_PORT,
        .data_dir = BACKBONE_DATA_DIR,
        .sandbox = SANDBOX_DEFAULT,
        .uplinks = {.relay_mbit = UPLINK_RELAY_MBIT, .source_mbit = UPLINK_SOURCE_MBIT, .max = UPLINK_MAX}};
    const struct flags *f = flags_of(out, &speaking);
    enum flags_result result = flags_parse_source(f, &out->source, again, out);
    if (result != FLAGS_RUN)
        return result;
    const char *wrong = again ? NULL : redis_target_take_environment(&out->store);
    if (wrong)
        flags_say(f, out, REDIS_PASSWORD_NAME " is %s", wrong);
    else if ((wrong = check_together(out)) != NULL)
        flags_say(f, out, "%s", wrong);
    return wrong ? FLAGS_EXIT_USAGE : FLAGS_RUN;
}

enum flags_result backbone_config_parse(int argc, char **argv, struct backbone_config *out)
{
    return parse(argc, argv, NULL, out);
}

enum flags_result backbone_config_parse_again(const struct flags_again *again, struct backbone_config *out)
{
    enum flags_result result = parse(again->source->argc, again->source->argv, again, out);
    out->again = NULL;
    return result;
}
