/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running node consists of. Shared by control.c (events), report.c (log lines), status.c (API) and
 * addresses.c; control thread only. */

#include "base/log.h"
#include "crypto/identity.h"
#include "net/sandbox.h"
#include "node/api/api.h"
#include "node/command/commands.h"
#include "node/command/pings.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/helper/helper_client.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/underlay/addresses.h"
#include "node/underlay/filter.h"
#include "node/underlay/hosts.h"
#include "node/report/overlay.h"
#include "node/rendezvous/rendezvous.h"
#include "node/tables.h"
#include "node/carrier/streams.h"
#include "node/data/workers.h"
#include "node/report/frame_log.h"
#include "node/report/report.h"
#include "node/report/warnings.h"
#include "proto/mesh/mesh.h"
#include "proto/switch/switch.h"
#include <uv.h>

#define NODE_PINGS_MAX 16
#define NODE_SIGNALS   3 /* that end it */

struct node {
    const struct config *config;
    struct identity *identity;
    bool key_made; /* at this start: written when nothing else can fail */
    struct device *device;
    struct udp_socket sockets[WORKER_MAX];
    unsigned socket_count; /* = the device's queues = workers */
    struct workers workers;
    unsigned peers_max; /* as many as there are files to open for */
    struct mesh *mesh;
    struct streams *streams;
    struct rendezvous *rendezvous; /* NULL without -backbone */
    struct api *api;
    struct sandbox sandbox; /* what holds of it */

    uv_loop_t loop;
    uv_timer_t timer;    /* the mesh's next deadline */
    uv_timer_t slow;     /* once a second: STUN, profile, now and then ageing */
    uv_prepare_t settle; /* after every round of events: publish, set the timer */
    uv_async_t wake;     /* workers have events */
    uv_poll_t monitor;   /* interfaces changed */
    uv_poll_t uevents;   /* the machine was resumed from a snapshot */
    int uevent_fd;       /* -1: the kernel does not tell */
    uv_signal_t signals[NODE_SIGNALS];
    bool trimmed; /* of what only starting needed */
    bool unlocked_told;
    bool failed;      /* a part of it, and the log has told it */
    uv_timer_t last;  /* bounds the stop */
    bool overdue;     /* it has run out */
    bool device_gone; /* and the log has told it */

    struct tables tables; /* the workers' */
    struct overlay overlay;

    struct helpers helpers;            /* ends of their channels, until their clients have them */
    struct helper_client *name_helper; /* NULL before they are ready */
    struct helper_client *backbone_helper;
    struct name_client *name_client;
    struct hosts hosts;
    struct addresses addresses;
    struct filter filter;

    uint64_t started_us;
    uint64_t drops[DROP_COUNT]; /* of datagrams that the control thread took */
    struct report report;
    struct warnings warnings;
    struct frame_log frame_log;
    struct pings pings;
    struct commands commands;
};

/* node_ops.c */
void node_do_outputs(struct node *n); /* until none waits */
