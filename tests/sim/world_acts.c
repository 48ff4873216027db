/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a world. Each act is a row; one that lasts is ended by another. One that cannot happen to its node any more,
 * such as a move of one that is stopped, does nothing. */

#include "world.h"

#include "base/clock.h"
#include "nat.h"
#include "nat_kinds.h"
#include <assert.h>
#include <stdio.h>

#define GAP_MAX_US (8 * USEC_PER_SEC)
#define LIE_US     250000ull

enum {
    ACT_ROAM,
    ACT_KILL,
    ACT_RESTART,
    ACT_PART,
    ACT_HEAL,
    ACT_RELAY,
    ACT_BACKBONE_GONE,
    ACT_BACKBONE_BACK,
    ACT_NAT,
    ACT_SLEEP,
    ACT_WAKE,
    ACT_STORM,
    ACT_CALM,
    ACT_HUSH,
    ACT_TALK,
    ACT_LIE,
    ACT_UPLINK,
    ACT_SEVER,
    ACT_MEND,
};

static bool is_awake(const struct sim_node *n)
{
    return n->mesh && !n->asleep;
}

static void disturb_all(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        world_disturb(w, i);
}

static void roam(struct world *w, const struct act *a)
{
    struct sim_node *n = w->nodes[a->node];
    if (!is_awake(n))
        return;
    unsigned kind = (unsigned)(a->random % (NAT_KINDS + 4));
    sim_roam(n, kind < NAT_KINDS ? &nat_kinds[kind] : NULL);
    sim_uplink(n, false);
    w->linked_us[a->node] = sim_now(w->sim) + USEC_PER_SEC;
    world_disturb(w, a->node);
}

static void kill_node(struct world *w, const struct act *a)
{
    struct sim_node *n = w->nodes[a->node];
    if (!n->mesh)
        return;
    n->asleep = false;
    if (a->random % 2)
        sim_kill(n);
    else
        sim_stop(n);
    world_disturb(w, a->node);
}

static void restart_node(struct world *w, const struct act *a)
{
    if (!w->nodes[a->node]->mesh)
        world_start(w, a->node);
}

/* Who shares a router shares its side. */
static void part(struct world *w, const struct act *a)
{
    for (unsigned i = 0; i < w->count; i++) {
        struct sim_node *n = w->nodes[i];
        if (n->side == 0 &&
            (i == a->node || (n->nat && n->nat == w->nodes[a->node]->nat) || (!n->nat && a->random >> i & 1)))
            sim_part(n, 1);
    }
    disturb_all(w);
}

static void heal(struct world *w, const struct act *a)
{
    (void)a;
    for (unsigned i = 0; i < w->count; i++)
        w->nodes[i]->side = 0;
    disturb_all(w);
}

static void restart_relay(struct world *w, const struct act *a)
{
    (void)a;
    sim_restart_relay(w->sim);
    disturb_all(w);
}

/* What goes straight is not its business. */
static void lose_backbone(struct world *w, const struct act *a)
{
    (void)a;
    w->backbone = false;
}

static void find_backbone(struct world *w, const struct act *a)
{
    sim_restart_relay(w->sim);
    for (unsigned i = 0; i < w->count; i++)
        w->linked_us[i] = sim_now(w->sim) + a->random / (i + 1) % (2 * USEC_PER_SEC);
    w->backbone = true;
}

static void restart_nat(struct world *w, const struct act *a)
{
    struct nat_model *nat = w->nodes[a->node]->nat;
    if (!nat)
        return;
    nat_reset(nat);
    for (unsigned i = 0; i < w->count; i++)
        if (w->nodes[i]->nat == nat)
            world_disturb(w, i);
}

static void put_to_sleep(struct world *w, const struct act *a)
{
    if (w->nodes[a->node]->mesh)
        w->nodes[a->node]->asleep = true;
    world_disturb(w, a->node);
}

static void wake(struct world *w, const struct act *a)
{
    struct sim_node *n = w->nodes[a->node];
    if (!n->mesh || !n->asleep)
        return;
    n->asleep = false;
    sim_cut_streams_of(n);
    mesh_network_changed(n->mesh, 1472, sim_now(w->sim));
    sim_do_outputs(n);
    sim_uplink(n, false);
    w->linked_us[a->node] = sim_now(w->sim) + USEC_PER_SEC;
    world_disturb(w, a->node);
}

static void begin_storm(struct world *w, const struct act *a)
{
    sim_weather(w->sim)->loss = 0.1 + (double)(a->random % 20) / 100;
    sim_weather(w->sim)->delay_us *= 2;
    w->storm = true;
}

static void end_storm(struct world *w, const struct act *a)
{
    (void)a;
    *sim_weather(w->sim) = w->weather;
    w->storm = false;
    w->storm_us = sim_now(w->sim);
    disturb_all(w);
}

static void hush(struct world *w, const struct act *a)
{
    w->silent[a->node][a->other] = w->silent[a->other][a->node] = true;
}

static void talk(struct world *w, const struct act *a)
{
    w->silent[a->node][a->other] = w->silent[a->other][a->node] = false;
    world_disturb(w, a->node);
    world_disturb(w, a->other);
}

const struct addr world_nobody = {.family = 4, .ip = {192, 0, 2}};

static struct addr nobody(uint64_t random)
{
    struct addr at = world_nobody;
    at.ip[3] = (uint8_t)random;
    at.port = (uint16_t)(1024 + random / 256 % 60000);
    return at;
}

/* To everybody whom it is connected with, as often as a peer may say it. */
static void lie(struct world *w, const struct act *a)
{
    struct message said = {.type = MESSAGE_CANDIDATES, .candidates = {.count = CANDIDATES_MAX}};
    if (!is_awake(w->nodes[a->node]))
        return;
    w->lies[a->node] = true;
    w->lied_us = w->lied_us ? w->lied_us : sim_now(w->sim);
    for (unsigned i = 0; i < CANDIDATES_MAX; i++)
        said.candidates.list[i] = (struct candidate){CANDIDATE_HOST, nobody(a->random + i * 7919), 0};
    for (unsigned i = 0; i < w->count; i++)
        if (mesh_connected(w->nodes[a->node]->mesh, identity_id(w->nodes[i]->identity)))
            sim_say(w->nodes[a->node], w->nodes[i], &said);
}

static void lose_uplink(struct world *w, const struct act *a)
{
    struct sim_node *n = w->nodes[a->node];
    if (!is_awake(n))
        return;
    sim_uplink(n, false);
    w->linked_us[a->node] = sim_now(w->sim) + a->random % (3 * USEC_PER_SEC);
    world_disturb(w, a->node);
}

static void set_severed(struct world *w, const struct act *a, bool on)
{
    sim_sever(w->nodes[a->node], w->nodes[a->other], on);
    w->severed[a->node][a->other] = w->severed[a->other][a->node] = on;
    world_disturb(w, a->node);
    world_disturb(w, a->other);
}

static void sever(struct world *w, const struct act *a)
{
    set_severed(w, a, true);
}

static void mend(struct world *w, const struct act *a)
{
    set_severed(w, a, false);
    w->mended_us[a->node][a->other] = w->mended_us[a->other][a->node] = sim_now(w->sim);
}

/* most_s: how long it lasts, a second at least; 0: it is an end, or has none. */
static const struct {
    const char *what;
    void (*happen)(struct world *, const struct act *);
    unsigned weight, end, most_s;
    bool takes_two;
} kinds[] = {
    [ACT_ROAM] = {"moves to another network", roam, 4, 0, 0, false},
    [ACT_KILL] = {"stops", kill_node, 4, ACT_RESTART, 12, false},
    [ACT_RESTART] = {"starts anew", restart_node, 0, 0, 0, false},
    [ACT_PART] = {"is cut off, with some others", part, 2, ACT_HEAL, 20, false},
    [ACT_HEAL] = {"nobody is cut off", heal, 0, 0, 0, false},
    [ACT_RELAY] = {"the backbone's relay forgets all", restart_relay, 2, 0, 0, false},
    [ACT_BACKBONE_GONE] = {"the backbone is gone", lose_backbone, 2, ACT_BACKBONE_BACK, 20, false},
    [ACT_BACKBONE_BACK] = {"the backbone is back", find_backbone, 0, 0, 0, false},
    [ACT_NAT] = {"its router forgets all", restart_nat, 3, 0, 0, false},
    [ACT_SLEEP] = {"falls asleep", put_to_sleep, 2, ACT_WAKE, 45, false},
    [ACT_WAKE] = {"wakes", wake, 0, 0, 0, false},
    [ACT_STORM] = {"a storm begins", begin_storm, 1, ACT_CALM, 8, false},
    [ACT_CALM] = {"the storm is over", end_storm, 0, 0, 0, false},
    [ACT_HUSH] = {"says nothing any more", hush, 1, ACT_TALK, 75, true},
    [ACT_TALK] = {"talks again", talk, 0, 0, 0, true},
    [ACT_LIE] = {"names addresses that are nobody's", lie, 0, 0, 0, false},
    [ACT_UPLINK] = {"loses its uplink", lose_uplink, 2, 0, 0, false},
    [ACT_SEVER] = {"nothing goes straight any more", sever, 1, ACT_MEND, 20, true},
    [ACT_MEND] = {"straight ways are open", mend, 0, 0, 0, true},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* ---- the schedule ---- */

static void put(struct world *w, const struct act *a)
{
    unsigned at = w->act_count++;
    assert(at < WORLD_ACTS_MAX);
    for (; at > 0 && w->acts[at - 1].at_us > a->at_us; at--)
        w->acts[at] = w->acts[at - 1];
    w->acts[at] = *a;
}

static unsigned draw_kind(struct world *w)
{
    unsigned sum = 0, kind = 0;
    for (unsigned i = 0; i < KINDS; i++)
        sum += kinds[i].weight;
    for (uint64_t left = world_draw(w, sum); left >= kinds[kind].weight; kind++)
        left -= kinds[kind].weight;
    return kind;
}

static bool has(const struct world *w, unsigned kind)
{
    for (unsigned i = 0; i < w->act_count; i++)
        if (w->acts[i].kind == kind)
            return true;
    return false;
}

/* Any more of what goes on for a while, or is of the whole world, is none. */
static void draw_act(struct world *w, uint64_t at_us)
{
    struct act a = {.at_us = at_us, .kind = draw_kind(w), .random = world_draw(w, UINT32_MAX)};
    a.node = (unsigned)world_draw(w, w->count);
    a.other = (a.node + 1 + (unsigned)world_draw(w, w->count - 1)) % w->count;
    if (kinds[a.kind].end && has(w, a.kind))
        return;
    put(w, &a);
    if (!kinds[a.kind].end)
        return;
    a.at_us += USEC_PER_SEC + world_draw(w, kinds[a.kind].most_s * USEC_PER_SEC);
    a.kind = kinds[a.kind].end;
    put(w, &a);
}

/* A liar tells another story each time. */
static void plan_lies(struct world *w)
{
    struct act a = {
        .at_us = world_draw(w, GAP_MAX_US), .kind = ACT_LIE, .node = (unsigned)world_draw(w, w->count)};
    for (unsigned i = 0; i < 12; i++, a.at_us += LIE_US) {
        a.random = world_draw(w, UINT32_MAX);
        put(w, &a);
    }
}

void world_plan(struct world *w)
{
    uint64_t at_us = 0;
    if (world_chance(w, 5))
        plan_lies(w);
    for (uint64_t left = 1 + world_draw(w, 5); left > 0; left--) {
        at_us += world_draw(w, GAP_MAX_US);
        draw_act(w, at_us);
    }
}

void world_act(struct world *w)
{
    while (w->act_next < w->act_count && w->acts[w->act_next].at_us <= sim_now(w->sim) - w->begin_us) {
        const struct act *a = &w->acts[w->act_next++];
        if (w->verbose)
            world_describe_act(a);
        kinds[a->kind].happen(w, a);
    }
}

void world_describe_act(const struct act *a)
{
    fprintf(stderr, "  %7.3f s: node %u", (double)a->at_us / 1e6, a->node);
    if (kinds[a->kind].takes_two)
        fprintf(stderr, " and %u", a->other);
    fprintf(stderr, ": %s\n", kinds[a->kind].what);
}
