/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a target. Pure; any thread. */

#include "proto/wire/target.h"

struct target target_tcp(const struct addr *control)
{
    return (struct target){TARGET_TCP, *control};
}

bool target_same(const struct target *a, const struct target *b)
{
    return a->kind == b->kind && addr_equal(&a->addr, &b->addr);
}

char *target_format(const struct target *t, char out[TARGET_TEXT_MAX])
{
    return addr_format(&t->addr, out);
}

bool target_is_host(const struct target *t)
{
    switch (t->kind) {
    case TARGET_TCP:
        return true;
    }
    return false;
}
