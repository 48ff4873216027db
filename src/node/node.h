/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running node consists of. Shared by control.c (events), report.c (log lines), status.c (API) and
 * addresses.c; control thread only. */

#include "base/log.h"
#include "crypto/identity.h"
#include "net/sandbox.h"
#include "node/api/api.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/data/fwd.h"
#include "node/helper/helper_client.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/underlay/reflexive.h"
#include "node/overlay.h"
#include "node/rendezvous/rendezvous.h"
#include "node/tables.h"
#include "node/carrier/streams.h"
#include "node/data/worker.h"
#include "node/warnings.h"
#include "proto/mesh/mesh.h"
#include "proto/switch/switch.h"
#include <uv.h>

#define NODE_PINGS_MAX    16
#define NODE_FRAMES_SHOWN 5 /* of each direction, without -v */
#define NODE_SIGNALS      3 /* that end it */

struct node_ping {
    struct api_call *call; /* NULL: free */
    uint32_t slot;
    uint64_t token, deadline_us;
};

struct node {
    const struct config *config;
    struct identity *identity;
    bool key_made; /* at this start: written when nothing else can fail */
    struct device *device;
    struct udp_socket sockets[WORKER_MAX];
    unsigned socket_count; /* = the device's queues = workers */
    struct switch_table *sw;
    struct fwd *fwd;
    struct reassembly *reassembly;
    struct worker *workers[WORKER_MAX];
    unsigned worker_count;
    _Atomic uint64_t stream_until_us; /* theirs */
    unsigned peers_max;               /* as many as there are files to open for */
    struct mesh *mesh;
    struct streams *streams;
    struct rendezvous *rendezvous; /* NULL without -backbone */
    struct api *api;
    struct sandbox sandbox; /* what holds of it */

    uv_loop_t loop;
    uv_timer_t timer;    /* the mesh's next deadline */
    uv_timer_t slow;     /* once a second: STUN, profile, now and then ageing */
    uint64_t aged_us;    /* when the switch was last swept */
    uv_prepare_t settle; /* after every round of events: publish, set the timer */
    uv_async_t wake;     /* workers have events */
    uv_poll_t monitor;   /* interfaces changed */
    uv_poll_t uevents;   /* the machine was resumed from a snapshot */
    int uevent_fd;       /* -1: the kernel does not tell */
    uv_signal_t signals[NODE_SIGNALS];
    bool trimmed; /* of what only starting needed */
    bool unlocked_told;
    bool stopping;
    bool failed;      /* a part of it, and the log has told it */
    uv_timer_t last;  /* bounds the stop */
    bool overdue;     /* it has run out */
    bool device_gone; /* and the log has told it */

    struct tables tables;                             /* the workers' */
    struct overlay_told overlay_told[MESH_PEERS_MAX]; /* by slot */

    struct helpers helpers;            /* ends of their channels, until their clients have them */
    struct helper_client *name_helper; /* NULL before they are ready */
    struct helper_client *backbone_helper;
    struct name_client *name_client;
    struct node_host *hosts; /* at which peers are dialled (hosts.h) */

    struct reflexive reflexive; /* how the backbone sees us */
    bool backbone_reachable;

    uint64_t started_us;
    uint64_t drops[DROP_COUNT]; /* of datagrams that the control thread took */
    struct log_limit unpinned_limit, claim_limit, excess_limit, refused_limit, failed_limit, circle_limit,
        shared_limit;
    struct warnings warnings;
    bool clock_off;           /* and the log has told it */
    unsigned frames_shown[2]; /* without -v: from, to the device */
    struct node_ping pings[NODE_PINGS_MAX];
    uint64_t last_ping;
};

/* node_ops.c */
bool node_usable(const void *context, const struct addr *a); /* the mesh's filter; context is the node */
bool node_is_ours(const void *context, const struct addr *a);
void node_do_outputs(struct node *n); /* until none waits */

/* addresses.c */
void addresses_announce(struct node *n);             /* our candidates may be other ones now */
void addresses_ask(struct node *n, uint64_t now_us); /* the backbone, how it sees us, when that is due */
void addresses_on_stun(struct node *n, const struct addr *from, const uint8_t *data, size_t len,
                       uint64_t now_us);
void addresses_describe(void *context, struct record *record); /* fills our record; context is the node */

/* report.c */
#define REPORT_WHO_MAX (ID_TEXT_MAX + MESSAGE_NAME_MAX + 8)
const char *report_who_is_in(const struct node *n, int slot, char out[REPORT_WHO_MAX]); /* for people */
void report_notice(struct node *n, enum mesh_notice what, const struct node_id *id, const char *name,
                   const char *text);
void report_unpinned(struct node *n, uint32_t slot,
                     const struct switch_pin *pin); /* an address that it may not announce */
void report_clock(struct node *n, int64_t ahead_s); /* of the backbone's */
void report_circle(struct node *n);                 /* the tunnel leads through itself */
void report_claim(struct node *n, const struct worker_event *claim);
void report_frame(struct node *n, const struct worker_trace *trace);

/* status.c */
void status_handle(void *context, const char *command, const json_t *request, struct api_call *call);
void status_pong(struct node *n, uint64_t token, uint32_t rtt_us);
void status_tick(struct node *n, uint64_t now_us); /* pings that got no answer */
