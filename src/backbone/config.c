/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of shadowmesh-backbone. */

#include "backbone/config.h"

#include "net/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option {
    OPTION_LISTEN,
    OPTION_DATA,
    OPTION_SANDBOX,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_UNKNOWN
};

static const struct option_name {
    const char *name;
    enum option option;
} option_names[] = {
    {"listen", OPTION_LISTEN},   {"data", OPTION_DATA}, {"v", OPTION_VERBOSE},
    {"sandbox", OPTION_SANDBOX}, {"help", OPTION_HELP}, {"h", OPTION_HELP},
    {"version", OPTION_VERSION},
};

static const char help[] =
    "usage: shadowmesh-backbone [-listen [ADDR:]PORT] [-data DIR] [-sandbox on|off] [-v]\n"
    "\n"
    "The rendezvous server of ShadowMesh: nodes register here, find each other by id, and learn the\n"
    "address under which others see them. It never sees what nodes say to each other.\n"
    "\n"
    "  -listen [ADDR:]PORT  HTTP on this TCP port and address reflection (STUN) on the UDP port of the\n"
    "                       same number (default 8080, on every IPv6 and IPv4 address)\n"
    "  -data DIR            where registrations are kept (default ./backbone-data; made when missing)\n"
    "  -sandbox on|off      off keeps every right and system call: for debugging (default on; off in a\n"
    "                       build with a sanitizer)\n"
    "  -v                   say more\n"
    "  -help, -version      print and exit\n"
    "\n"
    "Flags may be written -flag or --flag, values as `-flag VALUE` or `-flag=VALUE`.\n";

/* Splits "-name", "--name=value". Values keep pointing into argv. */
static enum option option_of(const char *arg, const char **value)
{
    *value = NULL;
    if (arg[0] != '-')
        return OPTION_UNKNOWN;
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    if (name[len])
        *value = name + len + 1;
    for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++)
        if (strlen(option_names[i].name) == len && strncmp(option_names[i].name, name, len) == 0)
            return option_names[i].option;
    return OPTION_UNKNOWN;
}

static enum backbone_config_result refuse(const char *format, const char *what)
{
    char line[512];
    snprintf(line, sizeof line, format, what);
    fprintf(stderr, "shadowmesh-backbone: %s\n", line);
    return BACKBONE_CONFIG_EXIT_USAGE;
}

/* "ADDR:0": addr_parse takes no port 0, which means a port of the kernel's choice here. */
static int parse_any_port(const char *text, struct addr *out)
{
    char host[ADDR_TEXT_MAX];
    size_t len = strlen(text);
    if (len < 2 || len >= sizeof host || strcmp(text + len - 2, ":0") != 0)
        return ERR_ARGUMENT;
    snprintf(host, sizeof host, "%.*s", (int)len - 2, text);
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

static enum backbone_config_result take_value(enum option option, const char *value,
                                              struct backbone_config *out)
{
    switch (option) {
    case OPTION_LISTEN:
        if (parse_listen(value, &out->listen) != 0)
            return refuse(
                "-listen takes [ADDR:]PORT, such as 8080, 192.0.2.1:8080 or [2001:db8::1]:8080, not '%s'",
                value);
        return BACKBONE_CONFIG_RUN;
    case OPTION_DATA:
        if (value[0] == '\0' || strlen(value) >= sizeof out->data_dir)
            return refuse("-data takes the name of a directory%s",
                          value[0] ? ", and this one is too long" : "");
        strcpy(out->data_dir, value);
        return BACKBONE_CONFIG_RUN;
    case OPTION_SANDBOX:
        out->sandbox = strcmp(value, "on") == 0;
        if (!out->sandbox && strcmp(value, "off") != 0)
            return refuse("-sandbox takes on or off, not '%s'", value);
        return BACKBONE_CONFIG_RUN;
    case OPTION_VERBOSE:
    case OPTION_HELP:
    case OPTION_VERSION:
    case OPTION_UNKNOWN:
        break;
    }
    return BACKBONE_CONFIG_RUN;
}

enum backbone_config_result backbone_config_parse(int argc, char **argv, struct backbone_config *out)
{
    *out = (struct backbone_config){
        .listen.port = BACKBONE_PORT, .data_dir = BACKBONE_DATA_DIR, .sandbox = SANDBOX_DEFAULT};
    for (int i = 1; i < argc; i++) {
        const char *value;
        enum option option = option_of(argv[i], &value);
        bool takes_value = option == OPTION_LISTEN || option == OPTION_DATA || option == OPTION_SANDBOX;
        if (option == OPTION_UNKNOWN)
            return refuse("unknown argument '%s': see shadowmesh-backbone -help", argv[i]);
        if (!takes_value && value)
            return refuse("'%s': this flag takes no value", argv[i]);
        if (takes_value && !value && !(value = argv[++i]))
            return refuse("%s needs a value: see shadowmesh-backbone -help", argv[i - 1]);
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            fputs(option == OPTION_HELP ? help : "shadowmesh-backbone " SHADOWMESH_VERSION "\n", stdout);
            return BACKBONE_CONFIG_EXIT_OK;
        }
        out->verbose |= option == OPTION_VERBOSE;
        if (takes_value && take_value(option, value, out) != BACKBONE_CONFIG_RUN)
            return BACKBONE_CONFIG_EXIT_USAGE;
    }
    return BACKBONE_CONFIG_RUN;
}
