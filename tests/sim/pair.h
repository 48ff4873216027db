/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Two nodes, what carries between them, and for how long nothing did. */

#include "sim.h"

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
    uint64_t silent_us; /* the longest time without a frame at either */
};

/* A frame each way: for sim_run; context is the pair. */
void pair_exchange(void *context);

/* What n sends to other by; CARRIER_NONE while they are not connected. */
enum carrier pair_carrier(const struct sim_node *n, const struct sim_node *other);

/* Whether both are connected and send by carrier. */
bool pair_both_by(const struct pair *p, enum carrier carrier);

/* Exchanges frames until both send by carrier, and fails after most_us. Returns how long it took. */
uint64_t pair_time_to(struct pair *p, enum carrier carrier, uint64_t most_us);
