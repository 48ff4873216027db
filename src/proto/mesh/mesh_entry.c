/* SPDX-License-Identifier: Apache-2.0 */
/* A network takes the place of lists: whoever shows its certificate is admitted, and only so long. docs/PROTOCOL.md §25.
 * Control thread. */

#include "proto/mesh/mesh_entry.h"

#include "base/clock.h"
#include "proto/mesh/mesh_asking.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_lists.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include "proto/network/entry.h"
#include <stdio.h>

bool mesh_may_enter(const struct mesh *m, const struct peer *p)
{
    return mesh_admits(m, p) || (m->config.network && !(p && p->barred));
}

int mesh_begin_entry(struct mesh *m, struct link *l, const struct peer *p)
{
    static const struct membership_seen nothing;
    uint8_t spki[IDENTITY_SPKI_LEN];
    struct entry *e;
    if (!m->config.network)
        return 0;
    int err = link_peer_spki(l, spki);
    if (!err)
        err = entry_new(m->config.network, spki, p && p->member ? &p->member->seen : &nothing,
                        mesh_admits(m, p), &e);
    if (err)
        return err;
    err = mesh_serve(m, l, e);
    link_enter(l, e);
    return err;
}

bool mesh_awaits_entry(const struct link *l)
{
    return link_entry(l) && entry_state(link_entry(l)) != ENTRY_ADMITTED;
}

void mesh_say_member(struct mesh *m, struct link *l)
{
    struct message member = {.type = MESSAGE_MEMBER};
    if (!m->config.network)
        return;
    member.certificate = membership_bytes(m->config.network, MEMBERSHIP_MEMBER);
    link_send(l, &member);
}

void mesh_keep_certificate(struct mesh *m, const struct link *l)
{
    const struct entry *e = link_entry(l);
    struct peer *p = link_owner(l);
    if (!e || !entry_cert(e))
        return;
    mesh_touch(m, p);
    peer_certify(p, entry_cert(e), entry_seen(e));
}

/* Whom we dialled is told of as one that cannot be reached; who came, as one that was refused. */
void mesh_on_unfit(struct mesh *m, struct link *l)
{
    const struct entry *e = link_entry(l);
    const struct peer *p = mesh_find_peer(m, link_peer_id(l));
    char remote[TARGET_TEXT_MAX], note[TARGET_TEXT_MAX + ENTRY_REASON_MAX + 2];
    snprintf(note, sizeof(note), "%s: %s", target_format(link_remote(l), remote), entry_reason(e));
    if (link_is_opener(l))
        peer_dial_failed(link_owner(l), link_remote(l), false, entry_reason(e));
    else
        mesh_note_id(m, MESH_NOTICE_REFUSED, link_peer_id(l), p ? p->name : "", note);
    link_refuse(l, entry_code(e), entry_refusal(entry_code(e)));
    mesh_discard_link(m, l);
}

void mesh_note_unentered(struct mesh *m, const struct link *l, const char *why)
{
    char remote[TARGET_TEXT_MAX], note[320];
    if (link_owner(l) || !mesh_awaits_entry(l) || !link_peer_id(l))
        return;
    snprintf(note, sizeof(note), "%s: %s", target_format(link_remote(l), remote), why);
    mesh_note_id(m, MESH_NOTICE_REFUSED, link_peer_id(l), "", note);
}

/* ---- until when ---- */

void mesh_note_shown(const struct mesh *m, const struct link *l)
{
    const struct membership *ms = m->config.network;
    peer_shown(link_owner(l),
               ms && link_both_can(l, HELLO_FEATURE_NETWORK) ? membership_end_us(ms, membership_me(ms)) : 0);
}

/* Each at a time of its own: nobody has to shake all hands at once. The next handshake by itself is sooner as a rule. */
static void show_to(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (!p->shown_end_us || !peer_send_session(p))
        return;
    uint64_t left_us = p->shown_end_us > now_us ? p->shown_end_us - now_us : 0;
    peer_rehandshake_by(p, now_us + mesh_random(m) % (left_us / 2 + 1));
    mesh_touch(m, p);
}

void mesh_show_anew(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++)
        if (m->peers[i])
            show_to(m, m->peers[i], now_us);
}

/* Its certificate says what it is called and may do; that it may be here, a person does. */
static bool needs_none(const struct mesh *m, const struct peer *p)
{
    return m->config.is_public || mesh_is_named(p);
}

static void end_member(struct mesh *m, struct peer *p, enum cert_verdict verdict, uint64_t now_us)
{
    char why[96];
    snprintf(why, sizeof(why), "its certificate %s", cert_verdict_str(verdict));
    mesh_touch(m, p);
    mesh_end_peer(m, p, BYE_DISALLOWED, why, now_us);
}

uint64_t mesh_certificate_deadline(const struct peer *p)
{
    bool counts = p->member && p->link_count && !needs_none(p->mesh, p);
    return counts ? membership_end_us(p->mesh->config.network, &p->member->cert) : TIME_NEVER;
}

void mesh_tick_certificate(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (mesh_certificate_deadline(p) <= now_us)
        end_member(m, p, CERT_RENEWABLE, now_us);
}

void mesh_judge_members(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        if (!p || !p->member || !p->link_count || needs_none(m, p))
            continue;
        enum cert_verdict verdict = membership_still(m->config.network, &p->member->cert, now_us);
        if (verdict != CERT_OK)
            end_member(m, p, verdict, now_us);
    }
    mesh_tick(m, now_us);
}

/* ---- rosters ---- */

int mesh_enroll(struct mesh *m, const struct node_id *id)
{
    struct peer *p = mesh_find_peer(m, id);
    int err = 0;
    if (id_compare(id, identity_id(m->config.me)) == 0)
        return ERR_EXISTS;
    if (p && (p->wanted || p->allowed || p->barred))
        return 0;
    if (!p && (err = mesh_add_peer(m, id, &p)))
        return err;
    peer_enroll(p);
    mesh_touch(m, p);
    return mesh_member_join(m, p);
}

void mesh_unenroll(struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p || !p->enrolled)
        return;
    mesh_leave_alone(m, p);
    peer_dismiss(p);
    mesh_touch(m, p);
    mesh_tick(m, now_us);
}
