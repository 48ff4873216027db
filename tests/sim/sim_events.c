/* SPDX-License-Identifier: Apache-2.0 */
/* What is on its way, in the order of its arrival; chance, and the hash of all that happened. */

#include "sim_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t sim_next_random(struct sim *sim)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random;
}

bool sim_chance(struct sim *sim, double p)
{
    return (double)(sim_next_random(sim) % 1000000) < p * 1000000;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

/* As FNV-1a, of eight bytes at a time. */
void sim_trace_bytes(struct sim *sim, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)bytes + i, len - i < sizeof(word) ? len - i : sizeof(word));
        sim->trace = (sim->trace ^ word) * 0x100000001b3ull;
        sim->trace ^= sim->trace >> 32;
    }
}

static void trace_event(struct sim *sim, const struct event *e)
{
    const uint64_t head[] = {e->at_us, e->kind, e->pipe, e->to_dialler, e->node, e->other, e->on, e->len};
    sim_trace_bytes(sim, head, sizeof(head));
    sim_trace_bytes(sim, e->from.ip, sizeof(e->from.ip));
    sim_trace_bytes(sim, e->to.ip, sizeof(e->to.ip));
    sim_trace_bytes(sim, e->data, e->len);
}

void sim_push(struct sim *sim, struct event e)
{
    assert(sim->event_count < EVENTS_MAX);
    e.order = sim->order++;
    trace_event(sim, &e);
    size_t at = sim->event_count++;
    while (at > 0 && before(&e, &sim->events[(at - 1) / 2])) {
        sim->events[at] = sim->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->events[at] = e;
}

struct event sim_pop(struct sim *sim)
{
    struct event top = sim->events[0], last = sim->events[--sim->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sim->event_count)
            break;
        if (child + 1 < sim->event_count && before(&sim->events[child + 1], &sim->events[child]))
            child++;
        if (!before(&sim->events[child], &last))
            break;
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return top;
}

uint8_t *sim_copy(const uint8_t *data, size_t len)
{
    uint8_t *p = reallocarray(NULL, len ? len : 1, 1); /* not what test_allocation.c lets fail */
    assert(p);
    memcpy(p, data, len);
    return p;
}

uint64_t sim_travel(struct sim *sim)
{
    return sim->weather.delay_us +
           (sim->weather.jitter_us ? sim_next_random(sim) % sim->weather.jitter_us : 0);
}
