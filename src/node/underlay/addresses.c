/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates are collected anew each time: the device knows the machine's, a flag one more, the backbone's answer the last.
 * docs/PROTOCOL.md §10. */

#include "node/underlay/addresses.h"

#include "base/log.h"
#include "node/carrier/carrier.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/rendezvous/rendezvous.h"
#include "proto/mesh/mesh.h"
#include <stdio.h>

/* Of each address the first. Returns how many are left. */
static unsigned keep_distinct(struct candidate *list, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        bool known = false;
        for (unsigned j = 0; j < kept; j++)
            known = known || addr_equal(&list[j].addr, &list[i].addr);
        if (!known)
            list[kept++] = list[i];
    }
    return kept;
}

static unsigned describe_candidates(const struct addresses *a, struct candidate *out)
{
    const struct config *c = a->config.config;
    unsigned count = 0;
    if (c->external.family) {
        out[count] = (struct candidate){CANDIDATE_STATIC, c->external, c->control_port};
        out[count++].addr.port = c->port;
    }
    count += device_host_candidates(a->config.device, c->port, c->control_port, out + count,
                                    CANDIDATES_MAX - 1 - count);
    if (a->reflexive.mapped.family)
        out[count++] = (struct candidate){CANDIDATE_REFLEXIVE, a->reflexive.mapped, c->control_port};
    return keep_distinct(out, count);
}

void addresses_init(struct addresses *a, const struct addresses_config *config)
{
    *a = (struct addresses){.config = *config};
}

void addresses_register_by(struct addresses *a, struct rendezvous *r)
{
    a->rendezvous = r;
}

void addresses_announce(struct addresses *a, uint64_t now_us)
{
    struct candidate list[CANDIDATES_MAX];
    unsigned count = describe_candidates(a, list);
    mesh_set_candidates(a->config.mesh, list, count, now_us);
    if (a->rendezvous)
        rendezvous_changed(a->rendezvous);
}

void addresses_on_change(struct addresses *a, uint64_t now_us)
{
    addresses_ask_at(a, &a->reflexive.server, now_us);
    addresses_announce(a, now_us);
}

void addresses_ask_at(struct addresses *a, const struct addr *server, uint64_t now_us)
{
    reflexive_restart(&a->reflexive, server);
    addresses_tick(a, now_us);
}

void addresses_tick(struct addresses *a, uint64_t now_us)
{
    uint8_t buffer[ENDPOINT_ENVELOPE_MAX + STUN_MESSAGE_MAX], *request = buffer + ENDPOINT_ENVELOPE_MAX;
    size_t len = reflexive_request(&a->reflexive, now_us, request);
    if (!len)
        return;
    const struct carrier_ports ports = {a->config.socket, -1, -1};
    const struct endpoint server = endpoint_udp(&a->reflexive.server);
    /* A lost request is asked again. */
    (void)!carrier_send_one(&ports, &server, request, len);
}

enum drop addresses_on_stun(struct addresses *a, const struct addr *from, const uint8_t *data, size_t len,
                            uint64_t now_us)
{
    bool changed;
    char text[ADDR_TEXT_MAX];
    if (reflexive_answer(&a->reflexive, from, data, len, now_us, &changed))
        return DROP_TYPE;
    if (changed) {
        log_debug("the backbone sees us at %s", addr_format(&a->reflexive.mapped, text));
        addresses_announce(a, now_us);
    }
    return DROP_NONE;
}

const struct addr *addresses_mapped(const struct addresses *a)
{
    return &a->reflexive.mapped;
}

void addresses_describe(const struct addresses *a, struct record *record)
{
    record->candidate_count = describe_candidates(a, record->candidates);
    snprintf(record->name, sizeof(record->name), "%s", a->config.config->name);
    record->is_public = a->config.config->is_public;
}
