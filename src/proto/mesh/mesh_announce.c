/* SPDX-License-Identifier: Apache-2.0 */
/* Our own candidates, told to every peer that is connected: in rounds, of which each turn of the loop does a part, so that
 * events get theirs. docs/PROTOCOL.md §10. Control thread. */

#include "proto/mesh/mesh_announce.h"

#include "base/clock.h"
#include "proto/mesh/mesh_news.h"
#include "proto/mesh/mesh_scope.h"
#include "proto/mesh/mesh_state.h"
#include <string.h>

#define ROUND_US   2000000ull /* from the end of a round to the next one */
#define REPEATS    2        /* rounds for those whom nothing carries it to but datagrams, which may be lost */
#define PART_SLOTS 32       /* looked at in one turn … */
#define PART_US    10000ull /* … and the next ones no sooner: all of MESH_PEERS_MAX in 1.3 s */

static bool same_candidates(const struct mesh *m, const struct candidate *list, unsigned count)
{
    if (count != m->candidate_count)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!addr_equal(&list[i].addr, &m->candidates[i].addr) || list[i].kind != m->candidates[i].kind)
            return false;
    return true;
}

/* True when the peer was told. */
static bool tell(struct mesh *m, const struct peer *p, const struct message *news)
{
    struct link *l = p ? p->current : NULL;
    if (!l || link_state(l) != LINK_STATE_LIVE || (m->announce.repeats && link_has_stream(l)))
        return false;
    mesh_tell(m, l, news);
    return true;
}

static struct message news_of(const struct mesh *m)
{
    struct message news = {.type = MESSAGE_CANDIDATES};
    news.candidates.count = m->candidate_count;
    memcpy(news.candidates.list, m->candidates, sizeof(m->candidates));
    return news;
}

static void tell_some(struct mesh *m)
{
    const struct message news = news_of(m);
    unsigned end = m->announce.slot + PART_SLOTS;
    for (; m->announce.slot < end && m->announce.slot < m->slot_end; m->announce.slot++)
        m->announce.told |= tell(m, m->peers[m->announce.slot], &news);
}

/* A round in which nobody was there to be told puts off no other. */
static void end_round(struct mesh *m, uint64_t now_us)
{
    m->announce.running = false;
    m->announce.at_us = m->announce.told ? now_us + ROUND_US : now_us;
    if (!m->announce.changed && m->announce.told && m->announce.repeats < REPEATS)
        m->announce.repeats++;
    else
        m->announce.repeats = 0;
}

void mesh_announce(struct mesh *m, uint64_t now_us)
{
    if (now_us < mesh_announcement_due(m))
        return;
    if (!m->announce.running) {
        if (m->announce.changed)
            m->announce.repeats = 0;
        m->announce.running = true;
        m->announce.changed = m->announce.told = false;
        m->announce.slot = 0;
    }
    tell_some(m);
    m->announce.at_us = now_us + PART_US;
    if (m->announce.slot >= m->slot_end)
        end_round(m, now_us);
}

uint64_t mesh_announcement_due(const struct mesh *m)
{
    return m->announce.running || m->announce.changed || m->announce.repeats ? m->announce.at_us : TIME_NEVER;
}

void mesh_announce_to(struct mesh *m, const struct peer *p)
{
    const struct hello *told = link_ours(p->current);
    if (same_candidates(m, told->candidates.list, told->candidates.count))
        return;
    const struct message news = news_of(m);
    (void)tell(m, p, &news);
}

void mesh_set_candidates(struct mesh *m, const struct candidate *list, unsigned count, uint64_t now_us)
{
    if (count > CANDIDATES_MAX)
        count = CANDIDATES_MAX;
    if (same_candidates(m, list, count))
        return;
    memcpy(m->candidates, list, count * sizeof(*list));
    m->candidate_count = count;
    m->announce.changed = true;
    for (unsigned i = 0; i < m->slot_end; i++)
        if (m->peers[i])
            mesh_look_at_held_back(m, m->peers[i], now_us);
    mesh_announce(m, now_us);
}
