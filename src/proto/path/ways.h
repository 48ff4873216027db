/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The ways out of this machine: interfaces with a default route. The kernel chooses one of them for all that is sent; the
 * others are standbys, which nothing takes unless it asks for the interface. A value, and pure. docs/PROTOCOL.md §9. */

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

#define WAYS_MAX     4 /* the kernel's choice … */
#define STANDBYS_MAX 3 /* … and these, of each family */

enum way_role {
    WAY_NONE,   /* no default route of that family */
    WAY_CHOSEN, /* the kernel's choice */
    WAY_STANDBY,
};

struct way {
    uint32_t interface;
    enum way_role v4, v6;
};

struct ways {
    unsigned count;
    struct way list[WAYS_MAX];
};

/* What the interface is for addresses of that family. */
enum way_role ways_role(const struct ways *w, uint32_t interface, unsigned family);

/* Notes a role; what there is no room for is no way. */
void ways_add(struct ways *w, uint32_t interface, unsigned family, enum way_role role);

/* The interface of the standby with that number, from 0; 0: there are no more. */
uint32_t ways_standby(const struct ways *w, unsigned family, unsigned number);

/* The standby for addresses of that family (0: of either) behind that interface; behind 0, the kernel's choice, the first. 0:
 * there are no more. */
uint32_t ways_next(const struct ways *w, unsigned family, uint32_t interface);
