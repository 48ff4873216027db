/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of punch.h. docs/PROTOCOL.md §19. Control thread. */

#include "proto/punch/punch.h"

#include "base/clock.h"
#include <string.h>

#define BARE_US       USEC_PER_SEC       /* without anything that carries, before there is no plan */
#define LATER_US      (2 * USEC_PER_SEC) /* one of two that want a round is enough */
#define NAMELESS_US   (5 * USEC_PER_SEC) /* until we look again whether we know how we are seen */
#define LOOK_US       700000ull
#define ASK_US        (LOOK_US + 100000ull) /* and two round trips, for an answer */
#define ASKS          3
#define GO_US         500000ull /* and two round trips, for a PUNCH_GO, which may be lost */
#define AGAIN_US      300000ull
#define PROBING_US    1300000ull /* the tries of a path take no longer */
#define GAP_US        500000ull  /* between two rounds */
#define PORT_LEAST    1024
#define TURNS_US      50000ull
#define TURNS_AT_ONCE 64

static const struct bucket_rate budget_rate = {PUNCH_BUDGET_US, PUNCH_ROUNDS};
/* Whoever has thousands of peers has them all at once when it starts. */
static const struct bucket_rate turns_rate = {TURNS_US, TURNS_AT_ONCE};

static void enter(struct punch *p, enum punch_state state, uint64_t at_us)
{
    p->state = state;
    p->at_us = at_us;
}

void punch_begin(struct punch *p)
{
    enter(p, PUNCH_RESTING, TIME_NEVER);
    p->say = PUNCH_STEP_NONE;
    p->why = PUNCH_WHY_NONE;
    p->rounds = p->cycles = 0;
    p->heard = 0;
    p->bare_us = 0;
    p->released = p->opened = p->fresh = false;
    p->put_off = 0;
}

void punch_hold(struct punch *p, const struct addr *list, unsigned count)
{
    p->theirs.held_count = count < PUNCH_ADDRESSES_MAX ? count : PUNCH_ADDRESSES_MAX;
    memcpy(p->theirs.held, list, p->theirs.held_count * sizeof(*list));
}

static enum punch_step rest(struct punch *p)
{
    bool rested = p->state == PUNCH_RESTING;
    enter(p, PUNCH_RESTING, TIME_NEVER);
    p->say = PUNCH_STEP_NONE;
    p->why = PUNCH_WHY_NONE;
    p->rounds = p->cycles = 0;
    p->bare_us = 0;
    p->released = p->opened = p->fresh = false;
    return rested ? PUNCH_STEP_NONE : PUNCH_STEP_END;
}

/* Relay first, then punch: without one there is nobody to agree with. */
static bool is_bare(struct punch *p, bool carries, uint64_t now_us)
{
    p->carried = carries;
    if (carries) {
        p->bare_us = 0;
        p->released = false;
        return false;
    }
    p->bare_us = p->bare_us ? p->bare_us : now_us;
    if (p->released || p->bare_us + BARE_US > now_us)
        return false;
    p->released = true;
    return true;
}

static uint64_t pause_us(const struct punch *p)
{
    unsigned doublings = p->cycles < 6 ? p->cycles : 6;
    uint64_t us = PUNCH_PAUSE_US << doublings;
    return us < PUNCH_PAUSE_MAX_US ? us : PUNCH_PAUSE_MAX_US;
}

static void fail(struct punch *p, enum punch_why why, bool lower, uint64_t now_us)
{
    uint64_t wait_us = GAP_US;
    if (++p->rounds >= PUNCH_ROUNDS) {
        wait_us = pause_us(p);
        p->rounds = 0;
        p->opened = p->fresh = false;
        p->cycles += p->cycles < UINT8_MAX;
        p->why = why;
    }
    enter(p, PUNCH_DUE, now_us + wait_us + (lower ? 0 : LATER_US));
}

static enum punch_step begin_round(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    uint64_t wait_us = bucket_wait(&p->budget, &budget_rate, 1, now_us);
    if (!w->carries)
        return PUNCH_STEP_NONE;
    if (!w->named) {
        p->why = PUNCH_WHY_NO_ADDRESS;
        wait_us = NAMELESS_US;
    }
    if (!wait_us)
        wait_us = bucket_wait(w->turns, &turns_rate, 1, now_us);
    if (wait_us) {
        p->at_us = now_us + wait_us;
        return PUNCH_STEP_NONE;
    }
    bucket_spend(&p->budget, &budget_rate, 1, now_us);
    bucket_spend(w->turns, &turns_rate, 1, now_us);
    p->asker = true;
    p->round = ++p->mine;
    p->theirs.count = p->theirs.ports_count = 0;
    if (p->why != PUNCH_WHY_FAILED)
        p->why = PUNCH_WHY_RUNNING;
    enter(p, PUNCH_ASKED, now_us);
    return PUNCH_STEP_NONE;
}

/* Nothing was sent but the question. Else two that have a round in turn, each when the other has none, have none together. */
static void give_back(struct punch *p)
{
    p->budget.full_us -= PUNCH_BUDGET_US;
}

static enum punch_step ask(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    if (p->asks == ASKS) {
        give_back(p);
        fail(p, PUNCH_WHY_SILENT, w->lower, now_us);
        return PUNCH_STEP_NONE;
    }
    p->asks++;
    enter(p, PUNCH_ASKING, now_us + ASK_US + 2ull * p->rtt_us);
    return PUNCH_STEP_ASK;
}

/* The mapping that a round before has made is still there, while the next ones lie further on. So is the socket. */
static enum punch_step look(struct punch *p, uint64_t now_us)
{
    bool looked = p->opened || p->fresh;
    enter(p, PUNCH_LOOKING, looked ? now_us : now_us + LOOK_US);
    if (looked)
        return PUNCH_STEP_NONE;
    p->seen = (struct punch_seen){0};
    return PUNCH_STEP_LOOK;
}

static enum punch_step on_looked(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    p->asks = 0;
    if (p->asker)
        return ask(p, w, now_us);
    enter(p, PUNCH_ANSWERED, now_us + GO_US + ASK_US + 2ull * p->rtt_us);
    return PUNCH_STEP_ANSWER;
}

/* Who asked opens first, and says so; who was asked then knows that its probes do not come too early. */
static enum punch_step open_ways(struct punch *p, uint64_t now_us)
{
    p->probes = 0;
    p->opened = p->seen.ports == NAT_PORTS_SEQUENTIAL;
    p->say = PUNCH_STEP_GO;
    enter(p, PUNCH_OPENED, p->asker ? now_us + GO_US + 2ull * p->rtt_us : now_us);
    return PUNCH_STEP_OPEN;
}

/* Where no server has an answer for us, what is known of NATs is not the reason: UDP may be blocked. */
static enum punch_why why_in_vain(const struct punch *p, bool named)
{
    if (!named)
        return PUNCH_WHY_NO_ADDRESS;
    return p->theirs.count ? PUNCH_WHY_FAILED : PUNCH_WHY_NOT_NAMED;
}

static enum punch_step probe(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    if (p->probes == PUNCH_PROBES) {
        fail(p, why_in_vain(p, w->named), w->lower, now_us);
        return PUNCH_STEP_END;
    }
    p->probes++;
    enter(p, PUNCH_PROBING, now_us + (p->probes < PUNCH_PROBES ? AGAIN_US : PROBING_US));
    return PUNCH_STEP_PROBE;
}

static enum punch_step due(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    switch (p->state) {
    case PUNCH_RESTING:
        return PUNCH_STEP_NONE;
    case PUNCH_DUE:
        return begin_round(p, w, now_us);
    case PUNCH_ASKED:
        return look(p, now_us);
    case PUNCH_LOOKING:
        return on_looked(p, w, now_us);
    case PUNCH_ASKING:
        return ask(p, w, now_us);
    case PUNCH_ANSWERED: /* the word to begin was lost */
    case PUNCH_SET:
        return open_ways(p, now_us);
    case PUNCH_OPENED:
    case PUNCH_PROBING:
        return probe(p, w, now_us);
    }
    return PUNCH_STEP_NONE;
}

enum punch_step punch_step(struct punch *p, const struct punch_way *w, uint64_t now_us)
{
    p->rtt_us = w->rtt_us;
    p->named = w->named;
    if (w->straight)
        return rest(p);
    if (is_bare(p, w->carries, now_us))
        return PUNCH_STEP_RELEASE;
    if (p->state == PUNCH_RESTING && w->carries)
        enter(p, PUNCH_DUE, now_us + (w->lower ? 0 : LATER_US));
    if (p->say != PUNCH_STEP_NONE) {
        enum punch_step say = p->say;
        p->say = PUNCH_STEP_NONE;
        return say;
    }
    enum punch_step step = PUNCH_STEP_NONE;
    while (step == PUNCH_STEP_NONE && p->state != PUNCH_RESTING && p->at_us <= now_us) {
        enum punch_state before = p->state;
        step = due(p, w, now_us);
        if (step == PUNCH_STEP_NONE && p->state == before)
            break;
    }
    return step;
}

uint64_t punch_next(const struct punch *p)
{
    uint64_t bare_us = p->bare_us && !p->released ? p->bare_us + BARE_US : TIME_NEVER;
    if (p->state == PUNCH_RESTING || (p->state == PUNCH_DUE && !p->carried))
        return bare_us;
    return p->at_us < bare_us ? p->at_us : bare_us;
}

/* In turn, since a firewall may let nothing pass but the node's port. */
bool punch_wants_fresh(const struct punch *p)
{
    return p->state == PUNCH_LOOKING && p->cycles % 2 == 1 && !p->fresh;
}

bool punch_on_seen(struct punch *p, const struct punch_seen *seen, uint64_t now_us)
{
    if (p->state != PUNCH_LOOKING)
        return false;
    p->fresh = seen->side && punch_wants_fresh(p);
    p->seen = *seen;
    p->at_us = now_us;
    return p->fresh;
}

static void take(struct punch *p, const struct punch_offer *o)
{
    unsigned count = o->candidates.count;
    p->theirs.count = count < PUNCH_ADDRESSES_MAX ? count : PUNCH_ADDRESSES_MAX;
    for (unsigned i = 0; i < p->theirs.count; i++)
        p->theirs.list[i] = o->candidates.list[i].addr;
    bool fits = o->first >= PORT_LEAST && o->first + PUNCH_PORTS_MAX <= UINT16_MAX;
    p->theirs.first = o->first;
    p->theirs.ports_count = !fits ? 0 : o->count < PUNCH_PORTS_MAX ? o->count : PUNCH_PORTS_MAX;
    p->theirs.ports = o->ports <= NAT_PORTS_RANDOM ? (enum nat_ports)o->ports : NAT_PORTS_UNKNOWN;
}

static void on_answer(struct punch *p, const struct punch_offer *o, uint64_t now_us)
{
    if (p->state != PUNCH_ASKING || o->round != p->round)
        return;
    take(p, o);
    enter(p, PUNCH_SET, now_us);
}

/* A round of ours has begun, and nothing was sent to anybody but its question. */
static bool is_asking(const struct punch *p)
{
    return p->asker && (p->state == PUNCH_ASKED || p->state == PUNCH_LOOKING || p->state == PUNCH_ASKING);
}

/* A round that ours stands before, or that runs already, or is over. */
static bool is_idle_talk(const struct punch *p, const struct punch_offer *o, bool lower)
{
    return (is_asking(p) && lower) || o->round <= p->heard || p->state == PUNCH_SET ||
           p->state == PUNCH_OPENED;
}

static bool spend_round(struct punch *p, struct bucket *turns, uint64_t now_us)
{
    if (bucket_wait(turns, &turns_rate, 1, now_us) || !bucket_take(&p->budget, &budget_rate, 1, now_us))
        return false;
    bucket_spend(turns, &turns_rate, 1, now_us);
    return true;
}

static void on_ask(struct punch *p, const struct punch_offer *o, const struct punch_way *w, uint64_t now_us)
{
    if (p->state == PUNCH_ANSWERED && o->round == p->round && !p->asker)
        enter(p, PUNCH_LOOKING, now_us); /* our answer was lost: it is said again */
    /* It is said again, and by then we may know how we are seen. */
    if (!p->named && p->put_off < ASKS - 1) {
        p->put_off++;
        return;
    }
    if (is_idle_talk(p, o, w->lower))
        return;
    /* Ours has paid for it: else two that ask at once would go on doing so, each with nothing left for the other's. */
    if (!is_asking(p) && !spend_round(p, w->turns, now_us))
        return;
    take(p, o);
    p->heard = p->round = o->round;
    p->asker = false;
    if (p->why != PUNCH_WHY_FAILED)
        p->why = PUNCH_WHY_RUNNING;
    enter(p, PUNCH_ASKED, now_us);
}

void punch_on_offer(struct punch *p, const struct punch_offer *o, const struct punch_way *w, uint64_t now_us)
{
    if (o->answer)
        on_answer(p, o, now_us);
    else
        on_ask(p, o, w, now_us);
}

void punch_on_go(struct punch *p, uint32_t round, uint64_t now_us)
{
    if (round != p->round)
        return;
    if (p->state == PUNCH_ANSWERED)
        enter(p, PUNCH_SET, now_us);
    else if (p->state == PUNCH_OPENED && p->asker)
        p->at_us = now_us;
}

bool punch_is_asked(const struct punch *p)
{
    return p->state > PUNCH_DUE && !p->asker;
}

bool punch_has_failed(const struct punch *p)
{
    return p->rounds || p->cycles;
}

unsigned punch_side(const struct punch *p, const struct addr *to)
{
    return p->fresh && to->family == p->seen.fresh.family ? p->seen.side : 0;
}

void punch_side_gone(struct punch *p)
{
    p->fresh = false;
    p->seen.side = 0;
}

void punch_hurry(struct punch *p, uint64_t now_us)
{
    p->cycles = p->rounds = 0;
    p->opened = p->fresh = false;
    if (p->state == PUNCH_DUE && p->at_us > now_us + BARE_US)
        p->at_us = now_us + BARE_US;
}

uint8_t punch_hops(const struct punch *p)
{
    return (uint8_t)(PUNCH_HOPS_MIN + p->cycles % (PUNCH_HOPS_MAX - PUNCH_HOPS_MIN + 1));
}

static const char *failure(const struct punch *p)
{
    bool ours = p->seen.ports == NAT_PORTS_RANDOM, theirs = p->theirs.ports == NAT_PORTS_RANDOM;
    if (ours && theirs)
        return "both NATs draw ports at random";
    if (ours)
        return "our NAT draws ports at random, and the peer's lets in only what it has sent to";
    if (theirs)
        return "the peer's NAT draws ports at random, and ours lets in only what we have sent to";
    return "nothing came through the NATs in three rounds";
}

const char *punch_why_text(const struct punch *p)
{
    switch (p->why) {
    case PUNCH_WHY_NONE:
        return "";
    case PUNCH_WHY_RUNNING:
        return "it is being tried";
    case PUNCH_WHY_NO_ADDRESS:
        return "no STUN server has told how we are seen from outside";
    case PUNCH_WHY_NOT_NAMED:
        return "the peer has no address that we could send to";
    case PUNCH_WHY_SILENT:
        return "the peer does not answer when it is to be tried";
    case PUNCH_WHY_FAILED:
        return failure(p);
    }
    return "";
}
