/* SPDX-License-Identifier: Apache-2.0 */
/* What is said under sessions in CONTROL datagrams. docs/PROTOCOL.md §12 and §16. Control thread. */

#include "proto/mesh/mesh_sealed.h"

#include "base/uninitialized.h"
#include "crypto/secret.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include "proto/wire/wire.h"
#include <stdio.h>

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

void mesh_say_under(struct link *l, struct session *s, const struct message *message)
{
    struct peer *p = peer_of(l);
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
        mesh_say_under(l, s, message);
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
