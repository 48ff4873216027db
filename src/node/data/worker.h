/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A data worker: one thread with one TAP queue, one UDP socket and one lane, run to completion in both
 * directions. The last of several has the sparse flows and goes first, the others bulk flows. The only coordinator of
 * the data path: docs/ARCHITECTURE.md walks a frame through it. */

#define WORKER_BULK_MAX 8                     /* for bulk flows, of one node … */
#define WORKER_MAX      (WORKER_BULK_MAX + 1) /* … and the one for sparse flows */
#define WORKER_NO_PEER  UINT32_MAX            /* no peer's slot */

#define WORKER_TRACES_ALL UINT_MAX

#include "base/addr.h"
#include "base/err.h"
#include "net/tap.h"
#include "net/udp.h"
#include "node/data/fwd.h"
#include "node/data/reassembly.h"
#include "proto/wire/drop.h"
#include "proto/switch/switch.h"
#include "proto/wire/wire.h"
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bulk;
struct neigh_view;
struct relay_desk;

/* What a worker hands to the control thread. */
enum worker_event_kind {
    WORKER_EVENT_DATAGRAM, /* CONTROL, PROBE (of peer slot, within its intake.h; opened in place, all else as it
                              came), STUN or a relay's message (slot WORKER_NO_PEER): from, len, data */
    WORKER_EVENT_SOURCE,   /* an authenticated datagram of peer slot came from an address that is not its
                              path: slot, from; at most one per 100 ms and peer */
    WORKER_EVENT_TOO_BIG, /* the kernel refused the path's size towards peer slot: slot; likewise limited */
    WORKER_EVENT_CLAIM,   /* peer slot uses an address of another: slot, claim, holder; likewise limited */
    WORKER_EVENT_LANES,   /* lanes of peer slot were used that have no cipher of their own: session_warm */
    WORKER_EVENT_SOUGHT, /* a frame is for peer slot, which has no session (switch_absent), or asks for its address:
                              slot; likewise limited, and 100 a second of all */
    WORKER_EVENT_CIRCLE, /* the device gave us a sealed datagram of our own: likewise limited */
    WORKER_EVENT_NEIGHBOUR, /* where the device has no link layer: a frame of it whose next hop is not known (slot
                               WORKER_NO_PEER), or a neighbour's message of peer slot: neighbour, len, data */
    WORKER_EVENT_TRACE, /* a frame passed, with a peer connected: trace; at most 10 per second and direction,
                              and config.traces in all */
    WORKER_EVENT_DEVICE_GONE, /* the TAP cannot be read any more (removed): the worker serves UDP alone */
};
struct worker_trace {
    bool to_device; /* P2P→TAP, else TAP→P2P */
    struct switch_frame frame;
    uint32_t len;      /* of the frame or super-frame */
    uint32_t withheld; /* frames of this direction since the last trace that got none */
};
struct worker_event {
    enum worker_event_kind kind;
    uint32_t slot;
    struct endpoint from;
    uint32_t len;
    uint8_t
        *data; /* DATAGRAM, NEIGHBOUR: len bytes, valid until the handler returns, which may change them */
    struct worker_trace trace;
    struct {
        enum drop why; /* DROP_PINNED or DROP_FLAPPING */
        uint8_t mac[6];
        uint16_t vlan;
        int holder; /* a slot */
    } claim;
    struct {
        unsigned worker; /* by which it came */
        struct virtio_net_hdr vnet;
    } neighbour;
};

/* "TAP→P2P: EthernetFrame[dst=…, src=…, type=0800, len=98]", for the log; returns out. */
#define WORKER_TRACE_MAX 160
char *worker_trace_format(const struct worker_trace *trace, char out[WORKER_TRACE_MAX]);

struct worker_config {
    unsigned index;        /* = TAP queue and socket; below workers */
    unsigned workers;      /* of this node */
    const int *tap_queues; /* one per worker: it reads its own, and writes to the one of a frame's flow */
    unsigned tap_offloads;
    bool tap_plain;                 /* frames of the queues have no virtio header */
    const struct neigh_view *neigh; /* NULL: the device has a link layer; all workers' */
    struct carrier_ports ports;     /* its own; what comes by their channels is served, too */
    struct switch_table *sw;
    struct fwd *fwd;
    struct relay_desk *desk;       /* NULL: it relays for nobody; all workers' */
    struct reassembly *reassembly; /* for at least `workers`; all workers' */
    struct bulk *bulk;             /* all zero at first; all workers' */
    bool profile;                  /* -profile: histograms */
    unsigned traces;               /* of each direction; WORKER_TRACES_ALL: no end */
    void (*wake)(void *context);   /* events are waiting: called from the worker's thread, at most once until
                                      worker_take_events */
    void *context;
};

struct worker;

/* Borrows all that config refers to until worker_stop. ERR_NOMEM or ERR_IO (errno). */
int worker_start(const struct worker_config *config, struct worker **out) must_check;

/* Stops the thread, waits for it and frees the worker; events not yet taken are lost. NULL is allowed. Call
 * it on the control thread, which no longer expects wake then. */
void worker_stop(struct worker *w);

/* Control thread: config.traces from now on. */
void worker_trace(struct worker *w, unsigned traces);

/* Control thread, where config.neigh is given: a frame leaves as if it came from the device. False: as many wait. */
bool worker_inject(struct worker *w, const struct virtio_net_hdr *vnet, const uint8_t *frame, size_t len);

/* Control thread: the worker reads that side socket (carrier/sides.h), too, until it is closed. ERR_IO (errno). */
int worker_watch_side(struct worker *w, unsigned number) must_check;

/* Control thread: calls handler for each waiting event, for max at most. True when more wait: then call it
 * again soon, since no wake will come for those. */
bool worker_take_events(struct worker *w, unsigned max,
                        void (*handler)(void *context, const struct worker_event *e),
                        void *context) must_check;

/* Relaxed counters, written by the worker alone. */
struct worker_counters {
    _Atomic uint64_t drops[DROP_COUNT];
    _Atomic uint64_t tap_rx_frames, tap_rx_bytes; /* from the device; a super-frame counts once … */
    _Atomic uint64_t tap_tx_frames, tap_tx_bytes; /* … as does a merged train to it */
    _Atomic uint64_t udp_rx_datagrams, udp_tx_datagrams;
    _Atomic uint64_t socket_overflows;
    _Atomic uint64_t relayed_bytes, relayed_trains; /* between peers; with envelopes */
};
const struct worker_counters *worker_counters(const struct worker *w);

/* With -profile: writes the [PROFILE-…] lines for the time since the last call. Control thread. */
void worker_profile_log(struct worker *w);
