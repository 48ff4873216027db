/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates are collected anew each time: the device knows the machine's, a flag one more, STUN servers the last.
 * docs/PROTOCOL.md §10. */

#include "node/underlay/addresses.h"

#include "base/log.h"
#include "node/backbones/backbones.h"
#include "node/carrier/carrier.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/records/records.h"
#include "node/underlay/portmap.h"
#include "proto/mesh/mesh.h"
#include "proto/message/record.h"
#include <stdio.h>
#include <string.h>

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
                                    CANDIDATES_MAX - PORTMAP_FAMILIES - a->seen_count - count);
    count += portmap_candidates(a->portmap, out + count);
    for (unsigned i = 0; i < a->seen_count; i++)
        out[count++] = (struct candidate){CANDIDATE_REFLEXIVE, a->seen[i], c->control_port};
    return keep_distinct(out, count);
}

void addresses_init(struct addresses *a, const struct addresses_config *config)
{
    *a = (struct addresses){.config = *config};
}

void addresses_register_by(struct addresses *a, struct backbones *b)
{
    a->backbones = b;
}

void addresses_map_by(struct addresses *a, struct portmap *p)
{
    a->portmap = p;
}

void addresses_tell(struct addresses *a, struct records *r)
{
    a->records = r;
}

void addresses_announce(struct addresses *a, uint64_t now_us)
{
    struct candidate list[CANDIDATES_MAX];
    unsigned count = describe_candidates(a, list);
    mesh_set_candidates(a->config.mesh, list, count, now_us);
    backbones_changed(a->backbones);
    records_changed(a->records);
}

void addresses_on_change(struct addresses *a, uint64_t now_us)
{
    observers_restart(&a->observers);
    addresses_tick(a, now_us);
    if (a->portmap)
        portmap_on_change(a->portmap);
    addresses_announce(a, now_us);
}

void addresses_set_server(struct addresses *a, unsigned number, const struct addr *list, unsigned count,
                          uint64_t now_us)
{
    if (observers_set(&a->observers, number, list, count))
        addresses_tick(a, now_us);
}

/* ---- what the servers say ---- */

static bool is_ours(const void *context, const struct addr *a)
{
    return device_interface_of(context, a);
}

/* Not while an answer is missing: one server may have seen a new mapping that the others have yet to see. */
static void judge_nats(struct addresses *a, uint64_t now_us)
{
    if (!observers_settled(&a->observers, now_us))
        return;
    for (unsigned i = 0; i < 2; i++) {
        observers_observed(&a->observers, i ? 6 : 4, &a->nats[i]);
        nat_judge(&a->nats[i], is_ours, a->config.device, a->config.config->port);
    }
}

static void tell_seen(const struct addr *seen, unsigned count)
{
    char text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < count; i++)
        log_debug("STUN: we are seen at %s", addr_format(&seen[i], text));
}

/* Announces what is news. */
static void look_at_answers(struct addresses *a, uint64_t now_us)
{
    struct addr seen[2 * OBSERVERS_SEEN_MAX];
    unsigned count = observers_seen(&a->observers, seen), same = 0;
    judge_nats(a, now_us);
    while (same < count && same < a->seen_count && addr_equal(&seen[same], &a->seen[same]))
        same++;
    if (same == count && count == a->seen_count)
        return;
    memcpy(a->seen, seen, sizeof(seen));
    a->seen_count = count;
    tell_seen(seen, count);
    addresses_announce(a, now_us);
}

static void ask(struct addresses *a, uint64_t now_us)
{
    uint8_t buffer[ENDPOINT_ENVELOPE_MAX + STUN_MESSAGE_MAX], *request = buffer + ENDPOINT_ENVELOPE_MAX;
    const struct carrier_ports ports = carrier_ports_of(a->config.socket);
    struct addr server;
    size_t len;
    while ((len = observers_request(&a->observers, now_us, &server, request)) > 0) {
        const struct endpoint to = endpoint_udp(&server);
        /* A lost request is asked again. */
        (void)!carrier_send_one(&ports, &to, request, len);
    }
}

void addresses_tick(struct addresses *a, uint64_t now_us)
{
    ask(a, now_us);
    look_at_answers(a, now_us);
}

enum drop addresses_on_stun(struct addresses *a, const struct addr *from, const uint8_t *data, size_t len,
                            uint64_t now_us)
{
    if (observers_answer(&a->observers, from, data, len, now_us))
        return DROP_TYPE;
    look_at_answers(a, now_us);
    return DROP_NONE;
}

const struct addr *addresses_mapped(const struct addresses *a)
{
    static const struct addr unknown;
    return a->seen_count ? &a->seen[0] : &unknown;
}

unsigned addresses_seen(const struct addresses *a, const struct addr **out)
{
    *out = a->seen;
    return a->seen_count;
}

const struct addr *addresses_stun_server(const struct addresses *a)
{
    static const struct addr none;
    for (unsigned family = 0; family < 2; family++)
        for (unsigned i = 0; i < OBSERVERS_MAX; i++)
            if (reflexive_is_current(&a->observers.list[i][family]))
                return &a->observers.list[i][family].server;
    return &none;
}

unsigned addresses_stun_servers(const struct addresses *a, struct addr *out, unsigned cap)
{
    const struct reflexive *all = &a->observers.list[0][0];
    unsigned count = 0;
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX && count < cap; i++)
        if (reflexive_is_current(&all[i]))
            out[count++] = all[i].server;
    return count;
}

void addresses_learn_nat(struct addresses *a, unsigned family, const struct nat *found)
{
    a->nats[family == 6].filtering = found->filtering;
    a->nats[family == 6].hairpin = found->hairpin;
}

const struct nat *addresses_nat(const struct addresses *a, unsigned family)
{
    return &a->nats[family == 6];
}

void addresses_describe(const struct addresses *a, struct record *record)
{
    record->candidate_count = describe_candidates(a, record->candidates);
    snprintf(record->name, sizeof(record->name), "%s", a->config.config->called);
    record->is_public = a->config.config->is_public;
}
