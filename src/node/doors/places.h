/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How many connections there may be at once, and how many of them from where. This machine's own programs may have all places;
 * others leave some to them, and no source has more than its share. One thread. */

#include "base/addr.h"

#define PLACES_MAX    1024 /* in all */
#define PLACES_OTHERS 768  /* of them for other machines … */
#define PLACES_SOURCE 256  /* … and for one of those */

#define PLACES_NONE UINT32_MAX

struct places {
    unsigned max; /* PLACES_MAX, or fewer where fewer files may be open */
    unsigned count, others;
    struct addr sources[PLACES_MAX]; /* family 0: free */
};

/* A place for a connection from that host; PLACES_NONE: there is none for it. */
uint32_t places_take(struct places *p, const struct addr *from);

void places_leave(struct places *p, uint32_t place);
