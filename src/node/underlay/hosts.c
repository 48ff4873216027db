/* SPDX-License-Identifier: Apache-2.0 */
/* Each host is an entry of a list. A peer's addresses are those of all its hosts together. Control thread. */

#include "node/underlay/hosts.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/config/config.h"
#include "node/helper/helper_message.h"
#include "node/helper/name_client.h"
#include "proto/mesh/mesh.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
    struct host *next;
    struct hosts *hosts;
    struct config_connect connect;
    bool literal;      /* an address, not a name */
    bool busy, failed; /* a look-up runs; the last one failed, and the log has told it */
    uint64_t next_us, wait_us;
    unsigned count;
    struct addr found[HELPER_ADDRESSES_MAX];
};

static void tell_mesh(struct hosts *hs, const struct node_id *id)
{
    struct addr list[HOSTS_PER_PEER * HELPER_ADDRESSES_MAX];
    unsigned count = 0;
    for (const struct host *h = hs->first; h; h = h->next)
        for (unsigned i = 0; id_compare(&h->connect.id, id) == 0 && i < h->count; i++)
            list[count++] = h->found[i];
    mesh_set_given_addresses(hs->mesh, id, list, count, clock_monotonic_us());
}

/* When it changes. */
static void tell_looked_up(struct host *h, const char *why)
{
    bool failed = why != NULL;
    if (failed && !h->failed)
        log_warn("-connect %s: the name cannot be looked up (%s); it is asked for again", h->connect.host,
                 why);
    else if (!failed && h->failed)
        log_info("-connect %s: the name is found", h->connect.host);
    h->failed = failed;
    if (failed && !h->hosts->directory) {
        char text[HELPER_TEXT_MAX + sizeof(h->connect.host) + 64];
        snprintf(text, sizeof(text), "%s cannot be looked up: %s", h->connect.host, why);
        mesh_set_missing(h->hosts->mesh, &h->connect.id, text);
    }
}

static void on_looked_up(void *context, const struct addr *found, unsigned count, const char *why)
{
    struct host *h = context;
    h->busy = false;
    h->wait_us = name_client_wait_us(count > 0, h->wait_us);
    h->next_us = clock_monotonic_us() + h->wait_us;
    tell_looked_up(h, count ? NULL : why);
    if (!count)
        return;
    for (h->count = 0; h->count < count; h->count++) {
        h->found[h->count] = found[h->count];
        h->found[h->count].port = h->connect.port;
    }
    tell_mesh(h->hosts, &h->connect.id);
}

static void look_up(struct host *h)
{
    if (h->busy || clock_monotonic_us() < h->next_us)
        return;
    int err = name_client_ask(h->hosts->names, h->connect.host, on_looked_up, h);
    h->busy = !err;
    if (err == ERR_ARGUMENT)
        tell_looked_up(h, "it is no name");
}

static bool same_host(const struct host *h, const struct config_connect *c)
{
    return h->connect.port == c->port && strcmp(h->connect.host, c->host) == 0;
}

void hosts_init(struct hosts *hs, struct mesh *mesh, struct name_client *names, bool directory)
{
    *hs = (struct hosts){.mesh = mesh, .names = names, .directory = directory};
}

int hosts_add(struct hosts *hs, const struct config_connect *connect)
{
    unsigned others = 0;
    for (const struct host *h = hs->first; h; h = h->next) {
        if (id_compare(&h->connect.id, &connect->id) != 0)
            continue;
        if (same_host(h, connect))
            return 0;
        others++;
    }
    struct host *h = others < HOSTS_PER_PEER ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return others < HOSTS_PER_PEER ? ERR_NOMEM : ERR_SPACE;
    *h = (struct host){.next = hs->first, .hosts = hs, .connect = *connect};
    hs->first = h;
    h->literal = addr_parse(connect->host, 0, &h->found[0]) == 0;
    if (!h->literal) {
        look_up(h);
        return 0;
    }
    h->found[0].port = connect->port;
    h->count = 1;
    tell_mesh(hs, &connect->id);
    return 0;
}

void hosts_remove(struct hosts *hs, const struct node_id *id)
{
    struct host **at = &hs->first, *h;
    while ((h = *at)) {
        if (id_compare(&h->connect.id, id) != 0) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        name_client_forget(hs->names, h);
        free(h);
    }
}

void hosts_forget_failures(struct hosts *hs)
{
    for (struct host *h = hs->first; h; h = h->next)
        h->next_us = h->wait_us = 0;
}

void hosts_tick(struct hosts *hs)
{
    for (struct host *h = hs->first; h; h = h->next)
        if (!h->literal && !mesh_connected(hs->mesh, &h->connect.id))
            look_up(h);
}

void hosts_fini(struct hosts *hs)
{
    while (hs->first) {
        struct host *h = hs->first;
        hs->first = h->next;
        free(h);
    }
}
