/* SPDX-License-Identifier: Apache-2.0 */
/* Two crowds (proto/admission/crowd.h): who only connects costs proven nodes nothing. */

#include "backbone/uplink_places.h"

#include "backbone/uplink.h"
#include "proto/admission/crowd.h"
#include <stdlib.h>

struct uplink_places {
    struct crowd *crowds[2]; /* by whether they are proven */
    struct uplink **holders[2];
};

int uplink_places_new(unsigned max, const struct random_source *random, struct uplink_places **out)
{
    const unsigned counts[2] = {UPLINK_PROVING_MAX, max};
    struct uplink_places *p = calloc(1, sizeof(*p));
    int err = p ? 0 : ERR_NOMEM;
    for (int i = 0; i < 2 && !err; i++) {
        p->holders[i] = calloc(counts[i], sizeof(*p->holders[i]));
        err = p->holders[i] ? crowd_new(counts[i], UPLINK_PER_SOURCE_MAX, random, &p->crowds[i]) : ERR_NOMEM;
    }
    if (err) {
        uplink_places_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void uplink_places_free(struct uplink_places *p)
{
    if (!p)
        return;
    for (int i = 0; i < 2; i++) {
        crowd_free(p->crowds[i]);
        free(p->holders[i]);
    }
    free(p);
}

int uplink_places_enter(struct uplink_places *p, struct uplink *u, bool proven, uint64_t now_us,
                        struct uplink **pushed)
{
    struct crowd *crowd = p->crowds[proven];
    *pushed = NULL;
    if (proven && crowd_full(crowd, &u->source))
        return ERR_SPACE;
    unsigned number = crowd_place(crowd, &u->source);
    if (crowd_held(crowd, number)) {
        *pushed = p->holders[proven][number];
        uplink_places_leave(p, *pushed);
    }
    crowd_enter(crowd, number, &u->source, false, now_us);
    p->holders[proven][number] = u;
    u->place = (struct uplink_place){.held = true, .proven = proven, .number = number};
    return 0;
}

void uplink_places_leave(struct uplink_places *p, struct uplink *u)
{
    if (u->place.held)
        crowd_leave(p->crowds[u->place.proven], u->place.number);
    u->place = (struct uplink_place){0};
}
