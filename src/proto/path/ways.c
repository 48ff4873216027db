/* SPDX-License-Identifier: Apache-2.0 */
/* The value of the ways out. Pure; any thread. */

#include "proto/path/ways.h"

#include <stddef.h>

static enum way_role role_of(const struct way *way, unsigned family)
{
    return family == 4 ? way->v4 : way->v6;
}

static const struct way *find(const struct ways *w, uint32_t interface)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->list[i].interface == interface)
            return &w->list[i];
    return NULL;
}

enum way_role ways_role(const struct ways *w, uint32_t interface, unsigned family)
{
    const struct way *way = find(w, interface);
    return way ? role_of(way, family) : WAY_NONE;
}

void ways_add(struct ways *w, uint32_t interface, unsigned family, enum way_role role)
{
    struct way *way = (struct way *)find(w, interface);
    if (!way && w->count < WAYS_MAX) {
        way = &w->list[w->count++];
        *way = (struct way){.interface = interface};
    }
    if (way && family == 4)
        way->v4 = role;
    else if (way)
        way->v6 = role;
}

uint32_t ways_standby(const struct ways *w, unsigned family, unsigned number)
{
    for (unsigned i = 0; i < w->count; i++)
        if (role_of(&w->list[i], family) == WAY_STANDBY && number-- == 0)
            return w->list[i].interface;
    return 0;
}

static bool is_standby(const struct way *way, unsigned family)
{
    return (family != 6 && way->v4 == WAY_STANDBY) || (family != 4 && way->v6 == WAY_STANDBY);
}

uint32_t ways_next(const struct ways *w, unsigned family, uint32_t interface)
{
    bool behind = interface == 0;
    for (unsigned i = 0; i < w->count; i++) {
        if (behind && is_standby(&w->list[i], family))
            return w->list[i].interface;
        behind |= w->list[i].interface == interface;
    }
    return 0;
}
