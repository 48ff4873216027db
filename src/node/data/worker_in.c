/* SPDX-License-Identifier: Apache-2.0 */
/* From peers to the TAP: receive, find the session, open in place, guard and learn, merge trains, one write
 * per train. docs/PROTOCOL.md §5. The worker's thread. Nothing that a stranger sends gets past session_open,
 * and nothing before it costs more than a hash look-up.
 *
 * Lanes. The kernel steers each lane of a peer to one worker (udp_open). But its GRO joins datagrams of one
 * UDP flow whatever their lane and steers by the first, so a message for worker 0 may end with datagrams of
 * lane 1, which worker 1 is opening at the same time. Hence a worker holds a lane (session_hold) from the
 * first datagram of a run to the write of its last frame: replay window, cipher and the order of frames are
 * the holder's. What outlives the run follows the lane, not the worker: parts of frames meet in the table of
 * the worker that the lane is steered to. A train is cut by a change of hands, and just written in two pieces.
 *
 * Queues. The kernel hands a flow's frames out on the queue where it last took one of the other direction, so
 * the queue that is written to decides which worker, and hence which lane, carries the answers. It is always
 * the same for a flow of a peer (spread.h). Were it the queue of the lane, two lanes would go round for ever
 * as each other's answers: the first frames of a flow, which the kernel spreads by a hash of its own, differ
 * on both ends, and so segments would overtake each other. */

#include "node/data/worker_in.h"

#include "base/uninitialized.h"
#include "frame/flow.h"
#include "node/data/worker_impl.h"
#include "node/data/worker_relay.h"
#include "node/data/worker_shim.h"
#include "proto/message/stun.h"
#include "proto/path/path.h"
#include "proto/relay/relay_desk.h"
#include "proto/relay/relay_fair.h"
#include "proto/relay/relay_message.h"
#include "proto/session/fragment.h"
#include <assert.h>
#include <string.h>

/* STUN answers and relays' messages come from strangers: they may fill a part of the queue to the control thread, so that the rest
 * stays for sessions. */
#define STRANGER_SHARE  16384
#define CONTROL_LEN_MAX (WIRE_FRAME_MAX + WIRE_OVERHEAD)

#define CHANNEL_ROUND 16 /* messages of a channel, before others have their turn */

#define ECN_CE 3 /* RFC 3168 */

static_assert(PATH_STREAM_SIZE_MAX <= CONTROL_LEN_MAX, "the largest probe reaches the control thread");

/* A received datagram on its way in. */
struct arrival {
    const struct udp_message *message;
    struct wire_header header;
    struct session *session;
};

/* The queue where the kernel shall hand out what the frame's flow answers; bytes: of it and those merged with it. */
static int queue_of(const struct worker *w, const uint8_t *frame, size_t len, size_t bytes)
{
    uint32_t hash = flow_hash(frame, len);
    bool is_bulk = bulk_count(w->config.bulk, hash, flow_begins(frame, len), bytes, w->now_us);
    return w->config.tap_queues[spread_queue(w->held, hash, is_bulk, w->config.workers)];
}

static void write_merge(struct worker *w)
{
    struct offload_merge *m = &w->merge;
    if (!m->count)
        return;
    offload_merge_finish(m);
    size_t bytes = 0;
    for (int i = 1; i < m->count; i++)
        bytes += m->iov[i].iov_len;
    int queue = queue_of(w, m->iov[1].iov_base, m->iov[1].iov_len, bytes);
    if (w->headroom)
        worker_shim_strip(m);
    int skip = w->config.tap_plain; /* the header */
    if (tap_write(queue, m->iov + skip, m->count - skip)) {
        worker_drop(w, DROP_DEVICE, (uint64_t)m->count - 1);
    } else {
        worker_count(&w->counters.tap_tx_frames, 1);
        worker_count(&w->counters.tap_tx_bytes, bytes);
    }
    m->count = 0;
}

/* Trains are named per lane of a session: those of two never meet in one merge. */
static void lane_leave(struct worker *w)
{
    write_merge(w);
    if (w->held) {
        session_release(w->held, w->held_lane);
        worker_tell_lanes(w, w->held);
    }
    w->held = NULL;
}

static bool lane_enter(struct worker *w, struct session *s, uint8_t lane)
{
    if (w->held == s && w->held_lane == lane)
        return true;
    lane_leave(w);
    if (!session_hold(s, lane))
        return false;
    w->held = s;
    w->held_lane = lane;
    return true;
}

static void deliver(struct worker *w, const struct offload_meta *meta, uint8_t *frame, size_t len)
{
    if (!offload_merge_add(&w->merge, meta, frame, len, w->config.tap_offloads)) {
        write_merge(w);
        (void)offload_merge_add(&w->merge, meta, frame, len, w->config.tap_offloads);
    }
    if (!meta->train || meta->last)
        write_merge(w);
}

/* The peer uses an address that is another's, for people. */
static void tell_claim(struct worker *w, uint32_t slot, enum drop why, const struct switch_frame *f)
{
    if (!worker_limit_pass(w->claim_limits, slot, w->now_us))
        return;
    struct worker_event event = {.kind = WORKER_EVENT_CLAIM, .slot = slot};
    event.claim.why = why;
    event.claim.vlan = f->vlan;
    event.claim.holder = switch_find(w->config.sw, f->src, f->vlan);
    memcpy(event.claim.mac, f->src, sizeof(event.claim.mac));
    (void)worker_event(w, &event);
}

static enum drop on_frame(struct worker *w, const struct arrival *a, const struct offload_meta *meta,
                          uint8_t *frame, size_t len)
{
    UNINITIALIZED struct switch_frame f;
    if (len > WIRE_FRAME_MAX)
        return DROP_OVERSIZE;
    enum drop not_learned, drop = switch_parse(frame, len, &f);
    if (drop)
        return drop;
    uint32_t slot = session_peer_slot(a->session);
    drop = switch_from_peer(w->config.sw, slot, &f, w->now_us, &not_learned);
    if (drop == DROP_PINNED || not_learned == DROP_FLAPPING)
        tell_claim(w, slot, drop ? drop : not_learned, &f);
    if (drop)
        return drop;
    if (not_learned)
        worker_drop(w, not_learned, 1);
    if (a->message->ecn == ECN_CE && !offload_ecn_mark(frame, len))
        return DROP_ECN; /* congestion that the packet cannot tell: RFC 6040 §4.2 wants it lost */
    if (atomic_load_explicit(&w->trace_limits[true].left, memory_order_relaxed))
        worker_trace_frame(w, true, &f, len);
    if (w->headroom && !worker_shim_in(w, slot, frame, len, &drop))
        return drop;
    deliver(w, meta, frame, len);
    return DROP_NONE;
}

static struct offload_meta meta_of(const struct wire_inner *in)
{
    return (struct offload_meta){
        .csum = {.partial = in->flags & WIRE_FLAG_CSUM, .start = in->csum_start, .offset = in->csum_offset},
        .train = in->flags & WIRE_FLAG_TRAIN,
        .last = in->flags & WIRE_FLAG_LAST,
        .group = in->group,
        .position = in->position};
}

static enum drop on_fragment(struct worker *w, const struct arrival *a, const struct wire_inner *in,
                             const uint8_t *part, size_t len)
{
    uint8_t *frame;
    size_t frame_len;
    struct fragment_lost lost;
    unsigned worker = spread_worker(a->session, a->header.lane, w->config.workers);
    struct fragment_table *table = reassembly_enter(w->config.reassembly, worker);
    enum drop drop = fragment_add(table, a->header.receiver, a->header.lane, in, part, len, w->now_us, &frame,
                                  &frame_len, &lost);
    worker_drop(w, DROP_FRAGMENT_TIMEOUT, lost.timeout);
    worker_drop(w, DROP_FRAGMENT_SPACE, lost.space);
    const struct offload_meta meta = meta_of(in);
    /* Not of a train, so it is written at once: the table may reuse its memory. */
    if (!drop && frame)
        drop = on_frame(w, a, &meta, frame, frame_len);
    reassembly_leave(w->config.reassembly, worker);
    return drop;
}

static enum drop on_plain(struct worker *w, const struct arrival *a, uint8_t *plain, size_t len)
{
    UNINITIALIZED struct wire_inner in;
    enum drop drop = wire_inner_decode(plain, len, &in);
    if (drop)
        return drop;
    plain += WIRE_INNER_LEN;
    len -= WIRE_INNER_LEN;
    if (in.flags & WIRE_FLAG_FRAGMENT)
        return on_fragment(w, a, &in, plain, len);
    const struct offload_meta meta = meta_of(&in);
    return on_frame(w, a, &meta, plain, len);
}

/* What came over TCP has no address. */
static struct endpoint source_of(const struct worker *w, const struct udp_message *m)
{
    return m->from.family ? carrier_source(m, w->side, w->channel) : w->message_from;
}

/* The datagram authenticated: where it came from may be where the peer is now. */
static void check_source(struct worker *w, uint32_t slot, const struct udp_message *m)
{
    if (m->from.family == 0 || w->channel)
        return; /* nor is a backbone, a relay, or who connected, an address of the peer's for datagrams */
    const struct fwd_peer *peer = fwd_peer(w->config.fwd, slot);
    if (peer && peer->has_path && addr_equal(&peer->endpoint.remote, &m->from) &&
        peer->endpoint.side == w->side)
        return;
    if (worker_limit_pass(w->source_limits, slot, w->now_us))
        (void)worker_event(
            w, &(struct worker_event){.kind = WORKER_EVENT_SOURCE, .slot = slot, .from = source_of(w, m)});
}

static enum drop to_control(struct worker *w, const struct udp_message *m, uint32_t slot, uint8_t *data,
                            size_t len)
{
    const struct worker_event event = {.kind = WORKER_EVENT_DATAGRAM,
                                       .slot = slot,
                                       .from = source_of(w, m),
                                       .len = (uint32_t)len,
                                       .data = data};
    return worker_event(w, &event) ? DROP_NONE : DROP_CONTROL_QUEUE;
}

static enum drop stranger_to_control(struct worker *w, const struct udp_message *m, uint8_t *data, size_t len)
{
    if (len > CONTROL_LEN_MAX)
        return DROP_OVERSIZE;
    if (ring_used(w->events) > STRANGER_SHARE)
        return DROP_CONTROL_QUEUE;
    return to_control(w, m, WORKER_NO_PEER, data, len);
}

static enum drop stun_to_control(struct worker *w, const struct udp_message *m, uint8_t *data, size_t len)
{
    if (m->from.family == 0 || !stun_looks_like_response(data, len))
        return DROP_TYPE;
    return stranger_to_control(w, m, data, len);
}

/* A peer over its rate is dropped unopened. But charged is only what opens: whoever sees a peer's datagrams knows
 * its receiver index, and could use up its rate with forgeries. */
static enum drop peer_to_control(struct worker *w, const struct arrival *a, uint8_t *data, size_t len)
{
    uint32_t slot = session_peer_slot(a->session);
    if (len > CONTROL_LEN_MAX)
        return DROP_OVERSIZE;
    enum drop drop = intake_judge(w->intake, slot, len, w->now_us);
    if (drop)
        return drop;
    if (!lane_enter(w, a->session, WIRE_LANE_CONTROL))
        return DROP_LANE;
    uint8_t *plain;
    size_t plain_len;
    drop = session_open(a->session, &a->header, data, len, &plain, &plain_len);
    if (drop)
        return drop;
    if (w->load != OVERLOAD_NONE)
        overload_present(w->overload, slot);
    intake_enter(w->intake, slot, len, w->now_us);
    drop = to_control(w, a->message, slot, data, len);
    if (drop)
        intake_leave(w->intake, slot, len);
    return drop;
}

/* *checked is the session whose source was compared for this message. */
static enum drop on_session(struct worker *w, const struct udp_message *m, uint8_t *data, size_t len,
                            const struct session **checked)
{
    struct arrival a = {.message = m};
    enum drop drop = wire_header_decode(data, len, &a.header);
    if (drop)
        return drop;
    a.session = fwd_session(w->config.fwd, a.header.receiver);
    if (!a.session)
        return DROP_RECEIVER;
    if (a.header.type != WIRE_DATA)
        return peer_to_control(w, &a, data, len);
    if (w->load == OVERLOAD_SHEDS && overload_sheds(w->overload, session_peer_slot(a.session)))
        return DROP_OVERLOAD;
    if (!lane_enter(w, a.session, a.header.lane))
        return DROP_LANE;
    uint8_t *plain;
    size_t plain_len;
    drop = session_open(a.session, &a.header, data, len, &plain, &plain_len);
    if (drop)
        return drop;
    if (w->load != OVERLOAD_NONE)
        overload_opened(w->overload, session_peer_slot(a.session));
    if (a.session != *checked) {
        *checked = a.session;
        check_source(w, session_peer_slot(a.session), m);
    }
    return on_plain(w, &a, plain, plain_len);
}

/* What a relay passes on is for the peer alone whose channel it came by: so a relay, or who speaks as one, can neither bring other
 * peers' datagrams nor make us answer there. */
static enum drop on_relayed(struct worker *w, const struct udp_message *m, uint32_t channel, uint8_t *data,
                            size_t len, const struct session **checked)
{
    struct wire_header h;
    enum drop drop = wire_header_decode(data, len, &h);
    if (drop)
        return drop;
    const struct session *s = fwd_session(w->config.fwd, h.receiver);
    if (!s)
        return DROP_RECEIVER;
    const struct fwd_peer *peer = fwd_peer(w->config.fwd, session_peer_slot(s));
    if (!peer || !fwd_takes_relayed(peer, &m->from, channel))
        return DROP_RELAY;
    w->channel = channel;
    drop = on_session(w, m, data, len, checked);
    w->channel = 0;
    return drop;
}

/* *len grows where we relay, by those behind it that go the same way. */
static enum drop on_enveloped(struct worker *w, const struct udp_message *m, uint8_t *data, size_t *len,
                              const struct session **checked)
{
    struct envelope e;
    enum drop drop = envelope_decode(data, *len, &e);
    if (drop)
        return drop;
    if (m->from.family == 0)
        return DROP_RELAY; /* an uplink is none */
    if (e.kind == ENVELOPE_MESSAGE)
        return *len == RELAY_MESSAGE_LEN ? stranger_to_control(w, m, data, *len) : DROP_RELAY;
    if (w->config.desk && worker_relay_pass(w, m, data, len, &drop))
        return drop;
    return on_relayed(w, m, e.channel, data + ENVELOPE_LEN, *len - ENVELOPE_LEN, checked);
}

static enum drop on_datagram(struct worker *w, const struct udp_message *m, uint8_t *data, size_t *len,
                             const struct session **checked)
{
    enum wire_class class = wire_classify(data, *len);
    if (w->side && class != WIRE_CLASS_SESSION)
        return DROP_TYPE; /* for its peer alone */
    switch (class) {
    case WIRE_CLASS_SESSION:
        return on_session(w, m, data, *len, checked);
    case WIRE_CLASS_STUN:
        return stun_to_control(w, m, data, *len);
    case WIRE_CLASS_RELAY:
        return on_enveloped(w, m, data, len, checked);
    case WIRE_CLASS_OTHER:
        break;
    }
    return DROP_TYPE;
}

static void on_message(struct worker *w, const struct udp_message *m)
{
    const struct session *checked = NULL;
    size_t segment = m->segment ? m->segment : m->len;
    for (size_t at = 0, len; at < m->len; at += len) {
        len = m->len - at < segment ? m->len - at : segment;
        enum drop drop = on_datagram(w, m, m->data + at, &len, &checked);
        worker_count(&w->counters.udp_rx_datagrams, 1);
        if (drop)
            worker_drop(w, drop, 1);
    }
}

bool worker_in_round(struct worker *w, uint8_t side)
{
    struct udp_socket *s = side ? sides_socket(w->config.ports.sides, side) : w->config.ports.udp;
    if (!s)
        return false;
    uint64_t before = atomic_load_explicit(&w->counters.tap_tx_frames, memory_order_relaxed);
    uint64_t overflow = 0;
    int count = udp_receive(s, w->batch, w->messages, &overflow);
    uint64_t begin = w->profile && count > 0 ? profile_clock_ns() : 0;
    if (overflow)
        worker_count(&w->counters.socket_overflows, overflow);
    w->side = side;
    for (int i = 0; i < count; i++)
        on_message(w, &w->messages[i]);
    w->side = 0;
    unsigned waiting = udp_waiting(s, w->batch);
    w->load = overload_round(w->overload, waiting, fwd_ready_count(w->config.fwd) > 1, w->now_us);
    if (w->config.desk && waiting >= RELAY_FAIR_PRESSED)
        relay_desk_press(w->config.desk, waiting);
    w->overloaded = overflow > 0 || w->load == OVERLOAD_SHEDS;
    lane_leave(w); /* the merge's frames live in the batch */
    if (begin)
        profile_add(&w->profile->udp_recv, profile_clock_ns() - begin);
    return atomic_load_explicit(&w->counters.tap_tx_frames, memory_order_relaxed) != before;
}

/* One message lies in the buffer at a time: what the merge holds of it is written before the next one comes. */
int worker_channel_round(struct worker *w, unsigned channel, bool *delivered)
{
    uint64_t before = atomic_load_explicit(&w->counters.tap_tx_frames, memory_order_relaxed);
    int err = 0;
    for (unsigned i = 0; i < CHANNEL_ROUND && (!err || err == ERR_FORMAT); i++) {
        struct udp_message m;
        err = carrier_receive(&w->config.ports, channel, w->message, &m, &w->message_from);
        if (!err)
            on_message(w, &m);
        else if (err == ERR_FORMAT)
            worker_drop(w, DROP_TYPE, 1);
        lane_leave(w);
    }
    *delivered = atomic_load_explicit(&w->counters.tap_tx_frames, memory_order_relaxed) != before;
    return err == ERR_CLOSED ? err : 0;
}
