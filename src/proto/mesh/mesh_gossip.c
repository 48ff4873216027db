/* SPDX-License-Identifier: Apache-2.0 */
/* Records are asked for and never pushed: so none is taken, verified or kept but of ids that we have a use for, and an admitted
 * liar costs one signature for each question of ours. docs/PROTOCOL.md §20. Control thread. */

#include "proto/mesh/mesh_gossip.h"

#include "base/clock.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include "proto/peer/kept_record.h"
#include <stdlib.h>
#include <string.h>

#define PERIOD_FIRST_US 250000ull   /* between two questions, … */
#define PERIOD_MAX_US   60000000ull /* … doubled while nobody new is met */
#define VISITS          4
#define VISIT_AGAIN_US  1000000ull
#define MOVED_US        3000000ull /* its new record is made by then */
#define ASK_US          5000000ull /* that an answer may take */
#define OLD_S           1800       /* a member's record lasts so long at the least when it is not asked for */
#define SCAN_SLOTS      64         /* looked at beside a visitor */
#define KEPT_MAX        (8u << 20) /* bytes of all records; strangers' have half of it */
#define ANSWERS         64         /* records that leave in a second, and at once, whoever asks … */
#define STRANGER_COST   33         /* … of which so many have to be there for one to a stranger */

static const struct bucket_rate answer_rate = {USEC_PER_SEC / ANSWERS, ANSWERS};

static bool speaks(const struct peer *p)
{
    return p && p->current && link_state(p->current) == LINK_STATE_LIVE && peer_path_answers(p) &&
           link_both_can(p->current, HELLO_FEATURE_GOSSIP);
}

/* Each that comes up would be asked for all that have not come yet, and most of those records be of no use by then. */
static bool is_sought(const struct peer *p)
{
    return p && p->wanted && !peer_send_session(p) && mesh_member_is_sought(p);
}

static bool is_listed(const struct peer *p)
{
    return p->wanted || p->allowed;
}

/* ---- asking ---- */

static void add(struct message *seek, const struct peer *p)
{
    seek->seek.list[seek->seek.count++] =
        (struct message_sought){.id = p->id, .seq = p->record ? p->record->seq : 0};
}

static unsigned next_slot(const struct mesh *m, unsigned slot)
{
    return slot + 1 < m->slot_end ? slot + 1 : 0;
}

/* As many of these slots as fit, each in its turn: how many were looked at. */
static unsigned add_sought(struct mesh *m, struct message *seek, unsigned slots)
{
    struct mesh_gossip *g = &m->gossip;
    unsigned i;
    for (i = 0; i < slots && i < m->slot_end && seek->seek.count < MESSAGE_SOUGHT_MAX; i++) {
        g->sought = next_slot(m, g->sought);
        if (is_sought(m->peers[g->sought]))
            add(seek, m->peers[g->sought]);
    }
    return i;
}

static void ask(struct mesh *m, const struct peer *p, const struct message *seek, uint64_t now_us)
{
    struct mesh_gossip *g = &m->gossip;
    for (unsigned i = 0; i < seek->seek.count; i++)
        g->asks[g->ask_at++ % MESH_GOSSIP_ASKS_MAX] =
            (struct mesh_ask){seek->seek.list[i].id, p->slot, now_us + ASK_US};
    mesh_say_sealed(p->current, seek);
}

/* NULL when nobody can be asked. */
static const struct peer *next_source(struct mesh *m)
{
    struct mesh_gossip *g = &m->gossip;
    for (unsigned i = 0; i < m->slot_end; i++) {
        g->source = next_slot(m, g->source);
        if (speaks(m->peers[g->source]))
            return m->peers[g->source];
    }
    return NULL;
}

/* Questions grow rarer once all slots had their turn. */
static void ask_about_sought(struct mesh *m, uint64_t now_us)
{
    struct mesh_gossip *g = &m->gossip;
    struct message seek = {.type = MESSAGE_SEEK};
    unsigned turn = g->sought;
    g->seen += add_sought(m, &seek, m->slot_end);
    const struct peer *source = seek.seek.count ? next_source(m) : NULL;
    if (source)
        ask(m, source, &seek, now_us);
    else
        g->sought = turn;
    g->sought_us = now_us;
    g->at_us = seek.seek.count ? now_us + g->period_us : TIME_NEVER;
    if (g->seen < m->slot_end)
        return;
    g->seen = 0;
    g->period_us = 2 * g->period_us < PERIOD_MAX_US ? 2 * g->period_us : PERIOD_MAX_US;
}

/* Again later, unless it answers. */
static void ask_visitor(struct mesh *m, uint32_t slot, uint64_t now_us)
{
    struct mesh_gossip *g = &m->gossip;
    struct message seek = {.type = MESSAGE_SEEK};
    const struct peer *p = m->peers[slot];
    bool first = g->visits[slot] == VISITS;
    if (!speaks(p) || !g->visits[slot])
        return;
    add(&seek, p);
    (void)add_sought(m, &seek, SCAN_SLOTS);
    ask(m, p, &seek, now_us);
    g->at_us = now_us + (first ? PERIOD_FIRST_US : VISIT_AGAIN_US);
    if (--g->visits[slot])
        slot_set_add(&g->visitors, slot);
}

void mesh_gossip_tick(struct mesh *m, uint64_t now_us)
{
    struct mesh_gossip *g = &m->gossip;
    uint32_t slot;
    if (now_us < g->at_us)
        return;
    if (!slot_set_take(&g->visitors, &slot)) {
        ask_about_sought(m, now_us);
        return;
    }
    g->at_us = now_us;
    ask_visitor(m, slot, now_us);
}

uint64_t mesh_gossip_due(const struct mesh *m)
{
    return m->gossip.at_us;
}

static void ask_by(struct mesh *m, uint64_t at_us)
{
    struct mesh_gossip *g = &m->gossip;
    if (at_us < g->at_us)
        g->at_us = at_us;
}

static void ask_itself(struct mesh *m, const struct peer *p, uint64_t at_us)
{
    if (!speaks(p))
        return;
    m->gossip.visits[p->slot] = VISITS;
    slot_set_add(&m->gossip.visitors, p->slot);
    ask_by(m, at_us);
}

/* A member that restarts dials us by itself: that its record is newer is no news. Ages are compared with our own. */
static bool has_it(const struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count)
{
    const struct kept_record *k = p->record, *own = m->gossip.own;
    if (!mesh_takes_turns(p) || !k || !own || k->expiry_s + OLD_S < own->expiry_s)
        return false;
    const struct record_bytes bytes = kept_record_bytes(k);
    return record_names(&bytes.data, list, count);
}

void mesh_gossip_on_open(struct mesh *m, const struct peer *p, uint64_t now_us)
{
    const struct hello *h = link_theirs(p->current);
    m->gossip.period_us = PERIOD_FIRST_US;
    if (!has_it(m, p, h->candidates.list, h->candidates.count))
        ask_itself(m, p, now_us);
}

void mesh_gossip_on_moved(struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count,
                          uint64_t now_us)
{
    if (!has_it(m, p, list, count))
        ask_itself(m, p, now_us + MOVED_US);
}

/* However many come at once. */
void mesh_gossip_on_want(struct mesh *m)
{
    m->gossip.period_us = PERIOD_FIRST_US;
    ask_by(m, m->gossip.sought_us + PERIOD_FIRST_US);
}

void mesh_gossip_still_want(struct mesh *m)
{
    if (m->gossip.at_us == TIME_NEVER)
        mesh_gossip_on_want(m);
}

/* ---- answering ---- */

/* What we know of id; NULL: nothing. */
static const struct kept_record *known(const struct mesh *m, const struct node_id *id)
{
    const struct peer *p = mesh_find_peer(m, id);
    if (id_compare(id, identity_id(m->config.me)) == 0)
        return m->gossip.own;
    return p ? p->record : NULL;
}

/* False: it has had as many as it may have for now. */
static bool pass_on(struct mesh *m, struct link *l, const struct kept_record *k, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    struct message record = {.type = MESSAGE_RECORD, .record = kept_record_bytes(k)};
    if (k->data_len > MESSAGE_RECORD_MAX)
        return true;
    if (bucket_wait(&m->gossip.answers, &answer_rate, is_listed(p) ? 1 : STRANGER_COST, now_us) ||
        !allowance_take(&p->allowance, ALLOWANCE_RECORD, 1, now_us))
        return false;
    bucket_spend(&m->gossip.answers, &answer_rate, 1, now_us);
    mesh_say_sealed(l, &record);
    return true;
}

enum drop mesh_on_seek(struct mesh *m, struct link *l, const struct message *seek, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    for (unsigned i = 0; i < seek->seek.count; i++) {
        const struct message_sought *s = &seek->seek.list[i];
        const struct kept_record *k = known(m, &s->id);
        if (k && k->seq > s->seq && !pass_on(m, l, k, now_us))
            break;
    }
    return DROP_NONE;
}

/* ---- what was answered ---- */

/* Each question has one answer at most. */
static bool was_asked(struct mesh *m, uint32_t slot, const struct node_id *id, uint64_t now_us)
{
    for (struct mesh_ask *a = m->gossip.asks; a < m->gossip.asks + MESH_GOSSIP_ASKS_MAX; a++) {
        if (a->slot != slot || a->until_us < now_us || id_compare(&a->id, id) != 0)
            continue;
        a->until_us = 0;
        return true;
    }
    return false;
}

enum drop mesh_on_passed(struct mesh *m, const struct link *l, const struct message *record, uint64_t now_us)
{
    const struct peer *from = link_owner(l);
    struct node_id id;
    if (record_peek(record->record.data.data, record->record.data.len, &id) ||
        !was_asked(m, from->slot, &id, now_us))
        return DROP_RECORD;
    return mesh_verify(m, &record->record) ? DROP_CONTROL_QUEUE : DROP_NONE;
}

/* Those of peers on our lists have more room. */
static bool has_room(const struct mesh *m, const struct peer *p, size_t size)
{
    size_t before = p->record ? kept_record_size(p->record) : 0;
    return m->gossip.kept - before + size <= (is_listed(p) ? KEPT_MAX : KEPT_MAX / 2);
}

/* False: there is no room for it. */
static bool keep(struct mesh *m, struct peer *p, const struct mesh_record *r)
{
    struct kept_record *k = kept_record_new(r->record->seq, r->record->expiry_s, &r->bytes);
    if (!k || !has_room(m, p, kept_record_size(k))) {
        free(k);
        return false;
    }
    m->gossip.visits[p->slot] = 0;
    mesh_gossip_forget(m, p);
    m->gossip.kept += kept_record_size(k);
    peer_keep_record(p, k);
    return true;
}

bool mesh_on_record(struct mesh *m, const struct mesh_record *r, uint64_t now_us)
{
    const struct record *record = r->record;
    struct peer *p = mesh_find_peer(m, &record->id);
    uint64_t before = p && p->record ? p->record->seq : 0;
    if (!p || record->seq < before)
        return false;
    bool kept = record->seq > before && keep(m, p, r), changed = kept && is_listed(p);
    if (peer_send_session(p) && peer_path_answers(p)) /* it is where it is */
        return changed;
    if (kept) { /* it was there of late, however long it was dialled in vain before */
        mesh_touch(m, p);
        peer_dial_soon(p, now_us);
    }
    mesh_set_record(m, &record->id, record->name, record->candidates, record->candidate_count, now_us);
    return changed;
}

int mesh_set_own_record(struct mesh *m, const struct mesh_record *r)
{
    struct kept_record *k = kept_record_new(r->record->seq, r->record->expiry_s, &r->bytes);
    if (!k)
        return ERR_NOMEM;
    free(m->gossip.own);
    m->gossip.own = k;
    return 0;
}

void mesh_records(const struct mesh *m,
                  void (*visit)(void *context, uint64_t expiry_s, const struct record_bytes *bytes),
                  void *context)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        const struct kept_record *k = m->peers[i] ? m->peers[i]->record : NULL;
        if (!k || !is_listed(m->peers[i]))
            continue;
        const struct record_bytes bytes = kept_record_bytes(k);
        visit(context, k->expiry_s, &bytes);
    }
}

void mesh_gossip_forget(struct mesh *m, const struct peer *p)
{
    if (p->record)
        m->gossip.kept -= kept_record_size(p->record);
}

void mesh_gossip_fini(struct mesh *m)
{
    free(m->gossip.own);
}
