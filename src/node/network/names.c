/* SPDX-License-Identifier: Apache-2.0 */
/* The helper is told who the members are, where it keeps a file of them, and only where to ask us otherwise. Its channel takes
 * so much at once: the rest follows at the next tick, and members that change meanwhile are all told anew after that. */
#include "node/network/names.h"

#include "base/bytes.h"
#include "base/log.h"
#include "node/helper/helper_channel.h"
#include "node/helper/resolved.h"
#include "node/network/name_server.h"
#include "proto/network/rolls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART_MAX 8192 /* bytes of names in a message */

struct names {
    struct names_config config;
    bool has_helper;
    int fd; /* -1: there is none, or it is gone */
    uv_poll_t poll;
    struct name_server *server;
    struct addr_prefix own[DNS_ADDRESSES_MAX];
    unsigned own_count;
    bool served;                           /* at all of them */
    bool ready;                            /* the helper has spoken */
    bool telling;                          /* it has had some names of the present round */
    size_t told;                           /* so many members */
    uint64_t version;                      /* of the rolls when the round began */
    uint64_t whole;                        /* of the rolls that the helper knows whole; 0: none */
    enum resolver_mode mode;               /* RESOLVER_OFF before the helper has spoken */
    char trouble[2][HELPER_TEXT_MAX + 64]; /* the server's, the resolver's */
    struct helper_packet packet;
};

/* ---- the zone ---- */

static int copy_addresses(const void *context, const char *name, struct addr out[DNS_ADDRESSES_MAX])
{
    const struct names *n = context;
    const struct rolls_member *m = rolls_find_name(n->config.rolls, name);
    if (!m)
        return -1;
    memcpy(out, m->is.addresses, m->is.address_count * sizeof(*out));
    return m->is.address_count;
}

static int copy_name(const void *context, const struct addr *address, char out[DNS_LABEL_MAX])
{
    const struct names *n = context;
    const struct rolls_member *m = rolls_find_address(n->config.rolls, address);
    if (m && m->is.name[0]) {
        memcpy(out, m->is.name, sizeof(m->is.name));
        return 0;
    }
    for (unsigned i = 0; i < n->config.ca->range_count; i++)
        if (addr_in_prefix(address, &n->config.ca->ranges[i]))
            return ERR_NOT_FOUND;
    return ERR_MISMATCH;
}

/* ---- what is wrong ---- */

/* One line when it comes, one when it goes. */
static void set_trouble(struct names *n, bool of_resolver, const char *text)
{
    char *had = n->trouble[of_resolver];
    if (strcmp(had, text) == 0)
        return;
    if (*text)
        log_warn("names of the network %s: %s", n->config.ca->network, text);
    else
        log_info("names of the network %s: all is well again", n->config.ca->network);
    snprintf(had, sizeof(n->trouble[0]), "%s", text);
}

/* ---- the helper ---- */

static void on_gone(struct names *n)
{
    uv_poll_stop(&n->poll);
    close(n->fd);
    n->fd = -1;
    n->mode = RESOLVER_OFF;
    set_trouble(n, true,
                "the process that tells this machine's resolver of them has ended: restart the node");
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct names *n = poll->data;
    int err = helper_channel_receive(n->fd, &n->packet);
    const struct helper_message *m = &n->packet.message;
    (void)status, (void)events;
    if (err == ERR_AGAIN)
        return;
    if (err || m->kind != HELPER_NAMES_HELD || m->number > RESOLVER_HOSTS || m->number == RESOLVER_AUTO) {
        on_gone(n);
        return;
    }
    n->ready = true;
    n->mode = (enum resolver_mode)m->number;
    set_trouble(n, true, m->text);
}

static bool put_member(struct writer *w, const struct roster_member *m)
{
    struct writer before = *w;
    if (!m->name[0])
        return true;
    writer_u8(w, (uint8_t)strlen(m->name));
    writer_put(w, m->name, strlen(m->name));
    writer_u8(w, m->address_count);
    for (unsigned i = 0; i < m->address_count; i++) {
        writer_u8(w, m->addresses[i].family);
        writer_put(w, m->addresses[i].ip, m->addresses[i].family == 4 ? 4 : 16);
    }
    if (!w->bad)
        return true;
    *w = before;
    return false;
}

/* False when the helper takes no more now. */
static bool tell_some(struct names *n, const struct rolls_member *list, size_t count)
{
    uint8_t part[PART_MAX];
    struct writer w = writer_init(part, sizeof(part));
    size_t next = n->told;
    while (next < count && put_member(&w, &list[next].is))
        next++;
    const struct helper_message m = {.kind = HELPER_NAMES_SOME, .data = {part, writer_len(&w)}};
    if (writer_len(&w) && helper_channel_send(n->fd, &m))
        return false;
    n->told = next;
    return true;
}

static bool tell_members(struct names *n)
{
    size_t count;
    const struct rolls_member *list = rolls_members(n->config.rolls, &count);
    if (!n->telling) {
        n->telling = true;
        n->told = 0;
        n->version = rolls_version(n->config.rolls);
    }
    while (n->told < count)
        if (!tell_some(n, list, count))
            return false;
    return true;
}

/* The network's own names, without a dot, too, and those of our subnets. */
static void set_domains(const struct names *n, char *out, size_t size)
{
    char zone[DNS_REVERSE_MAX];
    size_t len = (size_t)snprintf(out, size, "%s.internal\n", n->config.ca->network);
    for (unsigned i = 0; i < n->own_count && i + 1 < RESOLVED_DOMAINS_MAX; i++)
        if (dns_reverse_zone(&n->own[i], zone))
            len += (size_t)snprintf(out + len, size - len, "~%s\n", zone);
}

static void tell_helper(struct names *n)
{
    char domains[RESOLVED_DOMAINS_MAX * (DNS_REVERSE_MAX + 2)];
    struct helper_message m = {.kind = HELPER_NAMES_SET};
    uint64_t version = rolls_version(n->config.rolls);
    if (n->fd < 0 || !n->ready || n->mode == RESOLVER_OFF || !n->own_count)
        return;
    if (n->whole && (n->mode == RESOLVER_RESOLVED || n->whole == version))
        return;
    if (n->mode == RESOLVER_HOSTS && !tell_members(n))
        return;
    set_domains(n, domains, sizeof(domains));
    helper_message_set_text(&m, n->config.device);
    m.data = (struct slice){(const uint8_t *)domains, strlen(domains)};
    while (m.address_count < n->own_count && m.address_count < HELPER_ADDRESSES_MAX) {
        m.addresses[m.address_count] = n->own[m.address_count].addr;
        m.address_count++;
    }
    if (helper_channel_send(n->fd, &m))
        return;
    n->whole = n->telling ? n->version : version;
    n->telling = false;
}

/* ---- our addresses ---- */

static void serve(struct names *n)
{
    struct addr list[DNS_ADDRESSES_MAX];
    char text[HELPER_TEXT_MAX] = "";
    for (unsigned i = 0; i < n->own_count; i++)
        list[i] = n->own[i].addr;
    int err = name_server_serve(n->server, list, n->own_count);
    n->served = !err;
    if (err == ERR_BUSY)
        snprintf(text, sizeof(text),
                 "another program has port %d at our address there: names are not answered",
                 NAME_SERVER_PORT);
    else if (err)
        snprintf(text, sizeof(text), "port %d at our address there cannot be opened: %s", NAME_SERVER_PORT,
                 err == ERR_PERMISSION ? "it wants CAP_NET_BIND_SERVICE" : strerror(errno));
    set_trouble(n, false, text);
}

void names_serve(struct names *n, const struct addr_prefix *list, unsigned count)
{
    n->own_count = count < DNS_ADDRESSES_MAX ? count : DNS_ADDRESSES_MAX;
    memcpy(n->own, list, n->own_count * sizeof(*list));
    n->whole = 0;
    serve(n);
    tell_helper(n);
}

void names_tick(struct names *n)
{
    if (!n->served)
        serve(n);
    tell_helper(n);
}

enum resolver_mode names_mode(const struct names *n)
{
    return n->mode;
}

const char *names_trouble(const struct names *n)
{
    return n->trouble[n->trouble[1][0] != '\0'];
}

/* ---- life ---- */

int names_new(const struct names_config *config, int fd, struct names **out)
{
    struct names *n = calloc(1, sizeof(*n));
    const struct dns_zone zone = {config->ca->network, copy_addresses, copy_name, n};
    if (!n || name_server_new(config->loop, &zone, config->broker, &n->server)) {
        free(n);
        if (fd >= 0)
            close(fd);
        return ERR_NOMEM;
    }
    n->config = *config;
    n->fd = fd;
    n->served = true; /* at no address yet */
    *out = n;
    n->has_helper = fd >= 0;
    if (!n->has_helper)
        return 0;
    uv_poll_init(config->loop, &n->poll, fd);
    n->poll.data = n;
    uv_poll_start(&n->poll, UV_READABLE, on_readable);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void names_close(struct names *n)
{
    if (!n)
        return;
    name_server_close(n->server);
    if (!n->has_helper) {
        free(n);
        return;
    }
    uv_poll_stop(&n->poll);
    if (n->fd >= 0)
        close(n->fd);
    uv_close((uv_handle_t *)&n->poll, on_closed);
}
