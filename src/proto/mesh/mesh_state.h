/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The mesh's own memory, for the files of this room that share it (mesh*.c), each of which has a header of what it does for
 * the others. Nobody else includes this. */

#include "base/bucket.h"
#include "base/heap.h"
#include "base/table.h"
#include "crypto/tls.h"
#include "proto/admission/crowd.h"
#include "proto/session/fragment.h"
#include "proto/admission/known.h"
#include "proto/admission/limits.h"
#include "proto/link/link.h"
#include "proto/admission/lobby.h"
#include "proto/mesh/mesh.h"
#include "proto/mesh/mesh_gossip.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/peer/dial_turns.h"
#include "proto/peer/peer.h"
#include "proto/peer/peer_index.h"

#define MESH_HALF_OPEN_MAX          128
#define MESH_HALF_OPEN_PER_HOST_MAX 16
#define MESH_WORKS_MAX              16 /* that are out, while more guests' handshakes begin */
#define MESH_ACCEPT_SOURCES         1024
#define MESH_ACCEPT_BURST           32
#define MESH_ACCEPT_INTERVAL_US     250000 /* one stream more every so often */
#define MESH_KNOWN_SOURCES          8192
#define MESH_UPLINK_WAITING_MAX     16 /* streams of a backbone that are not identified yet … */
#define MESH_UPLINK_STRANGERS_MAX   8  /* … of them, said to be from who is on none of our lists */
#define MESH_UPLINK_COST            4 /* such a stream counts as so many connections: who opens it is hearsay */
#define MESH_OPENING_INTERVAL_US    500000  /* what a backbone lets us open: two streams a second … */
#define MESH_OPENING_BURST          16      /* … and so many at once */
#define MESH_CHECK_INTERVAL_US      1000000 /* between two looks at an uplink */
#define MESH_RELAY_ASK_INTERVAL_US  10000   /* channels that we ask backbones for: 100 a second … */
#define MESH_RELAY_ASK_BURST        1024    /* … and so many at once */
#define MESH_RELAY_WORD_INTERVAL_US 50000   /* questions for nodes that relay: 20 a second … */
#define MESH_RELAY_WORD_BURST       64      /* … and so many at once */
#define MESH_RELAY_NODES_MAX        8       /* of them that are asked */
#define MESH_PINGS_MAX              32
#define MESH_SESSION_STREAMS_MAX    512 /* that peers opened over their sessions */

struct mesh_ping {
    uint64_t token, sent_us; /* token 0: free */
    uint64_t caller;         /* the caller's token */
};

/* Where a receiver index leads; session NULL: nowhere yet, it is promised to the peer. */
struct mesh_receiver {
    struct session *session;
    struct link *link;
};

/* What may be said so often, and when the next of those that wait has its turn. */
struct mesh_turns {
    const struct bucket_rate *rate;
    struct bucket bucket;
    uint64_t next_us;
};

struct mesh {
    struct mesh_config config;
    struct outputs outputs;
    bool ending; /* mesh_free has begun */
    char name[MESSAGE_NAME_MAX + 1];
    struct tls_context *tls;
    uint8_t boot[MESSAGE_BOOT_LEN];
    struct candidate candidates[CANDIDATES_MAX];
    unsigned candidate_count;
    struct {
        bool changed;     /* the candidates, since the last round began */
        bool running;     /* a round in which peers are told of them … */
        bool told;        /* … somebody was … */
        unsigned repeats; /* … the same as before, so often, to those without a connection … */
        unsigned slot;    /* … and who is next */
        uint64_t at_us;   /* no sooner: the next part of the round, or the next round */
    } announce;
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    unsigned overlay_count;
    struct ways ways;                       /* all path sets look at them */
    struct addr standbys[2 * STANDBYS_MAX]; /* where they are reached from outside, … */
    unsigned standby_count;                 /* … as far as that is known */

    struct peer *peers[MESH_PEERS_MAX];         /* by slot; NULL: free */
    unsigned slot_end;                          /* no peer was ever at or above */
    uint16_t free_slots[MESH_PEERS_MAX];        /* below slot_end, … */
    unsigned free_count;                        /* … so many */
    struct peer_index by_id;                    /* all peers */
    struct heap due;                            /* all peers; at 0: its deadline is to be made anew */
    bool pressed;                               /* of late datagrams were dropped for want of time */
    bool behind;                                /* more were due than one tick takes */
    struct table *streams;                      /* conn → struct link */
    struct table *trunks;                       /* conn → struct peer */
    struct table *receivers;                    /* receiver index → struct mesh_receiver */
    struct table *session_streams;              /* conn → struct peer over whose session it is */
    bool streams_ended;                         /* some did, since that was asked for */
    unsigned session_guests;                    /* how many of those were opened by peers */
    struct table *channels;                     /* of relays: backbone and channel → struct peer */
    unsigned works;                             /* of links, that are out */
    struct lobby *lobby;                        /* accepted, their handshake has not begun */
    struct crowd *half_open_crowd;              /* it has begun, they are not yet identified … */
    struct link *half_open[MESH_HALF_OPEN_MAX]; /* … by place; NULL: free */
    struct limits *accepts;                     /* streams per source */
    struct known *known;                        /* where the peers of our lists are expected */
    uint8_t uplinks;                            /* a bit for each backbone to which our uplink is up, … */
    uint32_t uplink_by[UPLINKS_MAX];            /* … by that standby, or as the kernel chooses: 0; … */
    uint64_t check_us[UPLINKS_MAX];             /* … and when it may be looked into next */
    struct bucket openings;                     /* streams that we may open by them … */
    struct mesh_turns relay_asks;               /* … and channels of their relays that we may ask for */
    struct peer *at_birthday;                   /* with whom many ports are being tried; NULL: nobody */
    unsigned side_count;                        /* side sockets, each of one peer */
    struct bucket birthdays;                    /* for others: of how many we may try the ports */
    struct bucket punches;                      /* rounds of punching that we may take part in */
    struct mesh_turns relay_words;              /* questions for nodes that relay, … */
    struct node_id relay_nodes[MESH_RELAY_NODES_MAX]; /* … which are these, */
    unsigned relay_node_count;                        /* … so many */
    struct dial_turns turns;                          /* of the members of a full mesh, … */
    struct bucket member_asks;      /* … who are looked for in directories so often, … */
    struct bucket member_sought;    /* … whose turn frames hurry so often, … */
    struct flood_turns flood_turns; /* of peers whose paths sleep, and floods wake */
    uint64_t member_came_us;        /* … and when one that was apart last dialled us */
    uint64_t expired_us;            /* when we last looked for channels of ours that nobody uses */
    struct mesh_gossip gossip;      /* records that are passed on */
    struct mesh_rolls rolls;        /* … and a network's lists */
    struct {
        struct asking *active; /* for a certificate; borrowed; NULL: none */
        struct node_id issuer;
    } asking;
    struct {
        struct node_id issuer; /* whom we have asked to shut our key out */
        bool is_asked, is_over;
    } leaving;
    uint64_t last_conn;
    uint64_t ticked_us;               /* when mesh_tick last ran */
    struct fragment_table *fragments; /* of CONTROL datagrams */
    uint16_t fragment_group;
    struct mesh_ping pings[MESH_PINGS_MAX];
    unsigned ping_at;
};

/* p changes now, or has changed: its deadline is made anew before the heap is asked again (mesh_timers.c). */
static inline void mesh_touch(struct mesh *m, struct peer *p)
{
    heap_set(&m->due, &p->due, 0);
}

/* Whether an address that others name may be dialled and probed. */
static inline bool mesh_usable(const struct mesh *m, const struct addr *a)
{
    return m->config.filter.usable(m->config.filter.context, a);
}

static inline uint32_t mesh_random(const struct mesh *m)
{
    uint32_t value;
    random_fill(&m->config.random, &value, sizeof(value));
    return value;
}
