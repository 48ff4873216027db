/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of questions, one at a time: NAT-PMP's for the address, then one for each port. RFC 6887 §8.5, §11.2, §15;
 * RFC 6886 §3. Three tries within 1.75 s, not RFC 6887's for ever: most routers know neither protocol. */
#include "proto/portmap/mapper.h"

#include "base/clock.h"

#include <string.h>

#define EPOCH_SLACK_S 2  /* RFC 6887 §8.5 */
#define EPOCH_DRIFT   16 /* clocks may differ by one part in so many */

/* ---- rounds ---- */

static void begin_step(struct mapper *m, enum mapper_step step, uint64_t now_us)
{
    m->step = step;
    m->tries = 0;
    m->next_us = now_us;
}

static void rest_until(struct mapper *m, uint64_t us)
{
    m->step = MAPPER_REST;
    m->next_us = us;
}

static void begin_protocol(struct mapper *m, enum mapper_protocol protocol, uint64_t now_us)
{
    m->protocol = protocol;
    begin_step(m, protocol == MAPPER_PCP ? MAPPER_ASKS_UDP : MAPPER_ASKS_ADDRESS, now_us);
}

static void begin_round(struct mapper *m, uint64_t now_us)
{
    m->garbled = false;
    begin_protocol(m, mapper_holds(m) ? m->protocol : MAPPER_PCP, now_us);
}

static uint64_t renewal_us(const struct mapper *m, uint64_t now_us)
{
    uint64_t half_us = MAPPER_AGAIN_US;
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        uint64_t own_us = m->held[i].lifetime_s * USEC_PER_SEC / 2;
        if (m->held[i].external.family && own_us < half_us)
            half_us = own_us;
    }
    return now_us + half_us;
}

static enum mapper_step next_asked(const struct mapper *m, enum mapper_step after)
{
    if (after < MAPPER_ASKS_UDP && m->held[MAPPER_UDP].asked)
        return MAPPER_ASKS_UDP;
    if (after < MAPPER_ASKS_TCP && m->held[MAPPER_TCP].asked)
        return MAPPER_ASKS_TCP;
    return MAPPER_REST;
}

static void advance(struct mapper *m, uint64_t now_us)
{
    if (m->releasing) {
        enum mapper_step next = next_asked(m, m->step);
        begin_step(m, next, next == MAPPER_REST ? TIME_NEVER : now_us);
    } else if (m->step == MAPPER_ASKS_TCP) {
        m->why = NULL;
        rest_until(m, renewal_us(m, now_us));
    } else {
        begin_step(m, m->step + 1, now_us);
    }
}

static void end_with_nothing(struct mapper *m, const char *why, uint64_t now_us)
{
    m->failures++;
    m->why = m->garbled ? "answers what is neither PCP nor NAT-PMP" : why;
    unsigned doublings = m->silent < MAPPER_DOUBLINGS ? m->silent : MAPPER_DOUBLINGS;
    rest_until(m, now_us + (MAPPER_AGAIN_US << doublings));
    m->silent++;
}

static void next_protocol(struct mapper *m, const char *why, uint64_t now_us)
{
    if (m->protocol == MAPPER_PCP && m->config.client.family == 4)
        begin_protocol(m, MAPPER_NATPMP, now_us);
    else
        end_with_nothing(m, why, now_us);
}

/* A question without an answer: what is held stays so for its life. */
static void give_up(struct mapper *m, const char *why, uint64_t now_us)
{
    if (m->releasing || m->step == MAPPER_ASKS_TCP) {
        advance(m, now_us);
    } else if (mapper_holds(m)) {
        uint64_t rest_us = (m->held[MAPPER_UDP].until_us - now_us) / 2;
        rest_until(m, now_us + (rest_us > MAPPER_RETRY_MIN_US ? rest_us : MAPPER_RETRY_MIN_US));
    } else {
        next_protocol(m, why, now_us);
    }
}

static enum mapper_port port_of(enum mapper_step step)
{
    return step == MAPPER_ASKS_TCP ? MAPPER_TCP : MAPPER_UDP;
}

static void forget(struct mapper *m, enum mapper_port port)
{
    m->held[port].external.family = 0;
    m->held[port].asked = false;
}

/* An answer that says no: what was held is not. */
static void deny(struct mapper *m, const char *why, uint64_t now_us)
{
    forget(m, port_of(m->step));
    if (m->step == MAPPER_ASKS_TCP || m->releasing) {
        advance(m, now_us);
        return;
    }
    forget(m, MAPPER_TCP);
    next_protocol(m, why, now_us);
}

static bool is_useful(const struct mapper *m, const struct addr *external, uint32_t lifetime_s)
{
    return external->family == m->config.client.family && !addr_is_unspecified(external) && external->port &&
           lifetime_s >= MAPPER_LIFETIME_MIN_S;
}

static void take_mapping(struct mapper *m, const struct addr *external, uint32_t lifetime_s, uint64_t now_us)
{
    enum mapper_port port = port_of(m->step);
    if (m->releasing || !is_useful(m, external, lifetime_s)) {
        deny(m, "maps to nowhere", now_us);
        return;
    }
    m->held[port].external = *external;
    m->held[port].wished = external->port;
    m->held[port].lifetime_s = lifetime_s;
    m->held[port].until_us = now_us + lifetime_s * USEC_PER_SEC;
    advance(m, now_us);
}

static void forget_expired(struct mapper *m, uint64_t now_us)
{
    bool held = mapper_holds(m);
    for (unsigned i = 0; i < MAPPER_PORTS; i++)
        if (m->held[i].external.family && m->held[i].until_us <= now_us)
            forget(m, i);
    if (held && !mapper_holds(m) && !m->releasing)
        begin_round(m, now_us);
}

/* ---- the router's epoch ---- */

/* RFC 6887 §8.5: its seconds have passed as ours. */
static bool epoch_goes_on(const struct mapper *m, uint32_t epoch_s, uint64_t now_us)
{
    if (!m->has_epoch)
        return true;
    if ((uint64_t)epoch_s + 1 < m->epoch_s)
        return false;
    uint64_t ours_s = (now_us - m->epoch_us) / USEC_PER_SEC;
    uint64_t its_s = epoch_s > m->epoch_s ? epoch_s - m->epoch_s : 0;
    return ours_s + EPOCH_SLACK_S >= its_s - its_s / EPOCH_DRIFT &&
           its_s + EPOCH_SLACK_S >= ours_s - ours_s / EPOCH_DRIFT;
}

/* A router that forgot is asked again; in the middle of a round it is being asked. */
static void take_epoch(struct mapper *m, uint32_t epoch_s, uint64_t now_us)
{
    bool forgot = !epoch_goes_on(m, epoch_s, now_us);
    m->has_epoch = true;
    m->epoch_s = epoch_s;
    m->epoch_us = now_us;
    if (forgot && m->step == MAPPER_REST)
        mapper_restart(m, now_us);
}

/* ---- PCP ---- */

/* A mapping has a nonce of its own (RFC 6887 §11.2). */
static void describe(const struct mapper *m, enum mapper_port port, struct pcp_map *out)
{
    memcpy(out->nonce, m->config.nonce, sizeof(out->nonce));
    out->nonce[0] ^= (uint8_t)port;
    out->protocol = port == MAPPER_TCP ? PCP_TCP : PCP_UDP;
    out->internal_port = m->config.ports[port];
    out->external = (struct addr){.port = m->releasing ? 0 : m->held[port].wished};
}

static const char *pcp_why(uint8_t result)
{
    switch (result) {
    case PCP_NOT_AUTHORIZED:
        return "does not allow it (PCP: not authorized)";
    case PCP_NETWORK_FAILURE:
        return "has no connection outside (PCP: network failure)";
    case PCP_NO_RESOURCES:
    case PCP_USER_EX_QUOTA:
        return "has no room for it (PCP: no resources)";
    case PCP_ADDRESS_MISMATCH:
        return "is behind another NAT (PCP: address mismatch)";
    }
    return "refuses (PCP)";
}

static bool answers(const struct mapper *m, const struct pcp_map *got)
{
    struct pcp_map asked;
    if (m->protocol != MAPPER_PCP || (m->step != MAPPER_ASKS_UDP && m->step != MAPPER_ASKS_TCP))
        return false;
    describe(m, port_of(m->step), &asked);
    return memcmp(got->nonce, asked.nonce, sizeof(asked.nonce)) == 0 && got->protocol == asked.protocol &&
           got->internal_port == asked.internal_port;
}

static int take_pcp(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct pcp_answer a;
    int err = pcp_answer_decode(data, len, &a);
    if (err)
        return ERR_FORMAT;
    if (a.opcode == PCP_MAP && !answers(m, &a.map))
        return ERR_UNSUPPORTED;
    take_epoch(m, a.epoch_s, now_us);
    if (a.opcode == PCP_ANNOUNCE)
        return 0;
    if (a.result == PCP_SUCCESS)
        take_mapping(m, &a.map.external, a.lifetime_s, now_us);
    else
        deny(m, pcp_why(a.result), now_us);
    return 0;
}

/* ---- NAT-PMP ---- */

static const char *natpmp_why(uint16_t result)
{
    switch (result) {
    case NATPMP_NOT_AUTHORIZED:
        return "does not allow it (NAT-PMP: not authorized)";
    case NATPMP_NETWORK_FAILURE:
        return "has no connection outside (NAT-PMP: network failure)";
    case NATPMP_NO_RESOURCES:
        return "has no room for it (NAT-PMP: out of resources)";
    }
    return "refuses (NAT-PMP)";
}

static enum natpmp_opcode natpmp_opcode(enum mapper_step step)
{
    return step == MAPPER_ASKS_ADDRESS ? NATPMP_ADDRESS : step == MAPPER_ASKS_TCP ? NATPMP_TCP : NATPMP_UDP;
}

static void take_address(struct mapper *m, const struct addr *outer, uint64_t now_us)
{
    m->outer = *outer;
    if (addr_is_unspecified(outer))
        deny(m, "has no connection outside (NAT-PMP: no address)", now_us);
    else
        advance(m, now_us);
}

/* Said to everybody, as when it has another address. */
static int take_announced(struct mapper *m, const struct natpmp_answer *a, uint64_t now_us)
{
    bool moved = a->opcode == NATPMP_ADDRESS && a->result == NATPMP_SUCCESS && m->protocol == MAPPER_NATPMP &&
                 m->outer.family && !addr_same_host(&a->address, &m->outer);
    if (a->opcode != NATPMP_ADDRESS || m->step != MAPPER_REST)
        return ERR_UNSUPPORTED;
    take_epoch(m, a->epoch_s, now_us);
    if (moved)
        mapper_restart(m, now_us);
    return 0;
}

static int take_natpmp(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct natpmp_answer a;
    if (natpmp_answer_decode(data, len, &a))
        return ERR_FORMAT;
    if (a.result == NATPMP_UNSUPP_VERSION && m->protocol == MAPPER_PCP && m->step != MAPPER_REST &&
        !mapper_holds(m)) {
        deny(m, "knows no PCP", now_us); /* its way to say so: RFC 6887 §9 */
        return 0;
    }
    bool asked = m->protocol == MAPPER_NATPMP && m->step != MAPPER_REST && a.opcode == natpmp_opcode(m->step);
    if (!asked)
        return take_announced(m, &a, now_us);
    if (a.opcode != NATPMP_ADDRESS && a.result == NATPMP_SUCCESS &&
        a.map.internal_port != m->config.ports[port_of(m->step)])
        return ERR_UNSUPPORTED;
    take_epoch(m, a.epoch_s, now_us);
    struct addr external = m->outer;
    external.port = a.map.external_port;
    if (a.result != NATPMP_SUCCESS)
        deny(m, natpmp_why(a.result), now_us);
    else if (a.opcode == NATPMP_ADDRESS)
        take_address(m, &a.address, now_us);
    else
        take_mapping(m, &external, a.map.lifetime_s, now_us);
    return 0;
}

/* ---- what the caller does ---- */

void mapper_init(struct mapper *m, const struct mapper_config *config, uint64_t now_us)
{
    *m = (struct mapper){.config = *config};
    for (unsigned i = 0; i < MAPPER_PORTS; i++)
        m->held[i].wished = config->ports[i];
    begin_round(m, now_us);
}

void mapper_restart(struct mapper *m, uint64_t now_us)
{
    uint64_t at_us = m->asked_us ? m->asked_us + MAPPER_PAUSE_US : now_us;
    if (!m->releasing)
        rest_until(m, at_us > now_us ? at_us : now_us);
}

void mapper_release(struct mapper *m, uint64_t now_us)
{
    m->releasing = true;
    m->step = MAPPER_REST;
    advance(m, now_us);
}

bool mapper_released(const struct mapper *m)
{
    return m->releasing && m->step == MAPPER_REST;
}

uint64_t mapper_next_us(const struct mapper *m)
{
    uint64_t next_us = m->next_us;
    for (unsigned i = 0; i < MAPPER_PORTS; i++)
        if (m->held[i].external.family && m->held[i].until_us < next_us)
            next_us = m->held[i].until_us;
    return next_us;
}

static size_t encode(const struct mapper *m, uint8_t out[PCP_MAP_LEN])
{
    uint32_t lifetime_s = m->releasing ? 0 : MAPPER_LIFETIME_S;
    struct pcp_map map;
    describe(m, port_of(m->step), &map);
    if (m->protocol == MAPPER_PCP) {
        pcp_map_encode(&m->config.client, lifetime_s, &map, out);
        return PCP_MAP_LEN;
    }
    const struct natpmp_map older = {map.internal_port, map.external.port, lifetime_s};
    return natpmp_encode(natpmp_opcode(m->step), m->step == MAPPER_ASKS_ADDRESS ? NULL : &older, out);
}

size_t mapper_poll(struct mapper *m, uint64_t now_us, uint8_t out[PCP_MAP_LEN])
{
    forget_expired(m, now_us);
    if (now_us < m->next_us)
        return 0;
    if (m->step == MAPPER_REST)
        begin_round(m, now_us);
    else if (m->tries == MAPPER_TRIES)
        give_up(m, "does not answer", now_us);
    if (m->step == MAPPER_REST)
        return 0;
    m->next_us = now_us + (m->releasing ? MAPPER_RELEASE_US : MAPPER_FIRST_US << m->tries);
    m->tries++;
    m->asked_us = now_us;
    if (m->step != MAPPER_ASKS_ADDRESS)
        m->held[port_of(m->step)].asked = true;
    return encode(m, out);
}

int mapper_input(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    forget_expired(m, now_us);
    m->silent = 0;
    int err =
        len && data[0] == PCP_VERSION ? take_pcp(m, data, len, now_us) : take_natpmp(m, data, len, now_us);
    if (err == ERR_FORMAT) {
        m->malformed++;
        m->garbled = true;
    }
    return err;
}

int mapper_heard(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct pcp_answer pcp;
    struct natpmp_answer natpmp;
    forget_expired(m, now_us);
    bool is_pcp = len && data[0] == PCP_VERSION;
    if (is_pcp ? pcp_answer_decode(data, len, &pcp) : natpmp_answer_decode(data, len, &natpmp)) {
        m->malformed++;
        return ERR_FORMAT;
    }
    if (!is_pcp)
        return take_announced(m, &natpmp, now_us);
    if (pcp.opcode != PCP_ANNOUNCE)
        return ERR_UNSUPPORTED;
    take_epoch(m, pcp.epoch_s, now_us);
    return 0;
}

void mapper_refused(struct mapper *m, uint64_t now_us)
{
    forget_expired(m, now_us);
    if (m->step == MAPPER_REST)
        return;
    m->silent = 0;
    if (m->releasing)
        begin_step(m, MAPPER_REST, TIME_NEVER);
    else if (mapper_holds(m))
        give_up(m, "does not answer", now_us);
    else
        end_with_nothing(m, "has neither PCP nor NAT-PMP", now_us);
}

bool mapper_holds(const struct mapper *m)
{
    return m->held[MAPPER_UDP].external.family != 0;
}

const char *mapper_protocol_name(enum mapper_protocol protocol)
{
    switch (protocol) {
    case MAPPER_PCP:
        return "PCP";
    case MAPPER_NATPMP:
        return "NAT-PMP";
    }
    return "?";
}
