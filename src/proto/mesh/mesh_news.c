/* SPDX-License-Identifier: Apache-2.0 */
/* The same news, whichever way they come. docs/PROTOCOL.md §7 and §16. Control thread. */

#include "proto/mesh/mesh_news.h"

#include "base/clock.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include "proto/network/membership.h"
#include <stdio.h>

#define RENEW_REPEAT_PART 65              /* of the hard age: a minute */
#define TIME_MAX_S        253402300799ull /* the end of the year 9999, as certificates have it */

void mesh_tell(struct mesh *m, struct link *l, const struct message *news)
{
    if (link_has_stream(l)) {
        link_send(l, news);
        mesh_flush(m, l);
    } else if (link_both_can(l, HELLO_FEATURE_SESSION)) {
        mesh_say_sealed(l, news);
    }
}

/* A NAT on the peer's side may have forgotten it: only its own datagrams open the way again. */
void mesh_tell_to_wake(struct mesh *m, struct link *l)
{
    const struct message wake = {.type = MESSAGE_WAKE};
    if (link_has_stream(l))
        mesh_tell(m, l, &wake);
    if (link_both_can(l, HELLO_FEATURE_SESSION))
        mesh_say_everywhere(l, &wake);
}

/* One of an earlier version that never handshakes anew is told of, once. */
static void tell_stale(struct mesh *m, const struct link *l, uint64_t hard_us, uint64_t repeat_us,
                       uint64_t now_us)
{
    if (!link_asked_us(l) || link_asked_us(l) - link_live_us(l) >= hard_us + repeat_us)
        return;
    char text[64];
    snprintf(text, sizeof(text), "%u minutes", (unsigned)((now_us - link_live_us(l)) / (60 * USEC_PER_SEC)));
    mesh_note(m, MESH_NOTICE_STALE, link_owner(l), text);
}

void mesh_ask_to_renew(struct mesh *m, struct link *l, uint64_t now_us)
{
    uint64_t hard_us = peer_hard_age_us(m->config.rehandshake_us), repeat_us = hard_us / RENEW_REPEAT_PART;
    bool ends = link_both_can(l, HELLO_FEATURE_SESSION); /* with its hard age */
    uint64_t from_us = ends ? m->config.rehandshake_us : hard_us;
    if (link_is_opener(l) || now_us - link_live_us(l) < from_us || now_us - link_asked_us(l) < repeat_us)
        return;
    if (!ends)
        tell_stale(m, l, hard_us, repeat_us, now_us);
    link_on_asked(l, now_us);
    mesh_tell(m, l, &(struct message){.type = MESSAGE_RENEW});
}

/* The opener is told once an interval has passed since it last proved its key; never sooner, whatever a peer says. */
static void on_renew(struct mesh *m, const struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (p->current == l && link_is_opener(l) && now_us - link_live_us(l) >= m->config.rehandshake_us / 2)
        peer_rehandshake(p, now_us);
}

static void on_wake(struct mesh *m, struct peer *p, uint64_t now_us)
{
    path_wake(p->paths, m->config.local_max, now_us);
    mesh_poll_paths(m, p, now_us);
}

static void on_candidates(struct mesh *m, struct peer *p, const struct message *news, uint64_t now_us)
{
    mesh_learn_candidates(m, p, news->candidates.list, news->candidates.count, now_us);
    mesh_gossip_on_moved(m, p, news->candidates.list, news->candidates.count, now_us);
}

/* Old nodes, and those in no network, neither say nor hear it. */
void mesh_tell_about(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct message about = {.type = MESSAGE_ABOUT};
    if (!link_both_can(l, HELLO_FEATURE_ABOUT))
        return;
    snprintf(about.about.version, sizeof(about.about.version), "%s", m->config.version);
    about.about.time = membership_clock(m->config.network, now_us);
    mesh_tell(m, l, &about);
}

/* Whatever it says: a person reads it, and nothing else follows. */
static void on_about(const struct link *l, const struct message *news, uint64_t now_us)
{
    if (link_both_can(l, HELLO_FEATURE_ABOUT) && news->about.time <= TIME_MAX_S)
        peer_about(link_owner(l), news->about.version, news->about.time, now_us);
}

void mesh_on_news(struct mesh *m, struct link *l, const struct message *news, uint64_t now_us)
{
    if (news->type == MESSAGE_CANDIDATES)
        on_candidates(m, link_owner(l), news, now_us);
    else if (news->type == MESSAGE_WAKE)
        on_wake(m, link_owner(l), now_us);
    else if (news->type == MESSAGE_ABOUT)
        on_about(l, news, now_us);
    else
        on_renew(m, l, now_us);
}

enum drop mesh_on_sealed_news(struct mesh *m, struct link *l, const struct message *news, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    mesh_on_news(m, l, news, now_us);
    return DROP_NONE;
}
