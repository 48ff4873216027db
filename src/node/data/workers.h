/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* All data workers of a node and what they share: the switch, the forwarding table, reassembly, which flows are bulk. Control
 * thread. */

#include "base/err.h"
#include "node/data/worker.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct workers {
    struct switch_table *sw;
    struct fwd *fwd;
    struct reassembly *reassembly;
    struct worker *list[WORKER_MAX];
    unsigned count;
    struct bulk *bulk;
    uint64_t aged_us; /* when the switch was last swept */
    uint64_t missed;  /* datagrams that were not read or opened for want of time, at the last look … */
    uint64_t pressed_until_us; /* … and until when that counts */
};

struct workers_config {
    unsigned count;                        /* = tap's queues; of more than one, the last for sparse flows */
    const struct tap *tap;                 /* borrowed until workers_stop, as sockets are */
    struct udp_socket *sockets;            /* as many */
    struct sides *sides;                   /* NULL: there are none, and none will be */
    const int *channels[CARRIER_CHANNELS]; /* by their numbers, of each as many; NULL: there are none */
    struct relay_desk *desk;               /* NULL: it relays for nobody */
    const struct neigh_view *neigh;        /* NULL: the device has a link layer */
    const uint8_t *mac;                    /* of the device */
    unsigned peers_max;                    /* slots */
    bool pass_bpdus, profile;
    unsigned traces; /* worker.h, as what follows */
    void (*wake)(void *context);
    void *context;
};

/* w is all zero until then. On an error those that run are to be ended all the same. ERR_NOMEM or ERR_IO (errno). */
int workers_start(struct workers *w, const struct workers_config *config) must_check;

/* Ends their threads. What they shared stays, until what refers to it has ended too. */
void workers_stop(struct workers *w);
void workers_fini(struct workers *w);

/* A side socket has come: one of them reads it. ERR_IO (errno). */
int workers_watch_side(const struct workers *w, unsigned number) must_check;

/* As worker_inject, by that worker; UINT32_MAX: by the one of sparse flows. */
bool workers_inject(const struct workers *w, uint32_t worker, const struct virtio_net_hdr *vnet,
                    const uint8_t *frame, size_t len);

/* As worker_trace. */
void workers_trace(const struct workers *w, unsigned traces);

/* Of them, those for bulk flows. */
unsigned workers_bulk(const struct workers *w);

/* As worker_take_events, for so many of each. */
bool workers_take_events(const struct workers *w, unsigned max,
                         void (*handler)(void *context, const struct worker_event *e),
                         void *context) must_check;

/* Once a second: the switch holds the device's own address fast, and now and then forgets old ones. */
void workers_tick(struct workers *w, const uint8_t mac[6], uint64_t now_us);

/* Whether they had no time for datagrams that came of late. Cheap. */
bool workers_pressed(struct workers *w, uint64_t now_us);

/* Frames that all of them together dropped for this reason, and that passed. */
uint64_t workers_dropped(const struct workers *w, enum drop why);
struct workers_frames {
    uint64_t from_device, bytes_from_device, to_device, bytes_to_device;
};
struct workers_frames workers_frames(const struct workers *w);

/* What they passed on between peers. */
struct workers_relayed {
    uint64_t bytes, trains;
};
struct workers_relayed workers_relayed(const struct workers *w);

/* With -profile: as worker_profile_log. */
void workers_profile_log(const struct workers *w);
