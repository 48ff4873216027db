/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing that a peer says of the end is believed beyond its own link and session. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_bye.h"

#include "proto/mesh/mesh_leave.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include <stdio.h>

/* Those that say who we are to it; others say what this connection lacks. */
static bool ends_session(uint8_t code)
{
    return code == REFUSE_STRANGER || (code >= REFUSE_MEMBERS_ONLY && code <= REFUSE_REVOKED);
}

/* To the peer we are nobody any more: neither is it to us, whatever it said on another stream. */
void mesh_on_refused(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    char text[MESSAGE_TEXT_MAX + 1];
    snprintf(text, sizeof(text), "%s", link_message(l)->refuse.text);
    if (p) {
        peer_dial_error(p, "it refused us: %s", text);
        if (!p->dial.refused)
            mesh_note(m, MESH_NOTICE_REFUSED_US, p, text);
        peer_dial_refused(p);
        if (ends_session(link_message(l)->refuse.code) && p->current && p->current != l)
            mesh_lose(m, p, p->current, "it refused us", now_us);
        mesh_lose(m, p, l, "it refused us", now_us);
        return;
    }
    mesh_discard_link(m, l);
}

static const char *reason_of_bye(unsigned code)
{
    switch (code) {
    case BYE_DISALLOWED:
        return "it admits us no longer";
    case BYE_DISCONNECTED:
        return "it was told to disconnect";
    }
    return "it said goodbye";
}

/* The peer let in somebody with our key who is not us: no link of ours has taken l's place, or is about to. */
static bool another_has_our_key(const struct peer *p, const struct link *l)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (p->links[i] != l && link_state(p->links[i]) >= LINK_STATE_GREETING)
            return false;
    return p->current == l;
}

static void on_usurped(struct mesh *m, struct link *l, const char *by, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    char where[MESSAGE_TEXT_MAX + 8] = "";
    if (by[0])
        snprintf(where, sizeof(where), ", from %s", by);
    mesh_lose(m, p, l, NULL, now_us);
    peer_dial_usurped(p, now_us);
    peer_dial_error(
        p, "another host uses our key, and took over the session%s: give one of the two a key of its own",
        where);
    mesh_note(m, MESH_NOTICE_OWN_KEY, p, where);
}

static void end_as_told(struct mesh *m, struct link *l, unsigned code, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    const char *why = reason_of_bye(code);
    if (code == BYE_DISALLOWED)
        mesh_leave_on_shut_out(m, p);
    peer_dial_error(p, "%s", why);
    mesh_lose(m, p, l, why, now_us);
}

static void on_replaced(struct mesh *m, struct link *l, const char *by, uint64_t now_us)
{
    if (link_state(l) == LINK_STATE_LIVE && another_has_our_key(link_owner(l), l)) {
        on_usurped(m, l, by, now_us);
        return;
    }
    link_on_replaced(l, now_us);
    mesh_end_stream(m, l);
}

void mesh_on_bye(struct mesh *m, struct link *l, uint64_t now_us)
{
    if (link_state(l) >= LINK_STATE_LIVE && link_message(l)->bye.code == BYE_REPLACED) {
        char by[MESSAGE_TEXT_MAX + 1]; /* the message is the link's */
        snprintf(by, sizeof(by), "%s", link_message(l)->bye.text);
        on_replaced(m, l, by, now_us);
        return;
    }
    if (link_owner(l))
        end_as_told(m, l, link_message(l)->bye.code, now_us);
    else
        mesh_discard_link(m, l);
}

/* What replaced a link is told on its stream, if it has one. */
void mesh_on_sealed_bye(struct mesh *m, struct link *l, const struct message *bye, uint64_t now_us)
{
    if (bye->bye.code != BYE_REPLACED)
        end_as_told(m, l, bye->bye.code, now_us);
    else if (link_both_can(l, HELLO_FEATURE_SESSION) && link_state(l) == LINK_STATE_LIVE)
        on_replaced(m, l, bye->bye.text, now_us);
}
