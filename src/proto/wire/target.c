/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a target. Pure; any thread. */

#include "proto/wire/target.h"

#include <stdio.h>

struct target target_tcp(const struct addr *control)
{
    return (struct target){.kind = TARGET_TCP, .addr = *control};
}

struct target target_uplink(unsigned backbone, const struct node_id *id)
{
    return (struct target){.kind = TARGET_UPLINK, .backbone = (uint8_t)backbone, .id = *id};
}

struct target target_session(const struct node_id *id)
{
    return (struct target){.kind = TARGET_SESSION, .id = *id};
}

bool target_same(const struct target *a, const struct target *b)
{
    return a->kind == b->kind && addr_equal(&a->addr, &b->addr) && a->backbone == b->backbone &&
           id_compare(&a->id, &b->id) == 0;
}

char *target_format(const struct target *t, char out[TARGET_TEXT_MAX])
{
    switch (t->kind) {
    case TARGET_TCP:
        return addr_format(&t->addr, out);
    case TARGET_UPLINK:
        if (t->backbone == 0)
            snprintf(out, TARGET_TEXT_MAX, "the backbone");
        else
            snprintf(out, TARGET_TEXT_MAX, "backbone %u", t->backbone + 1u);
        return out;
    case TARGET_SESSION:
        snprintf(out, TARGET_TEXT_MAX, "the session");
        return out;
    }
    out[0] = '\0';
    return out;
}

bool target_is_host(const struct target *t)
{
    switch (t->kind) {
    case TARGET_TCP:
        return true;
    case TARGET_UPLINK:
    case TARGET_SESSION:
        return false;
    }
    return false;
}
