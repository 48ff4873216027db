/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation for each server and family (reflexive.c), and what all of them say together. Control thread. */

#include "node/underlay/observers.h"

static unsigned place_of(unsigned family)
{
    return family == 6;
}

static const struct addr *first_of(unsigned family, const struct addr *list, unsigned count)
{
    static const struct addr nowhere;
    for (unsigned i = 0; i < count; i++)
        if (list[i].family == family)
            return &list[i];
    return &nowhere;
}

bool observers_set(struct observers *o, unsigned number, const struct addr *list, unsigned count)
{
    bool changed = false;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct reflexive *r = &o->list[number][place_of(family)];
        const struct addr *server = first_of(family, list, count);
        if (addr_equal(server, &r->server))
            continue;
        reflexive_restart(r, server);
        changed = true;
    }
    return changed;
}

void observers_restart(struct observers *o)
{
    struct reflexive *all = &o->list[0][0];
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++) {
        const struct addr server = all[i].server;
        reflexive_restart(&all[i], &server);
    }
}

size_t observers_request(struct observers *o, uint64_t now_us, struct addr *to, uint8_t out[STUN_MESSAGE_MAX])
{
    static const struct bucket_rate rate = {OBSERVERS_INTERVAL_US, OBSERVERS_BURST};
    struct reflexive *all = &o->list[0][0], *due = NULL;
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++)
        if (reflexive_due(&all[i], now_us) && (!due || all[i].next_us < due->next_us))
            due = &all[i];
    if (!due || !bucket_take(&o->sent, &rate, 1, now_us))
        return 0;
    *to = due->server;
    return reflexive_request(due, now_us, out);
}

/* One sees us elsewhere than before: what the others said may be as old. */
static void hurry_others(struct observers *o, const struct reflexive *who, uint64_t now_us)
{
    for (unsigned i = 0; i < OBSERVERS_MAX; i++) {
        struct reflexive *r = &o->list[i][place_of(who->server.family)];
        if (r != who)
            reflexive_hurry(r, now_us);
    }
}

int observers_answer(struct observers *o, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us)
{
    struct reflexive *all = &o->list[0][0];
    int err = ERR_UNSUPPORTED;
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++) {
        const struct addr before = all[i].mapped;
        int verdict = reflexive_answer(&all[i], from, data, len, now_us);
        if (!verdict && before.family && !addr_equal(&before, &all[i].mapped))
            hurry_others(o, &all[i], now_us);
        if (!verdict)
            return 0;
        if (verdict != ERR_UNSUPPORTED)
            err = verdict;
    }
    return err;
}

/* How many see us there. */
static unsigned votes(const struct observers *o, const struct addr *mapped)
{
    const struct reflexive *all = &o->list[0][0];
    unsigned count = 0;
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++)
        count += addr_equal(&all[i].mapped, mapped);
    return count;
}

static bool has(const struct addr *list, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_equal(&list[i], a))
            return true;
    return false;
}

/* That with most votes which is not in the list yet; without family: there is none. */
static struct addr next_seen(const struct observers *o, unsigned family, const struct addr *list,
                             unsigned count)
{
    const struct reflexive *all = &o->list[0][0];
    struct addr best = {0};
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++) {
        const struct addr *a = &all[i].mapped;
        if (a->family == family && !has(list, count, a) && (!best.family || votes(o, a) > votes(o, &best)))
            best = *a;
    }
    return best;
}

unsigned observers_seen(const struct observers *o, struct addr out[2 * OBSERVERS_SEEN_MAX])
{
    unsigned count = 0;
    for (unsigned family = 4; family <= 6; family += 2) {
        for (unsigned i = 0; i < OBSERVERS_SEEN_MAX; i++) {
            out[count] = next_seen(o, family, out, count);
            if (!out[count].family)
                break;
            count++;
        }
    }
    return count;
}

bool observers_settled(const struct observers *o, uint64_t now_us)
{
    const struct reflexive *all = &o->list[0][0];
    for (unsigned i = 0; i < 2 * OBSERVERS_MAX; i++)
        if (reflexive_waits(&all[i], now_us))
            return false;
    return true;
}

/* Keeps the newest, in their order. */
static void insert(struct nat *n, const struct nat_observation *seen)
{
    if (n->observed_count == NAT_OBSERVED_MAX && seen->at_us <= n->observed[0].at_us)
        return;
    if (n->observed_count == NAT_OBSERVED_MAX) {
        for (unsigned i = 1; i < NAT_OBSERVED_MAX; i++)
            n->observed[i - 1] = n->observed[i];
        n->observed_count--;
    }
    unsigned at = n->observed_count++;
    for (; at > 0 && n->observed[at - 1].at_us > seen->at_us; at--)
        n->observed[at] = n->observed[at - 1];
    n->observed[at] = *seen;
}

void observers_observed(const struct observers *o, unsigned family, struct nat *n)
{
    n->observed_count = 0;
    for (unsigned i = 0; i < OBSERVERS_MAX; i++) {
        const struct reflexive *r = &o->list[i][place_of(family)];
        if (r->mapped.family == family && reflexive_is_current(r))
            insert(n, &(struct nat_observation){r->server, r->mapped, r->heard_us});
    }
}
