/* SPDX-License-Identifier: Apache-2.0 */
/* What is newer is told to every peer at once, and by each of them to its own: so it reaches all that reach anybody, and no one
 * can keep it from them. docs/PROTOCOL.md §27. Control thread. */

#include "proto/mesh/mesh_rolls.h"

#include "base/clock.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_lists.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include "proto/network/exchange.h"
#include "proto/network/membership.h"
#include <stdio.h>
#include <stdlib.h>

#define TELL_TIMES    3
#define TELL_AGAIN_US USEC_PER_SEC
#define TELL_PAUSE_US (200 * 1000ull)        /* between two passes, however often something is new */
#define PART_SLOTS    32                     /* peers that are told in one turn … */
#define PART_US       10000ull               /* … and the next ones no sooner */
#define CLOCK_US      (60 * USEC_PER_SEC)    /* between two looks at it, for who has expired */
#define PARTS         500                    /* of lists, that leave in a second, and at once, whoever asks */
#define ENROLLED_MAX  (MESH_PEERS_MAX - 512) /* so many places are left for those whom no roster names yet */

#define ISSUER_FIRST_US (5 * USEC_PER_SEC) /* before anybody else is let in where the lists are old */

#define REVOKED "its key was revoked"

static const struct bucket_rate part_rate = {USEC_PER_SEC / PARTS, PARTS};

static bool has_revoked(const void *context, const struct node_id *key, enum cert_kind kind)
{
    (void)kind; /* of an issuer's key the CA's list alone counts, whatever it is for */
    return rolls_revoked(context, key);
}

/* Our own issuer's certificate is what we bring to those that do not know it. */
static int begin(struct mesh *m)
{
    struct membership *ms = m->config.network;
    if (!m->config.rolls || !ms)
        return 0;
    membership_set_revoked(ms, &(struct membership_revoked){has_revoked, m->config.rolls});
    if (rolls_take(m->config.rolls, LIST_ISSUER, membership_bytes(ms, MEMBERSHIP_ISSUER)) == ROLLS_NO_MEMORY)
        return ERR_NOMEM;
    return exchange_new(m->config.rolls, &m->rolls.exchange);
}

int mesh_rolls_init(struct mesh *m)
{
    m->rolls.at_us = TIME_NEVER;
    return begin(m);
}

int mesh_set_rolls(struct mesh *m, struct rolls *rolls, uint64_t now_us)
{
    m->config.rolls = rolls;
    int err = begin(m);
    if (err)
        m->config.rolls = NULL;
    else
        mesh_on_rolls(m, now_us);
    return err;
}

void mesh_rolls_fini(struct mesh *m)
{
    exchange_free(m->rolls.exchange);
    free(m->rolls.enrolled);
}

static bool speaks(const struct mesh *m, const struct peer *p)
{
    return m->rolls.exchange && p && p->current && link_state(p->current) == LINK_STATE_LIVE &&
           link_both_can(p->current, HELLO_FEATURE_NETWORK);
}

/* ---- telling ---- */

static void tell(const struct mesh *m, const struct peer *p)
{
    struct message lists = {.type = MESSAGE_LISTS};
    lists.lists.count = rolls_lists(m->config.rolls, lists.lists.list);
    mesh_say_sealed(p->current, &lists);
}

static uint64_t next_pass_us(const struct mesh_rolls *r, uint64_t now_us)
{
    return r->told_us && r->told_us + TELL_PAUSE_US > now_us ? r->told_us + TELL_PAUSE_US : now_us;
}

static void will_tell(struct mesh *m, const struct peer *p, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    if (!speaks(m, p))
        return;
    r->times[p->slot] = TELL_TIMES;
    slot_set_add(&r->hearers, p->slot);
    r->fresh = true;
    if (!r->pass && next_pass_us(r, now_us) < r->at_us)
        r->at_us = next_pass_us(r, now_us);
}

static void tell_next(struct mesh *m)
{
    struct mesh_rolls *r = &m->rolls;
    uint32_t slot;
    if (!slot_set_take(&r->hearers, &slot) || !r->times[slot] || !speaks(m, m->peers[slot]))
        return;
    tell(m, m->peers[slot]);
    if (--r->times[slot])
        slot_set_add(&r->hearers, slot);
}

static void tell_some(struct mesh *m, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    if (!r->pass) {
        r->pass = r->hearers.count;
        r->told_us = now_us;
        r->fresh = false;
    }
    for (unsigned i = 0; i < PART_SLOTS && r->pass; i++, r->pass--)
        tell_next(m);
    if (!r->hearers.count)
        r->at_us = TIME_NEVER;
    else if (r->pass)
        r->at_us = now_us + PART_US;
    else
        r->at_us = r->fresh ? next_pass_us(r, now_us) : now_us + TELL_AGAIN_US;
}

static void tell_all(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++)
        will_tell(m, m->peers[i], now_us);
}

/* ---- asking ---- */

static void ask(struct mesh *m, uint64_t now_us)
{
    struct message question = {.type = MESSAGE_LIST_ASK};
    uint32_t slot;
    while (exchange_next(m->rolls.exchange, now_us, &slot, &question.part))
        if (speaks(m, m->peers[slot]))
            mesh_say_sealed(m->peers[slot]->current, &question);
}

void mesh_rolls_on_open(struct mesh *m, const struct peer *p, uint64_t now_us)
{
    will_tell(m, p, now_us);
}

void mesh_rolls_on_lost(struct mesh *m, const struct peer *p)
{
    if (m->rolls.exchange)
        exchange_forget(m->rolls.exchange, p->slot);
}

/* ---- who is shut out ---- */

bool mesh_is_revoked(const struct mesh *m, const struct node_id *id)
{
    return m->config.rolls && rolls_revoked(m->config.rolls, id);
}

static void refuse(struct mesh *m, struct link *l, enum refuse_code code, const char *told, const char *why)
{
    const struct node_id id = *link_peer_id(l);
    const struct peer *p = mesh_find_peer(m, &id);
    char remote[TARGET_TEXT_MAX], note[TARGET_TEXT_MAX + 160];
    snprintf(note, sizeof(note), "%s: %s", target_format(link_remote(l), remote), why);
    if (link_is_opener(l))
        peer_dial_failed(link_owner(l), link_remote(l), false, why);
    else
        mesh_note_id(m, MESH_NOTICE_REFUSED, &id, p ? p->name : "", note);
    link_refuse(l, code, told);
    mesh_discard_link(m, l);
}

/* Whom to ask is whoever signs such lists: issuers are let in, and whom a person listed. Nobody waits for them long, and an issuer
 * does not. */
static bool doubts(struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    const struct peer *p = mesh_find_peer(m, id);
    if (!r->exchange || !rolls_are_old(m->config.rolls) ||
        rolls_issuer(m->config.rolls, identity_id(m->config.me))) {
        r->old_us = 0;
        return false;
    }
    if (!r->old_us)
        r->old_us = now_us;
    bool waits = now_us - r->old_us < ISSUER_FIRST_US;
    return waits && !mesh_admits(m, p) && !(p && p->current) && !rolls_issuer(m->config.rolls, id);
}

bool mesh_refuses_revoked(struct mesh *m, struct link *l, uint64_t now_us)
{
    if (mesh_is_revoked(m, link_peer_id(l)))
        refuse(m, l, REFUSE_REVOKED, "your key was revoked: join the network again, with another one",
               REVOKED);
    else if (doubts(m, link_peer_id(l), now_us))
        refuse(m, l, REFUSE_DOUBT, "my lists of revoked keys are old, and I ask an issuer first: try again",
               "whether its key was revoked is asked of an issuer first");
    else
        return false;
    return true;
}

static void shut_out(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        if (p && (p->link_count || p->wanted) && mesh_is_revoked(m, &p->id))
            mesh_shut_out(m, p, REVOKED, now_us);
    }
    mesh_judge_members(m, now_us); /* their issuers may be shut out, too */
}

/* ---- who is in ---- */

static bool enroll(struct mesh *m, const struct node_id *id)
{
    return id_compare(id, identity_id(m->config.me)) != 0 && mesh_enroll(m, id) == 0;
}

/* Both in ascending order: who is in one alone has come, or left. Who finds no place is tried at the next change. */
static void update_enrolled(struct mesh *m, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    size_t count, old = 0, kept = 0;
    const struct rolls_member *members = rolls_members(m->config.rolls, &count);
    struct node_id *fresh = calloc(count + 1, sizeof(*fresh));
    if (!fresh)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct node_id *id = &members[i].is.id;
        int order = 1;
        while (old < r->enrolled_count && (order = id_compare(&r->enrolled[old], id)) < 0)
            mesh_unenroll(m, &r->enrolled[old++], now_us);
        bool is_known = old < r->enrolled_count && order == 0;
        old += is_known;
        if (kept == ENROLLED_MAX && is_known)
            mesh_unenroll(m, id, now_us);
        else if (kept < ENROLLED_MAX && (is_known || enroll(m, id)))
            fresh[kept++] = *id;
    }
    while (old < r->enrolled_count)
        mesh_unenroll(m, &r->enrolled[old++], now_us);
    free(r->enrolled);
    r->enrolled = fresh;
    r->enrolled_count = kept;
}

static int compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

void mesh_enroll_again(struct mesh *m, const struct node_id *id)
{
    const struct mesh_rolls *r = &m->rolls;
    if (r->enrolled_count && bsearch(id, r->enrolled, r->enrolled_count, sizeof(*id), compare_ids))
        (void)enroll(m, id); /* without memory it comes by itself */
}

static void act(struct mesh *m, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    if (!r->exchange || r->version == rolls_version(m->config.rolls))
        return;
    r->version = rolls_version(m->config.rolls);
    r->acting = true;
    shut_out(m, now_us);
    update_enrolled(m, now_us);
    r->acting = false;
    tell_all(m, now_us);
}

void mesh_on_rolls(struct mesh *m, uint64_t now_us)
{
    act(m, now_us);
    mesh_tick(m, now_us);
}

/* ---- time ---- */

void mesh_rolls_tick(struct mesh *m, uint64_t now_us)
{
    struct mesh_rolls *r = &m->rolls;
    if (!r->exchange || r->acting)
        return;
    if (now_us >= r->clock_us) {
        r->clock_us = now_us + CLOCK_US;
        rolls_on_time(m->config.rolls, membership_now(m->config.network, now_us));
        act(m, now_us);
    }
    if (now_us >= r->at_us)
        tell_some(m, now_us);
    if (now_us >= exchange_deadline(m->rolls.exchange))
        ask(m, now_us);
}

uint64_t mesh_rolls_due(const struct mesh *m)
{
    const struct mesh_rolls *r = &m->rolls;
    if (!r->exchange)
        return TIME_NEVER;
    uint64_t at_us = exchange_deadline(r->exchange);
    at_us = r->at_us < at_us ? r->at_us : at_us;
    return r->clock_us < at_us ? r->clock_us : at_us;
}

/* ---- what peers say ---- */

static enum drop on_question(struct mesh *m, struct link *l, const struct list_part *question,
                             uint64_t now_us)
{
    struct peer *p = link_owner(l);
    struct message part = {.type = MESSAGE_LIST_PART};
    if (!allowance_take(&p->allowance, ALLOWANCE_LIST, 1, now_us) ||
        !bucket_take(&m->rolls.parts, &part_rate, 1, now_us))
        return DROP_CONTROL_RATE;
    if (exchange_answer(m->config.rolls, question, &part.part))
        mesh_say_sealed(l, &part);
    return DROP_NONE;
}

/* Whom it certified is judged without a question then. */
static void meet_issuer(struct mesh *m, const struct node_id *signer, uint64_t now_us)
{
    struct slice der = rolls_bytes(m->config.rolls, LIST_ISSUER, signer);
    if (rolls_issuer(m->config.rolls, signer))
        (void)!membership_learn(m->config.network, der, now_us);
}

static enum drop on_part(struct mesh *m, const struct link *l, const struct list_part *part, uint64_t now_us)
{
    const struct peer *p = link_owner(l);
    struct message_list list;
    enum rolls_verdict why;
    enum exchange_event event = exchange_on_part(m->rolls.exchange, p->slot, part, now_us, &list, &why);
    if (event == EXCHANGE_TAKEN && list.kind == LIST_ISSUER)
        meet_issuer(m, &list.signer, now_us);
    ask(m, now_us);
    act(m, now_us);
    return event == EXCHANGE_UNASKED || event == EXCHANGE_REFUSED ? DROP_RECORD : DROP_NONE;
}

static enum drop on_lists(struct mesh *m, const struct link *l, const struct message *message,
                          uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    exchange_on_lists(m->rolls.exchange, p->slot, message->lists.list, message->lists.count, now_us);
    if (exchange_has_all(m->rolls.exchange, p->slot))
        m->rolls.times[p->slot] = 0; /* there is nothing to tell it */
    ask(m, now_us);
    return DROP_NONE;
}

enum drop mesh_on_list(struct mesh *m, struct link *l, const struct message *message, uint64_t now_us)
{
    if (!m->rolls.exchange || !link_both_can(l, HELLO_FEATURE_NETWORK))
        return DROP_INNER;
    if (message->type == MESSAGE_LISTS)
        return on_lists(m, l, message, now_us);
    return message->type == MESSAGE_LIST_ASK ? on_question(m, l, &message->part, now_us)
                                             : on_part(m, l, &message->part, now_us);
}
