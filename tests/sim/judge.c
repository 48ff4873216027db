/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "base/clock.h"
#include "possible.h"
#include "promises.h"
#include "proto/mesh/mesh_state.h"
#include "proto/punch/birthday.h"
#include "proto/punch/punch.h"
#include "sim_impl.h"

#define DARK_US    (10 * USEC_PER_SEC)
#define CROOKED_US (15 * USEC_PER_SEC)
/* What failed and answers again has to do so for 10 s, after up to 8 s until it is tried (docs/PROTOCOL.md §9); of rounds there may
 * be one in 22 s alone (§19), and one may be lost; and where many datagrams
 * happened to be lost it is left for 30 s. */
#define RETURN_US      (62 * USEC_PER_SEC)
#define FLOWS_US       (USEC_PER_SEC * 3 / 2) /* some frames in a row may be lost */
#define TICKS_MOST     2000                   /* of a node in a second */
#define OUTPUTS        4096                   /* that ever wait at once */
#define PROMISES       128                    /* for each peer */
#define TRIES_AT_ONCE  48                     /* docs/PROTOCOL.md §9 */
#define TRIES_A_SECOND 10
#define SILENT_MOST    52 /* to an address, once it is silent for SIM_SILENT_US; rounds of punching are of it */
#define END_US         (20 * USEC_PER_SEC)

void judge_begin(struct judge *j, struct world *w)
{
    *j = (struct judge){.world = w};
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++)
            j->open_us[a][b] = j->straight_us[a][b] = sim_now(w->sim);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- pairs ---- */

static bool flows(const struct judge *j, unsigned from, unsigned to)
{
    return j->world->nodes[to]->heard_us[from] + FLOWS_US > sim_now(j->world->sim);
}

static bool flows_straight(const struct judge *j, unsigned from, unsigned to)
{
    return j->world->nodes[to]->straight_us[from] + FLOWS_US > sim_now(j->world->sim);
}

/* A straight path that serves needs no backbone. */
static bool can_flow(struct judge *j, unsigned a, unsigned b)
{
    const struct world *w = j->world;
    uint64_t disturbed_us = later(w->disturbed_us[a], w->disturbed_us[b]);
    bool whole = w->nodes[a]->straight_us[b] > disturbed_us && w->nodes[b]->straight_us[a] > disturbed_us;
    bool alive = w->nodes[a]->mesh && w->nodes[b]->mesh && !w->storm;
    j->held[a][b] = alive && whole && (j->held[a][b] || (flows_straight(j, a, b) && flows_straight(j, b, a)));
    return possible_at_all(w, a, b) || j->held[a][b];
}

static void judge_frames(struct judge *j, unsigned a, unsigned b)
{
    const struct world *w = j->world;
    uint64_t now_us = sim_now(w->sim), disturbed_us = later(w->disturbed_us[a], w->disturbed_us[b]);
    j->open_us[a][b] =
        can_flow(j, a, b) && world_talks(w, a, b) ? later(j->open_us[a][b], disturbed_us) : now_us;
    uint64_t since_us = later(j->open_us[a][b], w->nodes[b]->heard_us[a]);
    j->worst_dark_us = later(j->worst_dark_us, now_us - since_us);
    if (now_us - since_us > DARK_US)
        sim_fail(w->sim, "node %u gets nothing from node %u for %.1f s, though it is possible", b, a,
                 (double)(now_us - since_us) / 1e6);
}

/* Until something happens to one of them, what they have is their first. */
static bool is_first(const struct world *w, unsigned a, unsigned b)
{
    return w->nodes[b]->straight_us[a] == 0 && !w->begin_us;
}

static void judge_way(struct judge *j, unsigned a, unsigned b)
{
    const struct world *w = j->world;
    uint64_t now_us = sim_now(w->sim), disturbed_us = later(w->disturbed_us[a], w->disturbed_us[b]);
    bool can = possible_straight(w, a, b) && world_talks(w, a, b) && flows(j, a, b);
    j->straight_us[a][b] = can ? later(j->straight_us[a][b], disturbed_us) : now_us;
    uint64_t since_us = later(j->straight_us[a][b], w->nodes[b]->straight_us[a]);
    j->worst_crooked_us = later(j->worst_crooked_us, now_us - since_us);
    if (now_us - since_us > (is_first(w, a, b) ? CROOKED_US : RETURN_US))
        sim_fail(w->sim, "nothing from node %u comes straight to node %u for %.1f s, though it is possible",
                 a, b, (double)(now_us - since_us) / 1e6);
}

bool judge_is_content(const struct judge *j)
{
    const struct world *w = j->world;
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++) {
            if (!world_talks(w, a, b))
                continue;
            if ((possible_at_all(w, a, b) && !flows(j, a, b)) ||
                (possible_straight(w, a, b) && !flows_straight(j, a, b)))
                return false;
        }
    return true;
}

/* ---- nodes ---- */

/* What may go to addresses that never answer, docs/PROTOCOL.md §9 and §19: of each peer, tries, rounds and sockets of birthdays; of
 * all, the ports of birthdays. */
static uint64_t vain_most(const struct world *w, unsigned node)
{
    uint64_t us = sim_now(w->sim) - SIM_BEGIN_US + USEC_PER_SEC, peers = 0;
    for (unsigned i = 0; i < w->count; i++)
        peers += w->wants[node][i] || w->wants[i][node];
    uint64_t tries = TRIES_AT_ONCE + TRIES_A_SECOND * us / USEC_PER_SEC,
             rounds = PUNCH_ROUNDS + us / PUNCH_BUDGET_US;
    uint64_t births = 1 + us / BIRTHDAY_MOVED_US, turns = BIRTHDAY_TURNS + us / BIRTHDAY_TURN_US;
    return peers * (tries + rounds * PUNCH_SENT_MAX + births * BIRTHDAY_SOCKETS) + turns * BIRTHDAY_PROBES;
}

/* Of each liar: as many tries of what it names as of any candidates. */
static void judge_victims(const struct world *w, unsigned node)
{
    uint64_t us = sim_now(w->sim) - w->lied_us, liars = 0;
    for (unsigned i = 0; i < w->count; i++)
        liars += w->lies[i] && (w->wants[node][i] || w->wants[i][node]);
    uint64_t sent = sim_sent_near(w->nodes[node], &world_nobody);
    if (w->lied_us && sent > liars * (TRIES_AT_ONCE + TRIES_A_SECOND * (us / USEC_PER_SEC + 1)))
        sim_fail(w->sim, "node %u sent %llu datagrams to whom a liar named", node, (unsigned long long)sent);
}

/* A path that failed is tried now and then, and one that nobody announces is forgotten. */
static void judge_silence(const struct world *w, unsigned node)
{
    uint64_t sent = sim_sent_in_silence(w->nodes[node]);
    if (sent > SILENT_MOST)
        sim_fail(w->sim, "node %u goes on asking at an address that is silent: %llu times", node,
                 (unsigned long long)sent);
}

/* Each round opens once for each address; the budget of rounds is that of docs/PROTOCOL.md §19. */
static void judge_rounds(const struct world *w, unsigned node)
{
    uint64_t since_us, most = sim_opened_most(w->nodes[node], &since_us);
    if (most > PUNCH_ROUNDS + (sim_now(w->sim) - since_us) / PUNCH_BUDGET_US)
        sim_fail(w->sim, "node %u opened for one address %llu times in %.1f s", node,
                 (unsigned long long)most, (double)(sim_now(w->sim) - since_us) / 1e6);
}

/* What nobody sends: a peer that means well never asks too much, nor says what cannot be read. */
static void judge_drops(const struct world *w, unsigned node)
{
    static const enum drop never[] = {DROP_SHORT,  DROP_TYPE,        DROP_RESERVED, DROP_LANE,
                                      DROP_AUTH,   DROP_INNER,       DROP_FRAGMENT, DROP_FRAGMENT_SPACE,
                                      DROP_CIRCLE, DROP_CONTROL_RATE};
    bool lies = false;
    for (unsigned i = 0; i < w->count; i++)
        lies |= w->lies[i];
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        if (w->nodes[node]->drops[never[i]] && !(lies && never[i] == DROP_CONTROL_RATE))
            sim_fail(w->sim, "node %u dropped %llu: %s", node,
                     (unsigned long long)w->nodes[node]->drops[never[i]], drop_name(never[i]));
}

static void judge_bounds(struct judge *j, unsigned node)
{
    const struct world *w = j->world;
    const struct sim_node *n = w->nodes[node];
    uint64_t vain = sim_sent_in_vain(n);
    if (n->ticks - j->ticks[node] > TICKS_MOST)
        sim_fail(w->sim, "node %u had %llu deadlines in a second", node,
                 (unsigned long long)(n->ticks - j->ticks[node]));
    j->ticks[node] = n->ticks;
    if (vain > vain_most(w, node))
        sim_fail(w->sim, "node %u sent %llu datagrams to addresses that never answered", node,
                 (unsigned long long)vain);
    if (n->mesh && n->mesh->outputs.cap > OUTPUTS)
        sim_fail(w->sim, "node %u had room for %zu outputs", node, n->mesh->outputs.cap);
    if (n->mesh && promises(n->mesh) > PROMISES * WORLD_NODES_MAX)
        sim_fail(w->sim, "node %u promised %zu outputs", node, promises(n->mesh));
}

void judge_look(struct judge *j)
{
    struct world *w = j->world;
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++)
            if (w->wants[a][b] || w->wants[b][a]) {
                judge_frames(j, a, b);
                judge_way(j, a, b);
            }
    if (sim_now(w->sim) - j->second_us < USEC_PER_SEC)
        return;
    j->second_us = sim_now(w->sim);
    for (unsigned i = 0; i < w->count; i++) {
        judge_drops(w, i);
        judge_silence(w, i);
        judge_bounds(j, i);
        judge_victims(w, i);
        judge_rounds(w, i);
    }
}

/* ---- the end ---- */

static void count_pairs(struct judge *j)
{
    const struct world *w = j->world;
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++)
            if (world_talks(w, a, b) && possible_straight(w, a, b)) {
                j->pairs++;
                j->straight += flows_straight(j, a, b);
            }
}

void judge_end(struct judge *j)
{
    struct world *w = j->world;
    count_pairs(j);
    for (unsigned i = 0; i < w->count; i++) {
        if (w->nodes[i]->mesh)
            sim_stop(w->nodes[i]);
    }
    sim_run(w->sim, END_US, NULL, NULL);
    if (w->sim->event_count)
        sim_fail(w->sim, "%zu events are left after the end", w->sim->event_count);
}
