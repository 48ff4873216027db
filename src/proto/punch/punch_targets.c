/* SPDX-License-Identifier: Apache-2.0 */
/* Two NATs that number in sequence meet where both ends send to each other's next ports in the same order: so those come
 * first. docs/PROTOCOL.md §19. Control thread. */

#include "proto/punch/punch_targets.h"

#include <stdlib.h>

#define PORT_LEAST 1024 /* below: ports of services, which no NAT gives to a mapping */

static void add(struct punch_offer *out, const struct candidate *c)
{
    if (out->candidates.count < PUNCH_ADDRESSES_MAX)
        out->candidates.list[out->candidates.count++] = (struct candidate){.kind = c->kind, .addr = c->addr};
}

static void add_kind(struct punch_offer *out, const struct candidate *ours, unsigned count, bool reflexive,
                     const struct addr *host, bool at_host)
{
    for (unsigned i = 0; i < count; i++)
        if ((ours[i].kind == CANDIDATE_REFLEXIVE) == reflexive && addr_is_routable(&ours[i].addr) &&
            (reflexive || !addr_is_private(&ours[i].addr)) && addr_same_host(&ours[i].addr, host) == at_host)
            add(out, &ours[i]);
}

/* Behind the last mapping that we saw, or before it where the numbers fall. */
static void foresee(const struct punch_seen *seen, struct punch_offer *out)
{
    int32_t first = seen->step > 0 ? seen->last.port + 1 : seen->last.port - PUNCH_PORTS_MAX;
    bool is_sequence =
        seen->ports == NAT_PORTS_SEQUENTIAL && seen->step != 0 && abs(seen->step) <= NAT_SEQUENTIAL_MAX;
    bool at_host = out->candidates.count && addr_same_host(&out->candidates.list[0].addr, &seen->last);
    if (!is_sequence || !at_host || first < PORT_LEAST || first + PUNCH_PORTS_MAX > UINT16_MAX)
        return;
    out->first = (uint16_t)first;
    out->count = PUNCH_PORTS_MAX;
}

void punch_offer_make(const struct punch *p, const struct candidate *ours, unsigned count,
                      struct punch_offer *out)
{
    const struct candidate fresh = {.kind = CANDIDATE_REFLEXIVE, .addr = p->seen.fresh};
    *out = (struct punch_offer){.round = p->round, .answer = !p->asker, .ports = (uint8_t)p->seen.ports};
    if (p->fresh)
        add(out, &fresh);
    add_kind(out, ours, count, true, &p->seen.last, true);
    add_kind(out, ours, count, true, &p->seen.last, false);
    add_kind(out, ours, count, false, &p->seen.last, true);
    add_kind(out, ours, count, false, &p->seen.last, false);
    foresee(&p->seen, out);
}

unsigned punch_targets(const struct punch *p, struct addr out[PUNCH_TARGETS_MAX], unsigned *guessed)
{
    unsigned count = 0;
    if (p->theirs.count)
        for (; count < p->theirs.ports_count; count++) {
            out[count] = p->theirs.list[0];
            out[count].port = (uint16_t)(p->theirs.first + count);
        }
    *guessed = count;
    for (unsigned i = 0; i < p->theirs.count; i++)
        out[count++] = p->theirs.list[i];
    return count;
}
