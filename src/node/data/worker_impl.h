/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A worker's insides, shared by worker.c (thread, loop, events), worker_out.c (TAP → UDP) and worker_in.c
 * (UDP → TAP); nobody else includes this. All of it belongs to the worker's thread unless said otherwise. */

#include "base/bucket.h"
#include "frame/offload.h"
#include "node/data/backlog.h"
#include "node/data/boost.h"
#include "node/data/bulk.h"
#include "node/data/intake.h"
#include "node/data/overload.h"
#include "node/data/profile.h"
#include "node/data/ring.h"
#include "node/data/spread.h"
#include "node/data/worker.h"
#include <pthread.h>

#define EVENT_RING    262144
#define WORKER_LIMITS 1024 /* peers whose event rate is remembered; more than that share */

/* Equal-size datagrams to one peer, sealed and waiting to go out in one call. */
struct worker_run {
    const struct fwd_peer *peer;
    size_t len, segment; /* with envelopes */
    unsigned count;      /* 0 when empty; then the rest means nothing */
    uint8_t ecn, lane;
};

/* When a peer's next event of a kind may be sent. */
struct worker_limit {
    uint32_t slot;
    struct bucket bucket;
};

struct worker_trace_limit {
    struct bucket bucket;
    uint32_t withheld;
    _Atomic unsigned left; /* 0: off, which is all that a frame then asks; set by the control thread, too */
};

/* Histograms are the worker's, marks the control thread's. */
struct worker_profile {
    struct profile_histogram udp_send, udp_recv, tap_udp;
    struct profile_mark udp_send_mark, udp_recv_mark, tap_udp_mark;
};

/* A frame that the control thread has for peers. */
struct worker_injected {
    struct virtio_net_hdr vnet;
    uint8_t frame[];
};

struct worker {
    struct worker_config config;
    uint64_t now_us; /* read once per round */
    struct boost boost;

    /* out */
    uint8_t *frame;  /* OFFLOAD_FRAME_MAX */
    size_t headroom; /* in front of what is read there: of a link-layer header that the device has not got */
    struct ring *
        injected; /* frames of the control thread's, struct worker_injected each; NULL where there are none … */
    int inject;    /* … and an eventfd that tells of them, or -1 */
    bool begins;   /* it begins a TCP connection */
    uint8_t *send; /* WIRE_DATAGRAM_MAX, with room for an envelope in front */
    struct worker_run run;
    uint16_t group; /* of the next train or fragmented frame */
    struct backlog backlog;
    uint64_t sent;      /* bytes given to the socket … */
    uint64_t sent_seen; /* … until the last look at what waits there */
    uint8_t side_sent;  /* the side socket that was last sent by */
    bool send_waited;   /* this round has waited for the socket in vain: it will not again */

    /* in */
    struct udp_batch *batch;
    struct udp_message messages[UDP_BATCH];
    uint8_t
        *message; /* UPLINK_MESSAGE_MAX: the last one that came by a channel; NULL where there is none … */
    struct endpoint message_from; /* … and from where */
    uint32_t channel;             /* of the envelope in which the present datagram came; 0: in none … */
    uint8_t side;                 /* … and the side socket by which, by its number; 0: the port's */
    struct overload *overload;
    enum overload_state load;
    bool overloaded;      /* this round found more than it can open */
    struct session *held; /* whose lane this worker holds; NULL when none */
    uint8_t held_lane;
    struct offload_merge merge; /* segments of that lane */
    uint64_t overflow;

    struct worker_counters counters;
    struct worker_profile *profile; /* NULL when off */
    struct worker_limit source_limits[WORKER_LIMITS], claim_limits[WORKER_LIMITS], size_limits[WORKER_LIMITS],
        sought_limits[WORKER_LIMITS];
    struct bucket sought;                      /* events of all peers */
    struct worker_trace_limit trace_limits[2]; /* from, to the device */

    struct ring *events;   /* to the control thread */
    struct intake *intake; /* how much of them is whose */
    bool event_added;      /* since the last wake */
    _Alignas(64) _Atomic bool woken;

    int epoll, stop; /* stop: an eventfd, written by worker_stop */
    pthread_t thread;
};

static inline void worker_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void worker_drop(struct worker *w, enum drop reason, uint64_t n)
{
    worker_count(&w->counters.drops[reason], n);
}

static inline int worker_tap(const struct worker *w)
{
    return w->config.tap_queues[w->config.index];
}

/* Queues an event, with a copy of event->data; false when there is no room. */
bool worker_event(struct worker *w, const struct worker_event *event);

/* A run of s is over: control is told of lanes that it does not know to be used. */
void worker_tell_lanes(struct worker *w, struct session *s);

/* True when the peer's event may be sent now, at most every 100 ms. */
bool worker_limit_pass(struct worker_limit limits[WORKER_LIMITS], uint32_t slot, uint64_t now_us);

/* While the direction's left is not 0. */
void worker_trace_frame(struct worker *w, bool to_device, const struct switch_frame *frame, size_t len);
