/* SPDX-License-Identifier: Apache-2.0 */
/* Each host is an entry of a list. A peer's addresses are those of all its hosts together. Control thread. */

#include "node/hosts.h"

#include "base/clock.h"
#include "node/node.h"
#include <stdlib.h>
#include <string.h>

struct node_host {
    struct node_host *next;
    struct node *node;
    struct config_connect connect;
    bool literal;      /* an address, not a name */
    bool busy, failed; /* a look-up runs; the last one failed, and the log has told it */
    uint64_t next_us, wait_us;
    unsigned count;
    struct addr found[HELPER_ADDRESSES_MAX];
};

static void tell_mesh(struct node *n, const struct node_id *id)
{
    struct addr list[HOSTS_PER_PEER * HELPER_ADDRESSES_MAX];
    unsigned count = 0;
    for (const struct node_host *h = n->hosts; h; h = h->next)
        for (unsigned i = 0; id_compare(&h->connect.id, id) == 0 && i < h->count; i++)
            list[count++] = h->found[i];
    mesh_set_given_addresses(n->mesh, id, list, count, clock_monotonic_us());
}

/* When it changes. */
static void tell_looked_up(struct node_host *h, const char *why)
{
    bool failed = why != NULL;
    if (failed && !h->failed)
        log_warn("-connect %s: the name cannot be looked up (%s); it is asked for again", h->connect.host,
                 why);
    else if (!failed && h->failed)
        log_info("-connect %s: the name is found", h->connect.host);
    h->failed = failed;
    if (failed && !h->node->rendezvous) {
        char text[HELPER_TEXT_MAX + sizeof(h->connect.host) + 64];
        snprintf(text, sizeof(text), "%s cannot be looked up: %s", h->connect.host, why);
        mesh_set_missing(h->node->mesh, &h->connect.id, text);
    }
}

static void on_looked_up(void *context, const struct addr *found, unsigned count, const char *why)
{
    struct node_host *h = context;
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
    tell_mesh(h->node, &h->connect.id);
}

static void look_up(struct node_host *h)
{
    if (h->busy || clock_monotonic_us() < h->next_us)
        return;
    int err = name_client_ask(h->node->name_client, h->connect.host, on_looked_up, h);
    h->busy = !err;
    if (err == ERR_ARGUMENT)
        tell_looked_up(h, "it is no name");
}

static bool same_host(const struct node_host *h, const struct config_connect *c)
{
    return h->connect.port == c->port && strcmp(h->connect.host, c->host) == 0;
}

int hosts_add(struct node *n, const struct config_connect *connect)
{
    unsigned others = 0;
    for (const struct node_host *h = n->hosts; h; h = h->next) {
        if (id_compare(&h->connect.id, &connect->id) != 0)
            continue;
        if (same_host(h, connect))
            return 0;
        others++;
    }
    struct node_host *h = others < HOSTS_PER_PEER ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return others < HOSTS_PER_PEER ? ERR_NOMEM : ERR_SPACE;
    *h = (struct node_host){.next = n->hosts, .node = n, .connect = *connect};
    n->hosts = h;
    h->literal = addr_parse(connect->host, 0, &h->found[0]) == 0;
    if (!h->literal) {
        look_up(h);
        return 0;
    }
    h->found[0].port = connect->port;
    h->count = 1;
    tell_mesh(n, &connect->id);
    return 0;
}

void hosts_remove(struct node *n, const struct node_id *id)
{
    struct node_host **at = &n->hosts, *h;
    while ((h = *at)) {
        if (id_compare(&h->connect.id, id) != 0) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        name_client_forget(n->name_client, h);
        free(h);
    }
}

void hosts_forget_failures(struct node *n)
{
    for (struct node_host *h = n->hosts; h; h = h->next)
        h->next_us = h->wait_us = 0;
}

void hosts_tick(struct node *n)
{
    for (struct node_host *h = n->hosts; h; h = h->next)
        if (!h->literal && !mesh_connected(n->mesh, &h->connect.id))
            look_up(h);
}

void hosts_free(struct node *n)
{
    while (n->hosts) {
        struct node_host *h = n->hosts;
        n->hosts = h->next;
        free(h);
    }
}
