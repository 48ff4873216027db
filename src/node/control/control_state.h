/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running node consists of. For the files that tie it together, control*.c of this room, and nobody else. Control
 * thread. */

#include "base/log.h"
#include "crypto/identity.h"
#include "net/broker.h"
#include "net/tap.h"
#include "net/sandbox.h"
#include "net/udp.h"
#include "node/api/api.h"
#include "node/backbones/backbones.h"
#include "node/carrier/handshake_pool.h"
#include "node/carrier/streams.h"
#include "node/carrier/trunks.h"
#include "node/command/checks.h"
#include "node/command/commands.h"
#include "node/command/pings.h"
#include "node/command/reloads.h"
#include "node/config/config.h"
#include "node/control/key_draft.h"
#include "node/control/snapshot.h"
#include "node/data/relaying.h"
#include "node/data/shim.h"
#include "node/data/tables.h"
#include "node/data/workers.h"
#include "node/config/proxy.h"
#include "node/device/device.h"
#include "node/doors/door_sockets.h"
#include "node/doors/doors.h"
#include "node/helper/helper_client.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/network/change_log.h"
#include "node/network/life.h"
#include "node/network/names.h"
#include "node/network/network.h"
#include "node/network/registry.h"
#include "node/network/renewal.h"
#include "node/netcheck/nat_watch.h"
#include "node/netcheck/survey.h"
#include "node/records/record_cache.h"
#include "node/records/records.h"
#include "node/report/frame_log.h"
#include "node/report/overlay.h"
#include "node/report/report.h"
#include "node/report/warnings.h"
#include "node/underlay/addresses.h"
#include "node/underlay/draw.h"
#include "node/underlay/filter.h"
#include "node/underlay/hosts.h"
#include "node/underlay/neighbours.h"
#include "node/underlay/portmap.h"
#include "node/underlay/standbys.h"
#include "node/underlay/stun_hosts.h"
#include "proto/mesh/mesh.h"
#include <uv.h>

#define NODE_SIGNALS 2 /* that end it */

struct node {
    struct config *config; /* changed by reloads alone */
    struct identity *identity;
    bool key_made;        /* at this start: kept when nothing of it can fail any more */
    struct key_draft key; /* until then */
    uint64_t started_us;
    struct sandbox sandbox; /* what holds of it */

    /* What carries data. */
    struct broker broker; /* of -rootless; its channel is -1 without */
    struct tap given;     /* of -tun-fd, until the device has it; no queue without */
    struct device *device;
    struct udp_socket sockets[WORKER_MAX];
    unsigned socket_count; /* = the device's queues = workers */
    struct sides sides;    /* theirs, too */
    struct shim *shim;     /* NULL: the device has a link layer */
    struct workers workers;
    struct tables tables; /* theirs */
    struct relaying relaying;

    /* Peers, and how they are reached. */
    struct network *network;    /* NULL without -network … */
    struct registry *registry;  /* … likewise: what its signers have said … */
    bool lists_old;             /* … which is old, as was told */
    struct names *names;        /* … likewise, unless -dns off: how their names are told here */
    struct renewal *renewal;    /* of its certificate; NULL until there is one */
    struct change_log *changes; /* of members, on an issuer; NULL: it is none */
    struct life issuer_life;    /* of that as an issuer: what was told */
    uint64_t clocks_us;         /* when members' clocks were last compared with ours … */
    bool clock_off;             /* … which is off, as was told */
    struct mesh *mesh;
    unsigned peers_max;   /* as many as there are files to open for */
    struct filter filter; /* the mesh's */
    struct streams *streams;
    struct trunks *trunks; /* NULL with -carrier udp */
    struct handshake_pool *handshakes;
    uv_work_t pool_started;
    struct addresses addresses;
    struct survey *survey;   /* of the NAT in front of us */
    struct draw *draw;       /* of many ports of its */
    struct portmap *portmap; /* NULL with -portmap off */
    struct standbys standbys;
    struct hosts hosts;
    struct neighbours *neighbours; /* NULL with -lan=false */
    struct stun_hosts stun_hosts;
    struct nat_watch nat_watch;
    struct backbones *backbones; /* NULL without -backbone */
    struct records *records;
    char cache_folder[sizeof(((struct config *)0)->keydir) + 16]; /* empty: nothing is kept on disk */
    uint64_t drops[DROP_COUNT]; /* of datagrams that the control thread took */

    /* Helper processes. */
    struct proxy proxies[UPLINKS_MAX]; /* of each backbone's, without names and passwords */
    struct helpers helpers;            /* ends of their channels, until their clients have them */
    int opener;                        /* of the files of -config; -1: there are none, or reloads have it */
    struct helper_client *name_helper; /* NULL before they are ready */
    struct helper_client *backbone_helper;
    struct name_client *name_client;
    int broker_also; /* the broker's end of a channel to the doors' process, until it has it; else -1 */
    struct door_sockets door_sockets; /* of the mesh */
    struct doors *doors;              /* NULL without -forward and -listen */

    /* What people are told, and ask. */
    struct report report;
    struct warnings warnings;
    struct overlay overlay;
    struct frame_log frame_log;
    struct api *api;
    struct commands commands;
    struct pings pings;
    struct checks checks;
    struct reloads reloads;

    /* The loop. */
    uv_loop_t loop;
    uv_timer_t timer;    /* the mesh's next deadline */
    uint64_t looked_us;  /* when the clock was last looked at, for both timers */
    uv_timer_t slow;     /* once a second: STUN, profile, now and then ageing */
    uv_prepare_t settle; /* after every round of events: publish, set the timer */
    uv_async_t wake;     /* workers have events */
    uv_poll_t monitor;   /* interfaces changed */
    uv_poll_t namespace; /* the broker is gone */
    uv_signal_t signals[NODE_SIGNALS];
    uv_signal_t hangup; /* SIGHUP: the flags are read again */
    int ending;         /* signals that came before the loop listens; -1: it does */
    bool ended;         /* one did */
    uv_timer_t last;    /* bounds the stop */
    struct snapshot snapshot;

    /* What has been done, and the log has told. */
    bool trimmed;          /* of what only starting needed */
    uint64_t gave_back_us; /* when it last looked for memory that is unused */
    bool unlocked_told;
    bool device_gone, broker_gone;
    bool overdue; /* the stop: its time has run out */
};
