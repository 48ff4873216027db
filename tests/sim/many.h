/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network of thousands of whole control planes in one process, under one virtual clock: a full mesh of sites and servers, and
 * the backbone's directory. Real handshakes, keys and sessions. It has no NATs, relays or uplinks: sim.h has those, for
 * tens of nodes, and looks at each peer of a node at each event. Here an event costs the logarithm of their number.
 *
 *   servers   the first nodes: each lists the next MESH_PEERS_MAX of the others, all that it may
 *   sites     the others, so many in a row: each lists its server, and the others of its site
 *
 * Seeded: with the same seed the same happens, to the last byte. One network at a time, one thread. */

#include "base/heap.h"
#include "base/table.h"
#include "crypto/identity.h"
#include "node/rendezvous/rendezvous_wants.h"
#include "proto/mesh/mesh.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct many_plan {
    uint64_t seed;
    unsigned nodes, servers, site;
    uint64_t delay_us, jitter_us; /* of a datagram, and a part of a stream */
    double loss;                  /* of datagrams */
};

/* What is counted by the second of the clock. */
struct many_rate {
    uint64_t total;
    uint64_t second;
    unsigned now, most; /* in that second; in any */
};

struct many_node {
    struct many *many;
    unsigned number, life; /* how often it was started */
    struct identity *identity;
    struct mesh *mesh;     /* NULL: not running */
    struct heap_node due;  /* its mesh's deadline, or the directory's */
    struct table *streams; /* conn → struct many_end */
    uint64_t ticked_us;
    unsigned ticks_at_once;
    uint64_t pool_us[2]; /* when a thread of its pool has done what it has */
    /* towards the directory */
    bool registered;                  /* it is there, for others … */
    bool reachable, doubted, looking; /* … and asks, as a node's rendezvous does */
    unsigned failures;                /* of its registration, in a row */
    uint64_t failing_us, register_us; /* since when; when it registers next */
    struct wants wants;
    /* what happened */
    struct many_rate dials, accepts, asks, datagrams;
    uint32_t pongs, pong_us; /* answers to its pings, and the last one's round trip */
};

/* What a backbone of one instance has to do, in order. */
struct many_directory {
    uint64_t free_us;                              /* when it has done what it has */
    struct many_rate registrations, lookups, busy; /* it was too busy for */
};

struct many {
    struct many_plan plan;
    uint64_t now_us, random, digest;
    uint64_t events, ticks; /* what came to nodes; how often their meshes looked at the clock */
    struct many_node *nodes;
    struct heap queue; /* nodes' deadlines, and events */
    struct many_directory directory;
    struct many_rate dials, steps; /* of all: streams; of handshakes, by pools */
};

/* Nobody runs yet. */
struct many *many_new(const struct many_plan *plan);
void many_free(struct many *m);

/* Starts all at once, each with its list; knows: each has on disk where the others of its list are. */
void many_start(struct many *m, bool knows);
/* Stops all at once, without a word. */
void many_kill(struct many *m);

void many_run(struct many *m, uint64_t duration_us);

/* Whom node n lists, by the number of its list; false behind the last. */
bool many_listed(const struct many *m, unsigned n, unsigned index, unsigned *other);
/* Pairs of which one lists the other, and to how many of those data can flow at both ends, or at one. */
unsigned many_pairs(const struct many *m);
unsigned many_connected(const struct many *m);

/* a sends one probe to b, whose answer is counted at a. False: it has no session or path. */
bool many_ping(struct many *m, unsigned a, unsigned b);

uint64_t many_random(struct many *m);

/* Counts from here on. */
void many_reset_rates(struct many *m);
/* The most of any node in one second; offset is that of a struct many_rate in struct many_node. */
unsigned many_most(const struct many *m, size_t offset);
