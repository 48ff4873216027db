/* SPDX-License-Identifier: Apache-2.0 */
/* A stream's events go to its link, and the link's to whom they concern. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_stream.h"

#include "base/clock.h"
#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_asking.h"
#include "proto/mesh/mesh_bye.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_handshake.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_news.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_trunk.h"
#include <stdio.h>

#define KILOBYTE 1024

/* Returns true when the link lives on (with its keys, without its stream). */
static bool on_failed(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (link_state(l) < LINK_STATE_LIVE) {
        if (p && link_is_opener(l))
            peer_dial_failed(p, link_remote(l), link_error(l) == ERR_MISMATCH, link_reason(l));
        if (link_error(l) != ERR_CLOSED)
            mesh_note_unentered(m, l, link_reason(l));
        mesh_discard_link(m, l);
        return false;
    }
    bool ended = link_was_ended(l) && link_both_can(l, HELLO_FEATURE_SESSION);
    mesh_end_stream(m, l);
    if (p->current != l || ended)
        return true;
    peer_stream_broke(p);
    peer_dial_soon(p, now_us);
    path_wake(p->paths, m->config.local_max, now_us); /* it may be gone altogether */
    mesh_poll_paths(m, p, now_us);
    return true;
}

/* What it says is within what a peer may say. Else the connection ends, and is dialled anew no sooner than after a
 * failure; the keys of a LIVE link live on, any other is gone. */
static bool allowed(struct mesh *m, struct link *l, enum allowance_kind kind, unsigned cost, uint64_t now_us)
{
    static const char why[] = "it says more on its control connection than any node has to";
    struct peer *p = link_owner(l);
    if (allowance_take(&p->allowance, kind, cost, now_us))
        return true;
    mesh_note(m, MESH_NOTICE_EXCESS, p, why);
    peer_dial_error(p, "%s", why);
    if (link_state(l) >= LINK_STATE_LIVE)
        mesh_end_stream(m, l);
    else
        mesh_discard_link(m, l);
    peer_dial_round_failed(p, mesh_random(m), now_us);
    return false;
}

/* False: the link is gone. */
static bool act(struct mesh *m, struct link *l, enum link_event event, uint64_t now_us)
{
    switch (event) {
    case LINK_EVENT_IDENTIFIED:
        return mesh_on_identified(m, l, now_us);
    case LINK_EVENT_ENTERED:
        return mesh_on_entered(m, l, now_us);
    case LINK_EVENT_UNFIT:
        mesh_on_unfit(m, l);
        return false;
    case LINK_EVENT_ASKED:
        return mesh_on_asked(m, l, now_us);
    case LINK_EVENT_KEYABLE:
        return mesh_on_keyable(m, l, now_us);
    case LINK_EVENT_LIVE:
        mesh_on_live(m, l, now_us);
        return true;
    case LINK_EVENT_REFUSED:
        mesh_on_refused(m, l, now_us);
        return false;
    case LINK_EVENT_CANDIDATES:
    case LINK_EVENT_WAKE:
    case LINK_EVENT_RENEW:
    case LINK_EVENT_ABOUT:
        if (allowed(m, l, ALLOWANCE_MESSAGE, 1, now_us))
            mesh_on_news(m, l, link_message(l), now_us);
        return true;
    case LINK_EVENT_BYE:
        mesh_on_bye(m, l, now_us);
        return false;
    case LINK_EVENT_FAILED:
        return on_failed(m, l, now_us);
    case LINK_EVENT_NONE:
        return true;
    }
    return true;
}

/* Whom we dialled, who has proved its id, or who is expected goes first. False: for
 * want of memory l has failed instead. */
static bool give_out_work(struct mesh *m, struct link *l)
{
    if (!link_has_work(l))
        return true;
    bool stranger = !link_is_opener(l) && !link_owner(l) && link_remote(l)->kind != TARGET_SESSION &&
                    !mesh_expects(m, link_remote(l));
    struct link_work *work = link_begin_work(l);
    if (work && mesh_give_out(m, work, stranger) == 0) {
        m->works++;
        return true;
    }
    if (work)
        (void)link_worked(work);
    return false;
}

void mesh_advance(struct mesh *m, struct link *l, uint64_t now_us)
{
    enum link_event event;
    do {
        while ((event = link_next(l, now_us)) != LINK_EVENT_NONE)
            if (!act(m, l, event, now_us))
                return;
        mesh_flush(m, l);
    } while (!give_out_work(m, l));
}

/* The link on stream conn, or NULL; what happens there may change its peer. */
static struct link *link_on(struct mesh *m, uint64_t conn)
{
    struct link *l = table_get(m->streams, conn);
    if (l && link_owner(l))
        mesh_touch(m, link_owner(l));
    return l;
}

void mesh_on_connected(struct mesh *m, uint64_t conn, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l) {
        (void)mesh_on_trunk_connected(m, conn, now_us);
        return;
    }
    link_on_connected(l);
    if (link_is_opener(l)) {
        peer_dial_answered(link_owner(l), link_remote(l), now_us);
        mesh_member_answered(m, link_owner(l), now_us);
    }
    mesh_advance(m, l, now_us);
}

void mesh_on_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l) {
        if (!mesh_on_trunk_bytes(m, conn, now_us))
            mesh_on_guest_bytes(m, conn, data, len, now_us);
        return;
    }
    if (link_state(l) >= LINK_STATE_GREETING && link_owner(l) &&
        !allowed(m, l, ALLOWANCE_KILOBYTE, (len + KILOBYTE - 1) / KILOBYTE, now_us))
        return;
    link_on_bytes(l, data, len);
    mesh_advance(m, l, now_us);
}

void mesh_on_closed(struct mesh *m, uint64_t conn, const char *reason, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l) {
        if (!mesh_on_trunk_closed(m, conn, reason, now_us) && lobby_leave(m->lobby, conn))
            outputs_give_back(&m->outputs, 1);
        return;
    }
    link_on_closed(l, reason);
    mesh_advance(m, l, now_us);
}

void mesh_on_worked(struct mesh *m, struct link_work *work, uint64_t now_us)
{
    struct link *l = link_worked(work);
    m->works--;
    if (l && link_owner(l))
        mesh_touch(m, link_owner(l));
    if (l) {
        const uint64_t conn = link_conn(l);
        mesh_advance(m, l, now_us);
        mesh_session_hurry(m, conn, now_us);
    }
    mesh_receive_guests(m, now_us);
}

/* Its keys are as old as they may become, and its connection as idle. */
static void tick_carrying(struct mesh *m, struct peer *p, struct link *l, uint64_t now_us)
{
    bool carries = link_both_can(l, HELLO_FEATURE_SESSION);
    if (carries && now_us - link_live_us(l) >= peer_hard_age_us(m->config.rehandshake_us)) {
        mesh_lose(m, p, l, "no new handshake has proven its key in time", now_us);
        return;
    }
    mesh_ask_to_renew(m, l, now_us);
    if (carries && link_has_stream(l) && now_us - link_used_us(l) >= m->config.control_idle_us) {
        link_end_stream(l);
        mesh_end_stream(m, l);
    }
}

static void tick_link(struct mesh *m, struct peer *p, struct link *l, uint64_t now_us)
{
    if (link_keychain(l))
        keychain_tick(link_keychain(l), now_us);
    bool late = link_is_late(l, now_us);
    if (late && link_state(l) == LINK_STATE_DRAINING) {
        mesh_lose(m, p, l, "it replaced the session and then went away", now_us);
    } else if (late) {
        link_on_late(l);
        on_failed(m, l, now_us);
    } else if (link_state(l) == LINK_STATE_LIVE && !keychain_send_session(link_keychain(l))) {
        mesh_lose(m, p, l, p->reach.state == REACH_DARK ? NULL : "its keys could not be renewed in time",
                  now_us);
    } else if (p->current == l && link_state(l) == LINK_STATE_LIVE) {
        tick_carrying(m, p, l, now_us);
    }
}

void mesh_tick_links(struct mesh *m, struct peer *p, uint64_t now_us)
{
    for (unsigned i = p->link_count; i-- > 0;)
        tick_link(m, p, p->links[i], now_us);
}
