/* SPDX-License-Identifier: Apache-2.0 */
/* Each waiting call has a place, found again by its token. */

#include "node/command/pings.h"

#include "base/clock.h"
#include "node/api/api.h"
#include "node/command/describe.h"
#include "proto/mesh/mesh.h"
#include <string.h>

void pings_init(struct pings *p, struct mesh *mesh, const struct backbones *backbones,
                const struct device *device)
{
    *p = (struct pings){.mesh = mesh, .backbones = backbones, .device = device};
}

/* ---- whom ---- */

struct ping_search {
    const char *wanted;
    struct mesh_peer peer;
    unsigned matches;
};

static void match_peer(void *context, const struct mesh_peer *peer)
{
    struct ping_search *s = context;
    char id[ID_TEXT_MAX];
    id_format(&peer->id, id);
    size_t len = strlen(s->wanted);
    if (strcmp(peer->name, s->wanted) != 0 && (len < 4 || strncmp(id, s->wanted, len) != 0))
        return;
    s->matches++;
    s->peer = *peer;
}

/* False: it has answered why not. */
static bool find_peer(const struct mesh *m, const json_t *request, struct api_call *call,
                      struct ping_search *s)
{
    s->wanted = json_string_value(json_object_get(request, "peer"));
    if (!s->wanted) {
        api_fail(call, "ping needs a peer: its name or the first digits of its id");
        return false;
    }
    mesh_peers(m, match_peer, s);
    if (s->matches != 1)
        api_fail(call,
                 s->matches ? "more than one peer is called %s: give more digits of the id"
                            : "no peer is called %s",
                 s->wanted);
    return s->matches == 1;
}

/* ---- pings ---- */

static struct ping *free_place(struct pings *p)
{
    for (unsigned i = 0; i < PINGS_MAX; i++)
        if (!p->list[i].call)
            return &p->list[i];
    return NULL;
}

/* Who asks may ask again soon: a member that waits for its turn has it now. */
static void fail_apart(struct pings *p, const struct ping_search *s, struct api_call *call, uint64_t now_us)
{
    const char *why = s->peer.error;
    api_fail(call, "%s is not connected%s%s", s->wanted, why[0] ? ": " : "", why);
    mesh_on_demand(p->mesh, s->peer.slot, now_us);
}

void pings_start(struct pings *p, const json_t *request, struct api_call *call)
{
    struct ping_search s = {.wanted = NULL};
    if (!find_peer(p->mesh, request, call, &s))
        return;
    struct ping *place = free_place(p);
    uint64_t now_us = clock_monotonic_us(), token = ++p->last_token;
    if (!place)
        api_fail(call, "too many pings at once");
    else if (mesh_ping(p->mesh, s.peer.slot, token, now_us))
        fail_apart(p, &s, call, now_us);
    else
        *place = (struct ping){call, s.peer.slot, token, now_us + PINGS_TIMEOUT_US};
}

struct pong_reply {
    const struct ping *ping;
    const struct backbones *backbones;
    const struct device *device;
    uint32_t rtt_us;
    json_t *result;
};

static void describe_pong(void *context, const struct mesh_peer *peer)
{
    struct pong_reply *r = context;
    if (peer->slot == r->ping->slot && !r->result)
        r->result =
            json_pack("{s:o, s:s, s:i, s:o}", "peer_id", describe_id(&peer->id), "name", peer->name, "rtt_us",
                      (int)r->rtt_us, "path", describe_path(&peer->path, r->backbones, r->device));
}

void pings_pong(struct pings *p, uint64_t token, uint32_t rtt_us)
{
    for (struct ping *ping = p->list; ping < p->list + PINGS_MAX; ping++) {
        if (!ping->call || ping->token != token)
            continue;
        struct pong_reply reply = {ping, p->backbones, p->device, rtt_us, NULL};
        mesh_peers(p->mesh, describe_pong, &reply);
        api_reply(ping->call, reply.result);
        ping->call = NULL;
    }
}

static void fail_until(struct pings *p, uint64_t deadline_us, const char *why)
{
    for (struct ping *ping = p->list; ping < p->list + PINGS_MAX; ping++) {
        if (!ping->call || ping->deadline_us > deadline_us)
            continue;
        api_fail(ping->call, "%s", why);
        ping->call = NULL;
    }
}

void pings_tick(struct pings *p, uint64_t now_us)
{
    fail_until(p, now_us, "no answer within 2 s");
}

void pings_end(struct pings *p)
{
    fail_until(p, TIME_NEVER, "the node is stopping");
}
