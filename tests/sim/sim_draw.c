/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of simulated nodes beside that of their port: many that wait for a probe, and those that were met. */

#include "sim_impl.h"

#include "base/clock.h"
#include "nat.h"
#include "proto/punch/birthday.h"

static bool is_drawn(const struct sim_node *n, uint16_t port)
{
    return n->sim->now_us < n->drawn.until_us && port >= n->drawn.first &&
           port < n->drawn.first + BIRTHDAY_SOCKETS;
}

void sim_draw(struct sim_node *n, const struct mesh_output *o)
{
    n->draws++;
    n->drawn.slot = o->slot;
    n->drawn.first = n->fresh = (uint16_t)(n->fresh + BIRTHDAY_SOCKETS);
    n->drawn.until_us = n->sim->now_us + BIRTHDAY_OPEN_US;
    for (uint16_t i = 0; i < BIRTHDAY_SOCKETS; i++)
        sim_leave_by(n, (uint16_t)(n->drawn.first + i), &o->endpoint.remote, o->hops, o->payload, o->len);
    n->fresh = (uint16_t)(n->fresh + BIRTHDAY_SOCKETS);
}

void sim_close_side(struct sim_node *n, unsigned side)
{
    n->sides[side] = 0;
}

uint16_t sim_side_port(const struct sim_node *n, unsigned side)
{
    return side ? n->sides[side] : n->addr.port;
}

unsigned sim_side_at(const struct sim_node *n, uint16_t port)
{
    for (unsigned side = 1; side <= SIDES_MAX; side++)
        if (n->sides[side] == port)
            return side;
    return 0;
}

void sim_on_sight(struct sim_node *n, uint32_t slot, const struct sim_sight *sight)
{
    struct punch_seen seen = sight->seen;
    seen.side = sight->port ? (uint8_t)sim_side_at(n, 0) : 0;
    if (mesh_on_seen(n->mesh, slot, &seen, n->sim->now_us))
        n->sides[seen.side] = sight->port;
    sim_do_outputs(n);
}

bool sim_meet(struct sim_node *n, const struct endpoint *from, uint16_t port, uint8_t *data, size_t len)
{
    struct endpoint at = *from;
    if (port == n->addr.port || sim_side_at(n, port))
        return false;
    at.side = (uint8_t)sim_side_at(n, 0);
    if (is_drawn(n, port) && at.side &&
        mesh_on_drawn(n->mesh, n->drawn.slot, &at, data, len, n->sim->now_us)) {
        n->sides[at.side] = port;
        n->drawn.until_us = 0;
        n->met++;
    }
    return true;
}
