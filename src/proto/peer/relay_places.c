/* SPDX-License-Identifier: Apache-2.0 */
/* The least round trip, with the hysteresis of paths. Pure; control thread. docs/PROTOCOL.md §17. */

#include "proto/peer/relay_places.h"

#define BETTER_US 2000u

int relay_places_find(const struct relay_places *r, const struct node_id *node)
{
    for (int i = 0; i < RELAY_NODES_MAX; i++)
        if (r->list[i].used && id_compare(&r->list[i].node, node) == 0)
            return i;
    return -1;
}

static bool is_better(uint32_t a_us, uint32_t b_us)
{
    return 4ull * a_us < 3ull * b_us && (uint64_t)a_us + BETTER_US < b_us;
}

/* Nothing has come of it, though it had its time. */
static bool is_dead(const struct relay_place *p, bool answers, uint64_t now_us)
{
    return !answers && now_us - p->since_us >= RELAY_PLACE_US;
}

int relay_places_choose(const struct relay_places *r, uint32_t rtt_us, const bool kept[RELAY_NODES_MAX],
                        const bool answers[RELAY_NODES_MAX], uint64_t now_us)
{
    int worst = -1;
    for (int i = 0; i < RELAY_NODES_MAX; i++) {
        const struct relay_place *p = &r->list[i];
        if (!p->used)
            return i;
        if (kept[i])
            continue;
        if (is_dead(p, answers[i], now_us))
            return i;
        if (worst < 0 || p->rtt_us > r->list[worst].rtt_us)
            worst = i;
    }
    return worst >= 0 && is_better(rtt_us, r->list[worst].rtt_us) ? worst : -1;
}

void relay_places_put(struct relay_places *r, int place, const struct node_id *node, uint32_t rtt_us,
                      uint64_t now_us)
{
    r->list[place] = (struct relay_place){.used = true, .node = *node, .rtt_us = rtt_us, .since_us = now_us};
}

void relay_places_clear(struct relay_places *r, int place)
{
    r->list[place] = (struct relay_place){0};
}

/* At first it may not have a session with both yet. */
static uint64_t next_wait(uint64_t before_us, bool needed)
{
    if (needed && before_us < RELAY_SEEK_US)
        return before_us ? 2 * before_us : RELAY_SEEK_FIRST_US;
    return before_us < RELAY_SEEK_US ? RELAY_SEEK_US : before_us * RELAY_SEEK_FACTOR;
}

void relay_places_sought(struct relay_places *r, bool needed, uint64_t now_us)
{
    uint64_t wait_us = next_wait(r->wait_us, needed);
    r->wait_us = wait_us < RELAY_SEEK_MAX_US ? wait_us : RELAY_SEEK_MAX_US;
    r->seek_us = now_us + r->wait_us;
    r->sought_us = now_us;
}

bool relay_places_expects(const struct relay_places *r, uint64_t now_us)
{
    return r->sought_us && now_us - r->sought_us < RELAY_FOUND_US;
}

void relay_places_put_off(struct relay_places *r, uint64_t at_us)
{
    r->seek_us = at_us;
}

void relay_places_seek_by(struct relay_places *r, uint64_t at_us)
{
    r->seek_us = r->seek_us < at_us ? r->seek_us : at_us;
}

void relay_places_seek_anew(struct relay_places *r)
{
    r->seek_us = r->wait_us = 0;
}
