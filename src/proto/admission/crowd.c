/* SPDX-License-Identifier: Apache-2.0 */
/* Places and who has to make room. A choice looks at each place once per level; docs/PROTOCOL.md §6. */

#include "proto/admission/crowd.h"

#include "proto/admission/prefix.h"
#include <stdlib.h>

struct place {
    struct prefix prefixes[PREFIX_LEVELS];
    uint64_t since_us;
    unsigned next_free;
    bool held, favoured;
};

/* How many of the places looked at lie in a prefix. */
struct tally {
    const struct prefix *prefix;
    unsigned count;
};

struct crowd {
    unsigned places, per_source, held;
    unsigned first_free; /* = places: none */
    uint64_t seed[2];
    unsigned tally_mask;
    struct tally *tallies;
    struct place all[];
};

int crowd_new(unsigned places, unsigned per_source, const struct random_source *random, struct crowd **out)
{
    struct crowd *c = calloc(1, sizeof(*c) + places * sizeof(*c->all));
    unsigned tallies = 2;
    while (tallies < 2 * places)
        tallies *= 2;
    if (!c || !(c->tallies = calloc(tallies, sizeof(*c->tallies)))) {
        free(c);
        return ERR_NOMEM;
    }
    c->places = places;
    c->per_source = per_source;
    c->tally_mask = tallies - 1;
    for (unsigned i = 0; i < places; i++)
        c->all[i].next_free = i + 1;
    random_fill(random, c->seed, sizeof(c->seed));
    *out = c;
    return 0;
}

void crowd_free(struct crowd *c)
{
    if (!c)
        return;
    free(c->tallies);
    free(c);
}

bool crowd_held(const struct crowd *c, unsigned place)
{
    return c->all[place].held;
}

/* Whether a place takes part in a choice: held, in the neighbourhood `within` when there is one, and among the
 * favoured or not. */
static bool counts(const struct place *p, const struct prefix *within, bool favoured)
{
    return p->held && (favoured || !p->favoured) &&
           (!within || prefix_equal(&p->prefixes[within->level], within));
}

static struct tally *tally_of(struct crowd *c, const struct prefix *prefix)
{
    unsigned at = (unsigned)prefix_hash(prefix, c->seed) & c->tally_mask;
    while (c->tallies[at].prefix && !prefix_equal(c->tallies[at].prefix, prefix))
        at = (at + 1) & c->tally_mask;
    return &c->tallies[at];
}

/* The prefix of that level that most of the places have; NULL when no place counts. */
static const struct prefix *most_crowded(struct crowd *c, const struct prefix *within, unsigned level,
                                         bool favoured)
{
    const struct tally *most = NULL;
    for (unsigned i = 0; i <= c->tally_mask; i++)
        c->tallies[i] = (struct tally){0};
    for (struct place *p = c->all; p < c->all + c->places; p++) {
        if (!counts(p, within, favoured))
            continue;
        struct tally *t = tally_of(c, &p->prefixes[level]);
        t->prefix = &p->prefixes[level];
        t->count++;
        if (!most || t->count > most->count)
            most = t;
    }
    return most ? most->prefix : NULL;
}

/* When all prefixes have the same share none of them is the most crowded, and age alone decides. */
static bool is_even(const struct crowd *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i <= c->tally_mask; i++) {
        if (count && c->tallies[i].count && c->tallies[i].count != count)
            return false;
        if (c->tallies[i].count)
            count = c->tallies[i].count;
    }
    return true;
}

static unsigned oldest_within(const struct crowd *c, const struct prefix *within, bool favoured)
{
    unsigned oldest = c->places;
    for (unsigned i = 0; i < c->places; i++)
        if (counts(&c->all[i], within, favoured) &&
            (oldest == c->places || c->all[i].since_us < c->all[oldest].since_us))
            oldest = i;
    return oldest;
}

/* From the wide prefix to the narrow one. Returns places when nobody counts. */
static unsigned choose(struct crowd *c, const struct prefix *within, bool favoured)
{
    unsigned level = within ? within->level : PREFIX_LEVELS;
    while (level-- > 0) {
        const struct prefix *most = most_crowded(c, within, level, favoured);
        if (!is_even(c))
            within = most;
    }
    return oldest_within(c, within, favoured);
}

/* The widest of a newcomer's neighbourhoods that is full; NULL when none is. */
static const struct prefix *full_neighbourhood(const struct crowd *c, const struct prefix *own)
{
    unsigned most = c->per_source, count[PREFIX_LEVELS] = {0};
    const struct prefix *full = NULL;
    for (const struct place *p = c->all; p < c->all + c->places; p++)
        for (unsigned i = 0; i < PREFIX_LEVELS && p->held; i++)
            count[i] += prefix_equal(&p->prefixes[i], &own[i]);
    for (unsigned i = 0; i < PREFIX_LEVELS; i++, most *= PREFIX_WIDER)
        if (count[i] >= most)
            full = &own[i];
    return full;
}

static void set_prefixes(struct prefix out[PREFIX_LEVELS], const struct addr *source)
{
    for (unsigned i = 0; i < PREFIX_LEVELS; i++)
        out[i] = prefix_of(source, i);
}

bool crowd_full(const struct crowd *c, const struct addr *source)
{
    struct prefix own[PREFIX_LEVELS];
    set_prefixes(own, source);
    return full_neighbourhood(c, own);
}

unsigned crowd_place(struct crowd *c, const struct addr *source)
{
    struct prefix own[PREFIX_LEVELS];
    set_prefixes(own, source);
    const struct prefix *full = full_neighbourhood(c, own);
    if (!full && c->first_free < c->places)
        return c->first_free;
    unsigned place = choose(c, full, false);
    return place < c->places ? place : choose(c, full, true);
}

void crowd_enter(struct crowd *c, unsigned place, const struct addr *source, bool favoured, uint64_t now_us)
{
    struct place *p = &c->all[place];
    unsigned *at = &c->first_free;
    while (*at != place)
        at = &c->all[*at].next_free;
    *at = p->next_free;
    c->held++;
    *p = (struct place){.since_us = now_us, .held = true, .favoured = favoured};
    set_prefixes(p->prefixes, source);
}

void crowd_renew(struct crowd *c, unsigned place, uint64_t now_us)
{
    c->all[place].since_us = now_us;
}

void crowd_leave(struct crowd *c, unsigned place)
{
    c->all[place].held = false;
    c->held--;
    c->all[place].next_free = c->first_free;
    c->first_free = place;
}

int crowd_oldest(const struct crowd *c)
{
    return c->held ? (int)oldest_within(c, NULL, true) : -1;
}

uint64_t crowd_since(const struct crowd *c, unsigned place)
{
    return c->all[place].since_us;
}
