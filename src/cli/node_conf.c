/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/node_conf.h"

#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT         9443
#define CONTROL_PORT 8443
#define PORT_STEP    100 /* beside one of data is the local network's */
#define TRIES        256 /* networks on one machine */

/* ---- ports ---- */

static bool says_port(const char *path, uint16_t port)
{
    FILE *file = fopen(path, "re");
    char line[256];
    unsigned value;
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file))
        found =
            (sscanf(line, " port = %u", &value) == 1 || sscanf(line, " control-port = %u", &value) == 1) &&
            value == port;
    if (file)
        fclose(file);
    return found;
}

/* By a network that does not run now. */
static bool is_promised(const char *etc, uint16_t port)
{
    DIR *dir = opendir(etc);
    char path[PATH_MAX];
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;)
        if (snprintf(path, sizeof(path), "%s/%s/node.conf", etc, entry->d_name) < (int)sizeof(path))
            found = says_port(path, port);
    if (dir)
        closedir(dir);
    return found;
}

/* A machine without IPv6 has IPv4's. */
static bool is_free(int type, uint16_t port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1;
    bool six = fd >= 0;
    if (!six)
        fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool bound = six ? bind(fd, (struct sockaddr *)&any6, sizeof(any6)) == 0
                     : bind(fd, (struct sockaddr *)&any4, sizeof(any4)) == 0;
    if (fd >= 0)
        close(fd);
    return bound;
}

static uint16_t choose_port(const char *etc, int type, uint16_t first)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint16_t port = (uint16_t)(first + i * PORT_STEP);
        if (!is_promised(etc, port) && is_free(type, port))
            return port;
    }
    return first;
}

/* ---- device ---- */

/* Told from others' devices, and from the words of ip(8), of which "home" is one. */
static void choose_device(const char *network, char out[NODE_CONF_DEVICE_MAX])
{
    snprintf(out, NODE_CONF_DEVICE_MAX, "sm-%.12s", network);
    for (unsigned i = 0; i < TRIES && if_nametoindex(out); i++)
        snprintf(out, NODE_CONF_DEVICE_MAX, "sm%u", i);
}

void node_conf_choose(struct node_conf *conf, const char *etc)
{
    choose_device(conf->network, conf->device);
    conf->port = choose_port(etc, SOCK_DGRAM, PORT);
    conf->control_port = choose_port(etc, SOCK_STREAM, CONTROL_PORT);
}

/* ---- text ---- */

static void print_reach(FILE *out, const struct node_conf *c)
{
    char text[ADDR_TEXT_MAX];
    fputs("\n# Servers that introduce nodes to each other; a line for each.\n", out);
    for (unsigned i = 0; i < c->backbone_count; i++)
        fprintf(out, "backbone = %s\n", c->backbones[i]);
    if (!c->backbone_count)
        fputs("# backbone = http://HOST:8080\n", out);
    fputs("\n# At which address others reach this machine, where it cannot find that out by itself.\n", out);
    if (c->ip.family)
        fprintf(out, "ip = %s\n", addr_format(&c->ip, text));
    else
        fputs("# ip = 203.0.113.7\n", out);
}

/* Of a node that was driven by flags. */
static void print_peers(FILE *out, const struct node_conf *c)
{
    if (!c->dial_count && !c->admit_count)
        return;
    fputs("\n# Who has no certificate of the network yet: dialled, or admitted when it dials. Take a line "
          "away once its "
          "node is a member.\n",
          out);
    for (unsigned i = 0; i < c->dial_count; i++)
        fprintf(out, "connect = %s\n", c->dials[i]);
    for (unsigned i = 0; i < c->admit_count; i++)
        fprintf(out, "allow = %s\n", c->admits[i]);
}

char *node_conf_text(const struct node_conf *c)
{
    size_t len = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        abort();
    fprintf(out,
            "# This machine's node in the network %s. Each line is a flag of shadowmesh-l2(8).\n"
            "# `shadowmesh check %s` tells what is wrong here, before the node is started again.\n\n"
            "network = %s\n",
            c->network, c->checked, c->network);
    if (c->name)
        fprintf(out, "\n# What it asks to be called when it joins.\nname = %s\n", c->name);
    fprintf(out, "\n# The device that leads into the network.\ntap = %s\n", c->device);
    fprintf(out,
            "\n# UDP port of data and TCP port of control: open both where you can.\nport = %u\ncontrol-port "
            "= %u\n",
            c->port, c->control_port);
    print_reach(out, c);
    print_peers(out, c);
    fclose(out);
    return text;
}
