/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, and what is said under them in CONTROL datagrams. docs/PROTOCOL.md §12 and §16. Control thread. */

#include "proto/mesh/mesh_sealed.h"

#include "base/uninitialized.h"
#include "crypto/secret.h"
#include "proto/mesh/mesh_lanes.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include "proto/wire/wire.h"
#include <stdio.h>
#include <stdlib.h>

#define BYE_TIMES      3  /* nobody answers it, and each may be lost */
#define SEGMENT_AROUND 32 /* at most, of a message around a segment's data */

/* What one CONTROL datagram holds: no more than nearly any path carries, as it may go astray with the path's size. */
static size_t control_room(const struct path *path)
{
    return (path->size < WIRE_BASE_SIZE ? path->size : WIRE_BASE_SIZE) - WIRE_OVERHEAD;
}

static struct peer *peer_of(const struct link *l)
{
    return link_owner(l);
}

/* Random but for its last byte, by which workers share the peers among them (node/data/spread.h). What is promised to
 * a peer is taken: two promises of one index would become two sessions with one index. */
uint32_t mesh_reserve_index(const struct peer *p)
{
    uint32_t index;
    do
        index = (mesh_random(p->mesh) & ~0xffu) | (p->slot & 0xff);
    while (index == 0 || table_get(p->mesh->receivers, index));
    struct mesh_receiver *r = calloc(1, sizeof(*r));
    if (r && table_put(p->mesh->receivers, index, r) == 0)
        return index;
    free(r);
    return 0;
}

void mesh_release_index(struct mesh *m, uint32_t index)
{
    const struct mesh_receiver *r = table_get(m->receivers, index);
    if (r && !r->session)
        free(table_remove(m->receivers, index));
}

static uint32_t reserve_index(void *context)
{
    return mesh_reserve_index(peer_of(context));
}

static void release_index(void *context, uint32_t index)
{
    mesh_release_index(peer_of(context)->mesh, index);
}

static int session_added(void *context, struct session *s)
{
    struct link *l = context;
    struct mesh *m = peer_of(l)->mesh;
    struct mesh_receiver *r = table_get(m->receivers, session_rx_index(s));
    if (!r || r->session)
        return ERR_EXISTS;
    int err = outputs_promise(&m->outputs, 1);
    if (err)
        return err;
    *r = (struct mesh_receiver){s, l};
    mesh_publish(m, peer_of(l));
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    struct peer *p = peer_of(context);
    free(table_remove(p->mesh->receivers, session_rx_index(s)));
    peer_account(p, s);
    mesh_publish(p->mesh, p);
    mesh_retire(p->mesh, s);
}

static void send_changed(void *context)
{
    mesh_publish(peer_of(context)->mesh, peer_of(context));
}

void mesh_send_sealed(struct peer *p, struct session *s, enum wire_type type, const struct slice *pieces,
                      size_t count, const struct endpoint *to)
{
    UNINITIALIZED uint8_t datagram[WIRE_DATAGRAM_MAX];
    int len = session_seal(s, type, WIRE_LANE_CONTROL, pieces, count, datagram);
    if (len < 0)
        return;
    mesh_send_datagram(p->mesh, to, datagram, (size_t)len);
}

/* In as many datagrams as it takes on that path. */
static void send_by(struct peer *p, struct session *s, const struct message *message, const struct path *path)
{
    uint8_t encoded[MESSAGE_MAX];
    struct writer w = writer_init(encoded, sizeof(encoded));
    message_encode(message, &w);
    if (w.bad)
        return;
    size_t len = writer_len(&w), part = len;
    unsigned parts = fragment_plan(len, control_room(path), &part);
    uint16_t group = p->mesh->fragment_group++;
    for (unsigned i = 0; i < parts; i++) {
        size_t at = i * part, n = len - at < part ? len - at : part;
        struct wire_inner inner = {0};
        if (parts > 1)
            inner = (struct wire_inner){.flags = WIRE_FLAG_FRAGMENT,
                                        .group = group,
                                        .frag_offset = (uint16_t)at,
                                        .frag_total = (uint16_t)len};
        uint8_t head[WIRE_INNER_LEN];
        wire_inner_encode(&inner, head);
        const struct slice pieces[] = {{head, sizeof(head)}, {encoded + at, n}};
        mesh_send_sealed(p, s, WIRE_CONTROL, pieces, 2, &path->endpoint);
    }
    secret_wipe(encoded, sizeof(encoded));
}

static void send_control(void *context, struct session *s, const struct message *message)
{
    struct peer *p = peer_of(context);
    const struct path *best = path_best(p->paths);
    if (best)
        send_by(p, s, message, best);
}

static struct session *session_of(const struct link *l)
{
    return link_keychain(l) ? keychain_send_session(link_keychain(l)) : NULL;
}

void mesh_say_sealed(struct link *l, const struct message *message)
{
    struct session *s = session_of(l);
    if (s)
        send_control(l, s, message);
}

void mesh_say_everywhere(struct link *l, const struct message *message)
{
    struct peer *p = peer_of(l);
    struct session *s = session_of(l);
    struct path paths[PATHS_MAX];
    size_t count = s ? path_list(p->paths, paths, PATHS_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        if (paths[i].state == PATH_STATE_PROVEN || paths[i].state == PATH_STATE_SUSPECT)
            send_by(p, s, message, &paths[i]);
}

void mesh_say_bye(struct link *l, enum bye_code code, const char *text)
{
    struct message bye = {.type = MESSAGE_BYE, .bye = {.code = (uint8_t)code}};
    snprintf(bye.bye.text, sizeof(bye.bye.text), "%s", text);
    for (unsigned i = 0; i < BYE_TIMES; i++)
        mesh_say_sealed(l, &bye);
}

bool mesh_needs_datagrams(const struct link *l)
{
    return !link_has_stream(l) || link_remote(l)->kind == TARGET_SESSION;
}

size_t mesh_segment_room(const struct path *path)
{
    return control_room(path) - SEGMENT_AROUND;
}

struct keychain_ops mesh_keychain_ops(struct link *l)
{
    return (struct keychain_ops){.reserve_index = reserve_index,
                                 .release_index = release_index,
                                 .session_added = session_added,
                                 .session_dropped = session_dropped,
                                 .cool = mesh_cool_lanes,
                                 .send_changed = send_changed,
                                 .send_control = send_control,
                                 .context = l};
}
