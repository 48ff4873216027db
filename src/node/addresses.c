/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: the backbone asked how it sees us, and our own candidates collected for HELLOs and records. Control
 * thread. */

#include "base/clock.h"
#include "node/node.h"
#include <stdio.h>

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
    snprintf(record->name, sizeof(record->name), "%s", n->config->name);
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
