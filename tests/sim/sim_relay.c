/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of a simulation that relay for their peers: what their workers would pass on. */

#include "sim_impl.h"

#include "crypto/secret.h"
#include "proto/admission/byte_rates.h"
#include "proto/relay/relay_desk.h"
#include <assert.h>

#define MBIT     1000
#define CHANNELS 4096

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

void sim_start_relaying(struct sim_node *n)
{
    const struct random_source random = {.fill = fill};
    if (!n->relays)
        return;
    int err = byte_rates_new(MBIT, MBIT, &random, &n->rates);
    const struct relay_desk_config config = {{MBIT * 125000ull, CHANNELS, random}, n->rates};
    if (!err)
        err = relay_desk_new(&config, &n->desk);
    assert(err == 0);
    (void)err;
}

void sim_stop_relaying(struct sim_node *n)
{
    relay_desk_free(n->desk);
    byte_rates_free(n->rates);
    n->desk = NULL;
    n->rates = NULL;
}

bool sim_pass_on(struct sim_node *n, const struct event *e, uint32_t channel)
{
    struct relay_train train;
    if (!n->desk || !relay_desk_has(n->desk, channel))
        return false;
    if (relay_desk_pass(n->desk, &e->from, e->data, e->len, e->len, n->sim->now_us, &train) == RELAY_PASS) {
        n->passed++;
        sim_send(n->sim, n, &n->addr, &train.to.remote, e->data, e->len);
    }
    return true;
}

bool sim_apart(const struct sim_node *a, const struct sim_node *b)
{
    return (a ? a->side : 0) != (b ? b->side : 0);
}

void sim_part(struct sim_node *n, unsigned side)
{
    n->side = side;
    sim_cut_streams_of(n);
    sim_uplink(n, false);
}

void sim_sever(struct sim_node *a, struct sim_node *b, bool on)
{
    a->sim->severed[a->number][b->number] = a->sim->severed[b->number][a->number] = on;
}
