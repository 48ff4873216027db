/* SPDX-License-Identifier: Apache-2.0 */
/* From the TAP to peers: read, look up, cut to the path, seal straight into the send buffer, one UDP_SEGMENT
 * call per run of equal-size datagrams. docs/PROTOCOL.md §5. The worker's thread.
 *
 *   frame buffer  [ headers | payload .............................. ]   one tap_read
 *                       |        \            \            \
 *   send buffer   [ outer | inner head body | tag ][ ... ][ ... ][ last ]   one carrier_send
 *
 * The payload moves once in user space: through the cipher. */

#include "node/data/worker_out.h"

#include "base/clock.h"
#include "base/uninitialized.h"
#include "frame/datagram.h"
#include "frame/flow.h"
#include "frame/mss.h"
#include "frame/solicit.h"
#include "node/data/worker_impl.h"
#include "node/data/worker_shim.h"
#include "proto/session/fragment.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* One round of this direction: enough to fill runs, little enough that the other direction, which waits
 * meanwhile, is served within a fraction of a millisecond. */
#define ROUND_FRAMES 64
#define ROUND_BYTES  (4 * 65536)

/* A full socket buffer means that the underlay is slower than we are. Waiting keeps the rest in the TAP's
 * queue, where it holds local senders back or meets their queueing discipline; dropping would only waste the
 * sealing. But the wait also stops the other direction, so it is short,
 * and in vain once per round at most. */
#define SEND_WAIT_MS 2

/* Members without a session that frames are for, of all. */
static const struct bucket_rate sought_rate = {10 * USEC_PER_MSEC, 32};

static int send_run(struct worker *w)
{
    const struct worker_run *r = &w->run;
    const struct carrier_ports *ports = &w->config.ports;
    int err = carrier_send(ports, &r->peer->to, w->send, r->len, r->segment, r->ecn);
    if (err != ERR_AGAIN || w->send_waited || carrier_is_stream(r->peer->to.carrier))
        return err;
    const struct udp_socket *s = carrier_socket(ports, &r->peer->to);
    if (!s)
        return err; /* it was closed meanwhile */
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    (void)poll(&p, 1, SEND_WAIT_MS);
    err = carrier_send(ports, &r->peer->to, w->send, r->len, r->segment, r->ecn);
    w->send_waited = err == ERR_AGAIN;
    return err;
}

static void too_big(struct worker *w)
{
    const struct worker_run *r = &w->run;
    worker_drop(w, DROP_TOO_BIG, r->count);
    if (worker_limit_pass(w->size_limits, r->peer->slot, w->now_us))
        (void)worker_event(w, &(struct worker_event){.kind = WORKER_EVENT_TOO_BIG, .slot = r->peer->slot});
}

static void flush(struct worker *w)
{
    struct worker_run *r = &w->run;
    if (!r->count)
        return;
    uint64_t begin = w->profile ? profile_clock_ns() : 0;
    int err = send_run(w);
    if (w->profile)
        profile_add(&w->profile->udp_send, profile_clock_ns() - begin);
    if (!err) {
        worker_count(&w->counters.udp_tx_datagrams, r->count);
        w->sent += carrier_is_stream(r->peer->to.carrier) ? 0 : r->len;
        if (r->peer->to.side)
            w->side_sent = r->peer->to.side;
    } else if (err == ERR_SPACE)
        too_big(w);
    else if (err == ERR_AGAIN && carrier_is_stream(r->peer->to.carrier))
        worker_drop(w, DROP_BACKLOG, r->count);
    else
        worker_drop(w, DROP_SEND, r->count);
    worker_tell_lanes(w, r->peer->tx);
    r->count = 0;
}

/* A run takes datagrams of its first one's size; a shorter one is its last. */
static bool run_takes(const struct worker_run *r, const struct fwd_peer *peer, uint8_t ecn, size_t size)
{
    return r->peer == peer && r->ecn == ecn && size <= r->segment && r->len + size <= WIRE_DATAGRAM_MAX;
}

static bool run_full(const struct worker_run *r, size_t added)
{
    return added < r->segment || r->count == UDP_SEGMENTS_MAX || r->len + r->segment > WIRE_DATAGRAM_MAX;
}

/* The longest frame that one datagram to the peer carries. */
static size_t room_of(const struct fwd_peer *peer)
{
    return (size_t)peer->size - WIRE_OVERHEAD;
}

/* A frame or a part of one, as it will lie in a datagram. */
struct parcel {
    struct wire_inner inner;
    struct slice head, body;
};

static void put(struct worker *w, const struct fwd_peer *peer, uint8_t ecn, const struct parcel *p)
{
    struct worker_run *r = &w->run;
    size_t size = p->head.len + p->body.len + peer->overhead;
    if (r->count && !run_takes(r, peer, ecn, size))
        flush(w);
    if (!r->count)
        *r = (struct worker_run){.peer = peer,
                                 .ecn = ecn,
                                 .segment = size,
                                 .lane = (uint8_t)spread_lane(peer->tx, w->config.index, w->config.workers)};
    UNINITIALIZED uint8_t inner[WIRE_INNER_LEN];
    wire_inner_encode(&p->inner, inner);
    const struct slice pieces[] = {{inner, sizeof(inner)}, p->head, p->body};
    int sealed = session_seal(peer->tx, WIRE_DATA, r->lane, pieces, 3, w->send + r->len);
    if (sealed < 0) {
        worker_drop(w, (enum drop) - sealed, 1);
        return;
    }
    r->len += size;
    r->count++;
    if (run_full(r, size))
        flush(w);
}

static struct wire_inner inner_of(const struct offload_csum *csum)
{
    if (!csum->partial)
        return (struct wire_inner){0};
    return (struct wire_inner){
        .flags = WIRE_FLAG_CSUM, .csum_start = csum->start, .csum_offset = csum->offset};
}

static struct parcel parcel_of(const struct offload_segment *s)
{
    return (struct parcel){
        .inner = inner_of(&s->csum), .head = {s->head, s->head_len}, .body = {s->body, s->body_len}};
}

/* The part [at, at + len) of head and body taken as one. */
static void parcel_cut(struct parcel *p, struct slice head, struct slice body, size_t at, size_t len)
{
    size_t from_head = at < head.len ? head.len - at : 0;
    if (from_head > len)
        from_head = len;
    size_t skip = at > head.len ? at - head.len : 0;
    p->head = (struct slice){from_head ? head.data + at : NULL, from_head};
    p->body = (struct slice){body.data ? body.data + skip : NULL, len - from_head};
}

/* Sends what no single datagram carries: equal parts, each telling its place and the whole's checksum. */
static void put_fragments(struct worker *w, const struct fwd_peer *peer, uint8_t ecn,
                          const struct parcel *whole)
{
    size_t total = whole->head.len + whole->body.len, part = 0;
    unsigned parts = fragment_plan(total, room_of(peer), &part);
    struct parcel p = {.inner = whole->inner};
    p.inner.flags |= WIRE_FLAG_FRAGMENT;
    p.inner.group = w->group++;
    p.inner.frag_total = (uint16_t)total;
    for (unsigned i = 0; i < parts; i++) {
        size_t at = i * part, left = total - at;
        p.inner.frag_offset = (uint16_t)at;
        parcel_cut(&p, whole->head, whole->body, at, left < part ? left : part);
        put(w, peer, ecn, &p);
    }
    if (!parts)
        worker_drop(w, DROP_OVERSIZE, 1);
}

/* Segments larger than the path: each is a frame of its own. */
static void put_segments(struct worker *w, const struct fwd_peer *peer, uint8_t ecn,
                         struct offload_split *split)
{
    UNINITIALIZED struct offload_segment segment;
    while (offload_split_next(split, &segment)) {
        const struct parcel p = parcel_of(&segment);
        if (p.head.len + p.body.len <= room_of(peer))
            put(w, peer, ecn, &p);
        else
            put_fragments(w, peer, ecn, &p);
    }
}

/* In groups of at most OFFLOAD_SEGMENTS: what the other end merges in one write. */
static void put_train(struct worker *w, const struct fwd_peer *peer, uint8_t ecn, struct offload_split *split)
{
    UNINITIALIZED struct offload_segment segment;
    for (unsigned i = 0; offload_split_next(split, &segment); i++) {
        unsigned position = i % OFFLOAD_SEGMENTS;
        bool last = position == OFFLOAD_SEGMENTS - 1 || i + 1 == split->segments;
        struct parcel p = parcel_of(&segment);
        p.inner.flags |= (uint8_t)(WIRE_FLAG_TRAIN | (last ? WIRE_FLAG_LAST : 0));
        p.inner.position = (uint8_t)position;
        p.inner.group = w->group;
        put(w, peer, ecn, &p);
        if (last)
            w->group++;
    }
}

/* Segments of the size that a TAP's MTU suggests would take two datagrams each, and be lost twice as often. A connection
 * keeps what it begins with, so nothing is said while the path's size is still to be found. */
static void limit_segments(struct worker *w, const struct fwd_peer *peer, const struct virtio_net_hdr *vnet,
                           size_t len)
{
    if (peer->size != WIRE_BASE_SIZE)
        (void)mss_limit(w->frame, len, room_of(peer), vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

static void send_to(struct worker *w, const struct fwd_peer *peer, const struct virtio_net_hdr *vnet,
                    size_t len)
{
    UNINITIALIZED struct offload_split split;
    if (w->begins)
        limit_segments(w, peer, vnet, len);
    uint8_t ecn = offload_ecn(w->frame, len);
    enum offload_verdict verdict = offload_split_begin(&split, vnet, w->frame, len, room_of(peer));
    struct parcel whole = {.inner = inner_of(&split.csum), .body = {w->frame, len}};
    switch (verdict) {
    case OFFLOAD_WHOLE:
        put(w, peer, ecn, &whole);
        return;
    case OFFLOAD_TRAIN:
        if (split.segment_len <= room_of(peer))
            put_train(w, peer, ecn, &split);
        else
            put_segments(w, peer, ecn, &split);
        return;
    case OFFLOAD_FRAGMENT:
        put_fragments(w, peer, ecn, &whole);
        return;
    case OFFLOAD_INVALID:
        worker_drop(w, DROP_SPLIT, 1);
        return;
    }
}

/* Of what this worker sent. Several side sockets are rarely busy at once. */
static size_t unsent(const struct worker *w)
{
    const struct udp_socket *side = sides_socket(w->config.ports.sides, w->side_sent);
    return udp_unsent(w->config.ports.udp) + (side ? udp_unsent(side) : 0);
}

/* Whether the underlay takes a frame now. One that it does not take is marked, which its ends understand
 * (RFC 3168), or lost before any work is spent on it. */
static bool backlog_takes(struct worker *w, size_t len)
{
    if (w->backlog.state != BACKLOG_FREE || w->sent - w->sent_seen >= BACKLOG_LOOK) {
        w->sent_seen = w->sent;
        backlog_look(&w->backlog, w->now_us, w->sent, unsent(w));
    }
    switch (w->backlog.state) {
    case BACKLOG_FREE:
        return true;
    case BACKLOG_OVER:
        return len <= BACKLOG_SPARSE || (offload_ecn(w->frame, len) && offload_ecn_mark(w->frame, len));
    case BACKLOG_FULL:
        return false;
    }
    return false;
}

/* A question for an address goes to who says that it has it: no other path wakes for it, and that one does, as the question
 * counts as no flood. */
static bool ask_owner(struct worker *w, const struct addr *wanted, const struct virtio_net_hdr *vnet,
                      size_t len)
{
    int owner = switch_ask(w->config.sw, wanted, w->now_us);
    const struct fwd_peer *peer = owner >= 0 ? fwd_peer(w->config.fwd, (uint32_t)owner) : NULL;
    if (!peer || !peer->has_path)
        return false;
    send_to(w, peer, vnet, len);
    return true;
}

/* A frame is for one that has no session, if slot is one's. */
static void seek(struct worker *w, int slot)
{
    if (slot < 0 || !worker_limit_pass(w->sought_limits, (uint32_t)slot, w->now_us) ||
        !bucket_take(&w->sought, &sought_rate, 1, w->now_us))
        return;
    (void)worker_event(w, &(struct worker_event){.kind = WORKER_EVENT_SOUGHT, .slot = (uint32_t)slot});
}

static void send_flood(struct worker *w, const struct virtio_net_hdr *vnet, size_t len)
{
    const struct fwd_peer *peer = fwd_ready_first(w->config.fwd);
    if (!peer)
        worker_drop(w, DROP_NO_PEER, 1);
    for (; peer; peer = fwd_ready_next(peer)) {
        if (switch_may_flood(w->config.sw, peer->slot, peer->sleeps, len <= room_of(peer), w->now_us))
            send_to(w, peer, vnet, len);
        else
            worker_drop(w, DROP_ASLEEP, 1);
    }
}

/* No peer is known to have the destination. */
static void to_everybody(struct worker *w, const struct switch_frame *f, const struct virtio_net_hdr *vnet,
                         size_t len)
{
    struct addr wanted;
    if (!solicit_target(w->frame, len, &wanted)) {
        seek(w, switch_absent_mac(w->config.sw, f->dst));
    } else {
        if (ask_owner(w, &wanted, vnet, len))
            return;
        seek(w, switch_absent(w->config.sw, &wanted));
    }
    send_flood(w, vnet, len);
}

static bool is_own_port(const struct worker *w, uint16_t port)
{
    return port == w->config.ports.udp->port || sides_have_port(w->config.ports.sides, port);
}

/* A route leads the tunnel into itself: sent on, each datagram would make a larger one, for ever. The receiver
 * index tells ours from those of a node behind our device. */
static bool is_ours(const struct worker *w, size_t len)
{
    uint16_t port;
    UNINITIALIZED struct wire_header h;
    size_t at = datagram_payload(w->frame, len, &port);
    if (!at || !is_own_port(w, port))
        return false;
    if (len > at + ENVELOPE_LEN && w->frame[at] == WIRE_RELAY)
        at += ENVELOPE_LEN;
    return wire_header_decode(w->frame + at, len - at, &h) == DROP_NONE &&
           fwd_sends_to(w->config.fwd, h.receiver);
}

static void drop_circle(struct worker *w)
{
    worker_drop(w, DROP_CIRCLE, 1);
    if (worker_limit_pass(w->size_limits, WORKER_NO_PEER, w->now_us))
        (void)worker_event(w, &(struct worker_event){.kind = WORKER_EVENT_CIRCLE, .slot = WORKER_NO_PEER});
}

static void forward(struct worker *w, const struct virtio_net_hdr *vnet, size_t len)
{
    UNINITIALIZED struct switch_frame f;
    enum drop drop = switch_parse(w->frame, len, &f);
    if (drop) {
        worker_drop(w, drop, 1);
        return;
    }
    if (is_ours(w, len)) {
        drop_circle(w);
        return;
    }
    if (atomic_load_explicit(&w->trace_limits[false].left, memory_order_relaxed))
        worker_trace_frame(w, false, &f, len);
    int port = switch_from_device(w->config.sw, &f, w->now_us);
    if (port == SWITCH_PORT_BPDU)
        worker_drop(w, DROP_BPDU, 1);
    if (port < 0 && port != SWITCH_PORT_FLOOD)
        return;
    if (!backlog_takes(w, len)) {
        worker_drop(w, DROP_BACKLOG, 1);
        return;
    }
    if (port == SWITCH_PORT_FLOOD) {
        to_everybody(w, &f, vnet, len);
        return;
    }
    const struct fwd_peer *peer = fwd_peer(w->config.fwd, (uint32_t)port);
    if (peer && peer->has_path)
        send_to(w, peer, vnet, len);
    else
        worker_drop(w, DROP_NO_PEER, 1);
}

static void count_flow(struct worker *w, size_t len)
{
    w->begins = flow_begins(w->frame, len);
    (void)bulk_count(w->config.bulk, flow_hash(w->frame, len), w->begins, len, w->now_us);
}

void worker_out_injected(struct worker *w)
{
    uint64_t told;
    size_t len;
    struct worker_injected *in;
    (void)!read(w->inject, &told, sizeof(told));
    while ((in = ring_peek(w->injected, &len))) {
        const struct virtio_net_hdr vnet = in->vnet;
        len -= sizeof(*in);
        memcpy(w->frame, in->frame, len);
        ring_release(w->injected);
        count_flow(w, len);
        forward(w, &vnet, len);
    }
    flush(w);
}

int worker_out_round(struct worker *w)
{
    size_t bytes = 0;
    ssize_t len = 0;
    uint64_t begin = 0;
    w->send_waited = false;
    for (unsigned i = 0; i < ROUND_FRAMES && bytes < ROUND_BYTES; i++) {
        struct virtio_net_hdr vnet = {0};
        len = tap_read(worker_tap(w), w->config.tap_plain ? NULL : &vnet, w->frame + w->headroom,
                       OFFLOAD_FRAME_MAX - w->headroom);
        if (len < 0)
            break;
        if (w->profile && !i)
            begin = profile_clock_ns();
        worker_count(&w->counters.tap_rx_frames, 1);
        worker_count(&w->counters.tap_rx_bytes, (uint64_t)len);
        bytes += (size_t)len;
        if (w->headroom && !worker_shim_out(w, &vnet, &len))
            continue;
        count_flow(w, (size_t)len);
        forward(w, &vnet, (size_t)len);
    }
    flush(w);
    if (begin)
        profile_add(&w->profile->tap_udp, profile_clock_ns() - begin);
    return len < 0 && len != ERR_AGAIN ? (int)len : 0;
}
