/* SPDX-License-Identifier: Apache-2.0 */
/* Whether data can flow to a peer, in words: each change is told once (proto/peer/reach.h). Control thread. */

#include "proto/mesh/mesh_reach.h"

#include "base/clock.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include <stdio.h>

void mesh_describe_link(const struct link *l, char out[MESH_HOW_MAX])
{
    char remote[TARGET_TEXT_MAX];
    bool straight = target_is_host(link_remote(l));
    const char *verb = link_is_opener(l) ? (straight ? "dialled" : "dialled through")
                                         : (straight ? "accepted from" : "accepted through");
    snprintf(out, MESH_HOW_MAX, "%s %s, %s", verb, target_format(link_remote(l), remote), link_suite(l));
}

/* The address that people are told of: the last one that carried, or one that was tried. */
static struct addr asked_over_udp(const struct peer *p)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(p->paths, paths, PATHS_MAX);
    if (p->path_told.carrier == CARRIER_UDP)
        return p->path_told.remote;
    bool straight = count && paths[0].endpoint.carrier == CARRIER_UDP; /* the others come last */
    return straight ? paths[0].endpoint.remote : (struct addr){0};
}

static const char *said_of_uplinks(const struct peer *p)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(p->paths, paths, PATHS_MAX);
    if (!p->pairs_asked)
        return "";
    for (size_t i = 0; i < count; i++)
        if (paths[i].endpoint.carrier == CARRIER_UPLINK)
            return "; nor by the backbone";
    return "; nor by the backbone: it has no uplink there";
}

void mesh_describe_dark(const struct peer *p, char out[MESH_PEER_ERROR_MAX])
{
    struct addr asked = asked_over_udp(p);
    char text[ADDR_TEXT_MAX], control[272] = "", trunk[TRUNK_ERROR_MAX + 64] = "";
    const char *uplinks = said_of_uplinks(p);
    bool connected = p->current && link_has_stream(p->current);
    if (!connected && p->dial.error[0])
        snprintf(control, sizeof(control), "; nor over TCP: %s", p->dial.error);
    else if (!connected && (p->dial.broke || !peer_carries_control(p)))
        snprintf(control, sizeof(control), "; its control connection broke, too");
    if (connected && p->trunk.error[0])
        snprintf(trunk, sizeof(trunk), "; nor over TCP to its control port: %s", p->trunk.error);
    if (!asked.family)
        snprintf(out, MESH_PEER_ERROR_MAX, "it has named no address for UDP that can be used%s%s%s", trunk,
                 uplinks, control);
    else
        snprintf(
            out, MESH_PEER_ERROR_MAX,
            "nothing comes back over UDP from %s: do the firewalls on both sides pass UDP port %u?%s%s%s",
            addr_format(&asked, text), asked.port, trunk, uplinks, control);
}

static void tell_open(struct mesh *m, struct peer *p, uint64_t silence_us)
{
    char how[MESH_HOW_MAX], text[MESH_HOW_MAX + 64];
    mesh_describe_link(p->current, how);
    if (silence_us)
        snprintf(text, sizeof(text), "after %llu s without a path; %s",
                 (unsigned long long)((silence_us + USEC_PER_SEC / 2) / USEC_PER_SEC), how);
    else
        snprintf(text, sizeof(text), "%s", how);
    mesh_note(m, MESH_NOTICE_CONNECTED, p, text);
}

static void tell_dark(struct mesh *m, struct peer *p)
{
    char text[MESH_PEER_ERROR_MAX];
    mesh_describe_dark(p, text);
    mesh_note(m, MESH_NOTICE_NO_PATH, p, text);
}

void mesh_update_reach(struct mesh *m, struct peer *p, uint64_t now_us)
{
    uint64_t silence_us = 0;
    bool session = peer_send_session(p) != NULL;
    switch (reach_update(&p->reach, session, peer_path_answers(p), now_us, &silence_us)) {
    case REACH_NEWS_OPEN:
    case REACH_NEWS_REOPEN:
        tell_open(m, p, silence_us);
        mesh_gossip_on_open(m, p, now_us);
        mesh_rolls_on_open(m, p, now_us);
        break;
    case REACH_NEWS_DARK:
        tell_dark(m, p);
        break;
    case REACH_NEWS_NONE:
        break;
    }
}
