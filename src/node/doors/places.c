/* SPDX-License-Identifier: Apache-2.0 */
/* A look at 1,024 places for each connection that is made, which costs less than making it. */
#include "node/doors/places.h"

static unsigned count_of(const struct places *p, const struct addr *from)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->max; i++)
        count += p->sources[i].family && addr_same_host(&p->sources[i], from);
    return count;
}

uint32_t places_take(struct places *p, const struct addr *from)
{
    uint32_t i = 0;
    bool other = !addr_is_loopback(from);
    if (p->count >= p->max || (other && (p->others >= PLACES_OTHERS || count_of(p, from) >= PLACES_SOURCE)))
        return PLACES_NONE;
    while (p->sources[i].family)
        i++;
    p->sources[i] = *from;
    p->count++;
    p->others += other;
    return i;
}

void places_leave(struct places *p, uint32_t place)
{
    p->others -= !addr_is_loopback(&p->sources[place]);
    p->count--;
    p->sources[place].family = 0;
}
