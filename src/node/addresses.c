/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: the names in -connect resolved, the backbone asked how it sees us, and our own candidates collected
 * for HELLOs and records. Control thread. */

#include "base/clock.h"
#include "node/node.h"
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

struct resolving {
    uv_getaddrinfo_t request;
    struct node *node;
    const struct config_connect *connect;
};

/* When it changes. */
static void tell_resolved(struct node *n, unsigned name, int status)
{
    const char *host = n->config->connect[name].host;
    bool failed = status != 0;
    if (failed && !n->names[name].failed)
        log_warn("-connect %s: the name cannot be looked up (%s); it is asked for again", host,
                 uv_strerror(status));
    else if (!failed && n->names[name].failed)
        log_info("-connect %s: the name is found", host);
    n->names[name].failed = failed;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *results)
{
    struct resolving *r = request->data;
    struct node *n = r->node;
    struct addr list[8];
    unsigned count = 0;
    for (const struct addrinfo *a = results; !status && a && count < 8; a = a->ai_next)
        if (addr_from_sockaddr(a->ai_addr, &list[count]) == 0)
            list[count++].port = r->connect->port;
    unsigned name = (unsigned)(r->connect - n->config->connect);
    n->names[name].busy = false;
    if (!n->stopping)
        tell_resolved(n, name, status);
    if (!n->stopping && !status)
        mesh_set_given_addresses(n->mesh, &r->connect->id, list, count, clock_monotonic_us());
    uv_freeaddrinfo(results);
    free(r);
}

void addresses_resolve(struct node *n, const struct config_connect *connect)
{
    struct addr literal;
    if (addr_parse(connect->host, 0, &literal) == 0) {
        literal.port = connect->port;
        mesh_set_given_addresses(n->mesh, &connect->id, &literal, 1, clock_monotonic_us());
        return;
    }
    unsigned name = (unsigned)(connect - n->config->connect);
    struct resolving *r = n->names[name].busy ? NULL : calloc(1, sizeof *r);
    if (!r)
        return;
    r->request.data = r;
    r->node = n;
    r->connect = connect;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    n->names[name].busy =
        uv_getaddrinfo(&n->loop, &r->request, on_resolved, connect->host, NULL, &hints) == 0;
    if (!n->names[name].busy)
        free(r);
}

/* Names may have come to mean other addresses: asked again while their peer is not connected. */
static void resolve_unconnected(void *context, const struct mesh_peer *peer)
{
    struct node *n = context;
    struct addr literal;
    for (unsigned i = 0; i < n->config->connect_count; i++) {
        const struct config_connect *c = &n->config->connect[i];
        if (c->host[0] && peer->state != MESH_PEER_CONNECTED && id_compare(&c->id, &peer->id) == 0 &&
            addr_parse(c->host, 0, &literal) != 0)
            addresses_resolve(n, c);
    }
}

void addresses_tick(struct node *n)
{
    mesh_peers(n->mesh, resolve_unconnected, n);
}

static unsigned describe_candidates(struct node *n, struct candidate *out)
{
    const struct config *c = n->config;
    unsigned count = 0;
    if (c->external.family) {
        out[count] = (struct candidate){CANDIDATE_STATIC, c->external, c->control_port};
        out[count++].addr.port = c->port;
    }
    count +=
        device_host_candidates(n->device, c->port, c->control_port, out + count, CANDIDATES_MAX - 1 - count);
    if (n->reflexive.mapped.family)
        out[count++] = (struct candidate){CANDIDATE_REFLEXIVE, n->reflexive.mapped, c->control_port};
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        bool known = false;
        for (unsigned j = 0; j < kept; j++)
            known = known || addr_equal(&out[j].addr, &out[i].addr);
        if (!known)
            out[kept++] = out[i];
    }
    return kept;
}

void addresses_announce(struct node *n)
{
    struct candidate list[CANDIDATES_MAX];
    unsigned count = describe_candidates(n, list);
    mesh_set_candidates(n->mesh, list, count, clock_monotonic_us());
    if (n->rendezvous)
        rendezvous_changed(n->rendezvous);
}

void addresses_describe(void *context, struct record *record)
{
    struct node *n = context;
    record->candidate_count = describe_candidates(n, record->candidates);
    snprintf(record->name, sizeof record->name, "%s", n->config->name);
    record->is_public = n->config->is_public;
}

void addresses_ask(struct node *n, uint64_t now_us)
{
    uint8_t request[STUN_MESSAGE_MAX];
    struct udp_remote to;
    size_t len = reflexive_request(&n->reflexive, now_us, request);
    if (!len)
        return;
    udp_remote_init(&n->sockets[0], &(struct addr){0}, &n->reflexive.server, &to);
    /* A lost request is asked again. */
    (void)!udp_send(&n->sockets[0], &to, request, len, len, 0);
}

void addresses_on_stun(struct node *n, const struct addr *from, const uint8_t *data, size_t len,
                       uint64_t now_us)
{
    bool changed;
    char text[ADDR_TEXT_MAX];
    if (reflexive_answer(&n->reflexive, from, data, len, now_us, &changed)) {
        n->drops[DROP_TYPE]++;
        return;
    }
    if (!changed)
        return;
    log_debug("the backbone sees us at %s", addr_format(&n->reflexive.mapped, text));
    addresses_announce(n);
}
