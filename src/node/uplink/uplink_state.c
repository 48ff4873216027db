/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink/uplink_state.h"

#include "base/clock.h"
#include "crypto/secret.h"

#include <stdlib.h>

uint32_t uplink_random(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

void uplink_release(struct uplink *u)
{
    if (--u->handles == 0)
        free(u);
}

bool uplink_is_down(enum uplink_state state)
{
    return state != STATE_PROVING && state != STATE_UP;
}

/* Since when it is down, whatever is tried meanwhile. */
void uplink_enter(struct uplink *u, enum uplink_state state)
{
    if (!uplink_is_down(u->state) || !uplink_is_down(state))
        u->since_us = clock_monotonic_us();
    u->state = state;
}

const char *uplink_place(const struct uplink *u)
{
    return u->instance[0] ? u->instance : u->config.url;
}

/* It is for visits, and makes none. */
bool uplink_is_idle(const struct uplink *u)
{
    return uplink_place(u)[0] == '\0';
}
