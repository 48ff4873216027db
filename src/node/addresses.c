/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: the names in -connect resolved, the backbone asked how it sees us, and our own candidates collected
 * for HELLOs and records. Control thread. */

#include "base/clock.h"
#include "node/node.h"
#include <stdio.h>

/* When it changes. */
static void tell_resolved(struct node_name *name, const char *why)
{
    bool failed = why != NULL;
    if (failed && !name->failed)
        log_warn("-connect %s: the name cannot be looked up (%s); it is asked for again", name->connect->host,
                 why);
    else if (!failed && name->failed)
        log_info("-connect %s: the name is found", name->connect->host);
    name->failed = failed;
}

static void on_resolved(void *context, const struct addr *found, unsigned count, const char *why)
{
    struct node_name *name = context;
    struct addr list[HELPER_ADDRESSES_MAX];
    uint64_t now_us = clock_monotonic_us();
    for (unsigned i = 0; i < count; i++) {
        list[i] = found[i];
        list[i].port = name->connect->port;
    }
    name->busy = false;
    name->wait_us = name_client_wait_us(count > 0, name->wait_us);
    name->next_us = now_us + name->wait_us;
    tell_resolved(name, count ? NULL : why);
    if (count)
        mesh_set_given_addresses(name->node->mesh, &name->connect->id, list, count, now_us);
}

void addresses_resolve(struct node *n, const struct config_connect *connect)
{
    struct addr literal;
    uint64_t now_us = clock_monotonic_us();
    struct node_name *name = &n->names[connect - n->config->connect];
    if (addr_parse(connect->host, 0, &literal) == 0) {
        literal.port = connect->port;
        mesh_set_given_addresses(n->mesh, &connect->id, &literal, 1, now_us);
        return;
    }
    if (name->busy || now_us < name->next_us)
        return;
    name->node = n;
    name->connect = connect;
    int err = name_client_ask(n->name_client, connect->host, on_resolved, name);
    name->busy = !err;
    if (err == ERR_ARGUMENT)
        tell_resolved(name, "it is no name");
}

void addresses_forget_failures(struct node *n)
{
    for (unsigned i = 0; i < n->config->connect_count; i++)
        n->names[i].next_us = n->names[i].wait_us = 0;
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
    uint8_t buffer[ENDPOINT_ENVELOPE_MAX + STUN_MESSAGE_MAX], *request = buffer + ENDPOINT_ENVELOPE_MAX;
    size_t len = reflexive_request(&n->reflexive, now_us, request);
    if (!len)
        return;
    const struct endpoint server = endpoint_udp(&n->reflexive.server);
    /* A lost request is asked again. */
    (void)!carrier_send_one(&n->sockets[0], &server, request, len);
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
