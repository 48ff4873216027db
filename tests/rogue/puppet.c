/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-driven peer. docs/PROTOCOL.md §3, §6, §9 and §12. */

#include "puppet.h"

#include "base/clock.h"
#include "crypto/aead.h"
#include "crypto/keyfile.h"
#include "crypto/ratchet.h"
#include "crypto/secret.h"
#include "net/udp.h"
#include "proto/session/fragment.h"
#include "proto/path/path.h"
#include "proto/wire/trunk.h"
#include "puppet_channel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTROL_ROOM (WIRE_BASE_SIZE - WIRE_OVERHEAD)
#define REPEAT_US    50000

int puppet_open(struct puppet *p, const char *keydir, const struct node_id *id, const struct addr *control,
                const struct addr *data)
{
    struct identity *me;
    int err = identity_load(keydir, &me);
    return err ? err : puppet_open_as(p, me, id, control, data);
}

int puppet_open_as(struct puppet *p, struct identity *me, const struct node_id *id,
                   const struct addr *control, const struct addr *data)
{
    *p = (struct puppet){.me = me, .id = *id, .control = *control, .tcp = -1};
    int err = tls_context_new(p->me, &p->context);
    if (!err)
        err = udp_open(0, 1, &p->udp);
    if (!err)
        err = udp_batch_new(&p->batch);
    if (!err)
        udp_remote_init(&p->udp, &(struct addr){0}, data, &p->data);
    return err;
}

void puppet_close(struct puppet *p)
{
    puppet_hang_up(p);
    ratchet_offer_free(p->offer);
    session_free(p->session);
    session_free(p->previous);
    udp_batch_free(p->batch);
    udp_close(&p->udp, 1);
    tls_context_free(p->context);
    identity_free(p->me);
}

/* ---- keys ---- */

static int take_keys(struct puppet *p, const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index)
{
    struct session_config config = {.tx_lanes = p->mine.lanes ? p->mine.lanes : 1,
                                    .rx_lanes = p->theirs.lanes,
                                    .rx_index = rx_index,
                                    .tx_index = tx_index,
                                    .initiator = true};
    struct session *s;
    config.suite = aead_common(p->mine.aeads, p->mine.aead_count, p->theirs.aeads, p->theirs.aead_count);
    int err = session_new(&config, root, &s);
    if (err)
        return err;
    session_free(p->previous);
    p->previous = p->session;
    p->session = s;
    memmove(p->root, root, KDF_LEN);
    p->pending_len = 0;
    return 0;
}

static int first_keys(struct puppet *p)
{
    const struct slice both[] = {{p->mine_hash, KDF_LEN}, {p->theirs_hash, KDF_LEN}};
    uint8_t context[KDF_LEN], root[KDF_LEN];
    int err = kdf_hash(both, 2, context);
    if (!err)
        err = tls_export(p->tls, context, sizeof(context), root, sizeof(root));
    if (!err)
        err = take_keys(p, root, p->mine.receiver_index, p->theirs.receiver_index);
    ratchet_offer_free(p->offer);
    p->offer = NULL;
    p->step = 0;
    return err;
}

void puppet_hello(struct puppet *p, struct hello *out)
{
    *out = (struct hello){.version_min = MESSAGE_VERSION,
                          .version_max = MESSAGE_VERSION,
                          .features = HELLO_FEATURE_SESSION | HELLO_FEATURE_TRUNK | HELLO_FEATURE_PUNCH |
                                      HELLO_FEATURE_RELAY_NODES | HELLO_FEATURE_RELAYS,
                          .aead_count = 1,
                          .aeads = {AEAD_AES_256_GCM},
                          .lanes = 1,
                          .mtu = 1500,
                          .name = "rogue",
                          .mac_count = 1,
                          .generation = p->mine.generation + 1};
    memcpy(out->macs[0], (uint8_t[]){2, 0, 0, 0, 0, 0x66}, sizeof(out->macs[0]));
    memcpy(out->boot, p->mine.boot, sizeof(out->boot));
    if (!p->mine.generation)
        secret_random(out->boot, sizeof(out->boot));
    secret_random(&out->receiver_index, sizeof(out->receiver_index));
}

/* ---- datagrams ---- */

void puppet_flush(struct puppet *p)
{
    if (p->pending_len)
        (void)!udp_send(&p->udp, &p->data, p->pending, p->pending_len, p->segment, 0);
    p->pending_len = 0;
}

void puppet_seal(struct puppet *p, enum wire_type type, const struct wire_inner *inner, const void *body,
                 size_t len)
{
    uint8_t head[WIRE_INNER_LEN];
    size_t total = WIRE_OVERHEAD + len;
    if (p->pending_len && (total != p->segment || p->pending_len + total > sizeof(p->pending) ||
                           p->pending_len / total >= UDP_SEGMENTS_MAX))
        puppet_flush(p);
    wire_inner_encode(inner, head);
    const struct slice pieces[] = {{head, sizeof(head)}, {body, len}};
    int n = session_seal(p->session, type, type == WIRE_DATA ? p->lane : WIRE_LANE_CONTROL, pieces, 2,
                         p->pending + p->pending_len);
    if (n < 0)
        return;
    p->segment = total;
    p->pending_len += (size_t)n;
}

void puppet_control(struct puppet *p, const struct message *m)
{
    uint8_t body[MESSAGE_MAX];
    struct writer w = writer_init(body, sizeof(body));
    message_encode(m, &w);
    size_t len = writer_len(&w), part = len;
    unsigned parts = fragment_plan(len, CONTROL_ROOM, &part);
    uint16_t group = p->group++;
    for (unsigned i = 0; i < parts; i++) {
        size_t at = i * part;
        struct wire_inner inner = {0};
        if (parts > 1)
            inner = (struct wire_inner){.flags = WIRE_FLAG_FRAGMENT,
                                        .group = group,
                                        .frag_offset = (uint16_t)at,
                                        .frag_total = (uint16_t)len};
        puppet_seal(p, WIRE_CONTROL, &inner, body + at, len - at < part ? len - at : part);
    }
    puppet_flush(p);
}

void puppet_offer(struct puppet *p)
{
    uint64_t now_us = clock_monotonic_us();
    if (p->offer && now_us - p->offered_us < REPEAT_US)
        return;
    if (!p->offer) {
        p->offered = (struct message){.type = MESSAGE_RATCHET_OFFER};
        p->offered.ratchet.step = p->step + 1;
        secret_random(&p->offered.ratchet.receiver_index, sizeof(p->offered.ratchet.receiver_index));
        if (ratchet_offer_new(&p->offer, p->offered.ratchet.key))
            return;
    }
    p->offered_us = now_us;
    puppet_control(p, &p->offered);
}

static void on_answer(struct puppet *p, const struct message *m)
{
    uint8_t root[KDF_LEN];
    if (!p->offer || m->ratchet.step != p->step + 1 ||
        ratchet_finish(p->offer, m->ratchet.key, p->root, root) ||
        take_keys(p, root, p->offered.ratchet.receiver_index, m->ratchet.receiver_index))
        return;
    ratchet_offer_free(p->offer);
    p->offer = NULL;
    p->step++;
    p->steps++;
    struct message done = {.type = MESSAGE_RATCHET_DONE};
    done.ratchet.step = p->step;
    puppet_control(p, &done);
}

/* One authentic probe shows the node where we are: it challenges that address, and then it is a path. */
static void show_address(struct puppet *p)
{
    uint8_t body[PATH_PROBE_LEN];
    path_probe_encode(&(struct path_probe){.kind = PATH_PROBE_REQUEST, .token = 1}, body);
    puppet_seal(p, WIRE_PROBE, &(struct wire_inner){0}, body, sizeof(body));
    puppet_flush(p);
}

int puppet_dial(struct puppet *p, const struct hello *hello, char refusal[MESSAGE_TEXT_MAX + 1])
{
    struct message m = {.type = MESSAGE_HELLO, .hello = *hello};
    size_t len;
    refusal[0] = '\0';
    puppet_hang_up(p);
    p->mine = *hello;
    if (!puppet_secure(p) || !puppet_say(p, &m) || !puppet_await(p, &m, &len)) {
        puppet_hang_up(p);
        return ERR_CLOSED;
    }
    if (m.type != MESSAGE_HELLO) {
        if (m.type == MESSAGE_REFUSE)
            snprintf(refusal, MESSAGE_TEXT_MAX + 1, "%s", m.refuse.text);
        puppet_hang_up(p);
        return ERR_PERMISSION;
    }
    const struct slice body = {p->inbox + PUPPET_PREFIX_LEN, len};
    p->theirs = m.hello;
    int err = kdf_hash(&body, 1, p->theirs_hash);
    if (!err)
        err = first_keys(p);
    m = (struct message){.type = MESSAGE_READY};
    if (!err && (!puppet_say(p, &m) || !puppet_await(p, &m, &len) || m.type != MESSAGE_READY))
        err = ERR_CLOSED;
    if (err)
        puppet_hang_up(p);
    else
        show_address(p);
    return err;
}

bool puppet_open_trunk(struct puppet *p, int *out)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&p->control, false, &sa);
    uint8_t body[PATH_PROBE_LEN];
    *out = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*out < 0 || connect(*out, (struct sockaddr *)&sa, len))
        return false;
    path_probe_encode(&(struct path_probe){.kind = PATH_PROBE_TRUNK, .token = 1}, body);
    puppet_flush(p);
    puppet_seal(p, WIRE_PROBE, &(struct wire_inner){0}, body, sizeof(body));
    return puppet_flush_by_trunk(p, *out);
}

bool puppet_flush_by_trunk(struct puppet *p, int trunk)
{
    uint8_t head[TRUNK_HEAD_LEN];
    const struct trunk_batch b = {.segment = (uint16_t)p->segment, .len = (uint16_t)p->pending_len};
    const struct iovec pieces[] = {{head, sizeof(head)}, {p->pending, p->pending_len}};
    const struct msghdr m = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = 2};
    trunk_encode(&b, head);
    ssize_t n = sendmsg(trunk, &m, MSG_NOSIGNAL);
    bool sent = n == (ssize_t)(sizeof(head) + p->pending_len);
    p->pending_len = 0;
    return sent;
}

static void on_probe(struct puppet *p, const uint8_t *body, size_t len)
{
    struct path_probe probe;
    uint8_t answer[PATH_PROBE_LEN];
    if (path_probe_decode(body, len, &probe) || probe.kind != PATH_PROBE_REQUEST)
        return;
    probe.kind = PATH_PROBE_ANSWER;
    probe.observed = (struct addr){.family = 4, .port = 1, .ip = {127, 0, 0, 1}};
    path_probe_encode(&probe, answer);
    puppet_flush(p);
    puppet_seal(p, WIRE_PROBE, &(struct wire_inner){0}, answer, sizeof(answer));
    puppet_flush(p);
}

/* Answers come in two parts; only an honest node's order is understood. */
static void on_part(struct puppet *p, const struct wire_inner *inner, const uint8_t *body, size_t len)
{
    static uint8_t whole[MESSAGE_MAX];
    static size_t have;
    struct message m;
    if (inner->frag_offset != have)
        have = 0;
    if (inner->frag_offset != have || have + len > sizeof(whole))
        return;
    memcpy(whole + have, body, len);
    have += len;
    if (have < inner->frag_total)
        return;
    if (message_decode(whole, have, &m) == 0 && m.type == MESSAGE_RATCHET_ANSWER)
        on_answer(p, &m);
    have = 0;
}

static void on_datagram(struct puppet *p, uint8_t *data, size_t len)
{
    struct wire_header h;
    struct wire_inner inner;
    uint8_t *plain;
    size_t plain_len;
    if (wire_header_decode(data, len, &h))
        return;
    struct session *s = session_rx_index(p->session) == h.receiver ? p->session : p->previous;
    if (!s || session_open(s, &h, data, len, &plain, &plain_len) ||
        wire_inner_decode(plain, plain_len, &inner))
        return;
    plain += WIRE_INNER_LEN;
    plain_len -= WIRE_INNER_LEN;
    if (h.type == WIRE_PROBE)
        on_probe(p, plain, plain_len);
    else if (h.type == WIRE_CONTROL && inner.flags & WIRE_FLAG_FRAGMENT)
        on_part(p, &inner, plain, plain_len);
}

void puppet_serve(struct puppet *p)
{
    static struct udp_message messages[UDP_BATCH];
    static uint64_t overflow;
    int count = p->session ? udp_receive(&p->udp, p->batch, messages, &overflow) : 0;
    for (int i = 0; i < count; i++) {
        const struct udp_message *m = &messages[i];
        for (size_t at = 0; at < m->len; at += m->segment)
            on_datagram(p, m->data + at, m->len - at < m->segment ? m->len - at : m->segment);
    }
    uint8_t unread[PUPPET_CHUNK_LEN];
    while (p->tls && puppet_pull(p, 0) && tls_read(p->tls, unread, sizeof(unread)) > 0)
        continue;
}
