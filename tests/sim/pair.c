/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FRAME_LEN 100
#define TICK_US   10000ull

void pair_exchange(void *context)
{
    struct pair *p = context;
    sim_send_frame(p->a, p->b, FRAME_LEN);
    sim_send_frame(p->b, p->a, FRAME_LEN);
    uint64_t a_us = sim_now(p->sim) - p->a->last_frame_us, b_us = sim_now(p->sim) - p->b->last_frame_us;
    uint64_t most = a_us > b_us ? a_us : b_us;
    p->silent_us = most > p->silent_us ? most : p->silent_us;
}

enum carrier pair_carrier(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    return sim_peer(n, other, &peer) && peer.state == MESH_PEER_CONNECTED ? peer.path.endpoint.carrier
                                                                          : CARRIER_NONE;
}

bool pair_both_by(const struct pair *p, enum carrier carrier)
{
    return pair_carrier(p->a, p->b) == carrier && pair_carrier(p->b, p->a) == carrier;
}

uint64_t pair_time_to(struct pair *p, enum carrier carrier, uint64_t most_us)
{
    uint64_t begin = sim_now(p->sim);
    while (!pair_both_by(p, carrier) && sim_now(p->sim) - begin < most_us)
        sim_run(p->sim, TICK_US, pair_exchange, p);
    assert_true(pair_both_by(p, carrier));
    return sim_now(p->sim) - begin;
}
