/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the simulator share: what is on its way, and when it arrives. */

#include "sim.h"

#include "proto/punch/punch.h"
#include "proto/relay/relay.h"

#define EVENTS_MAX   65536
#define SIM_BEGIN_US (1000 * 1000000ull)

enum event_kind {
    EVENT_DATAGRAM,
    EVENT_ACCEPT,
    EVENT_CONNECTED,
    EVENT_BYTES,
    EVENT_CLOSED,
    EVENT_UPLINKED, /* a datagram, by the backbone */
    EVENT_PAIR,     /* at the backbone */
    EVENT_PAIRED,   /* from it */
    EVENT_RELAY,    /* at the backbone: a channel is asked for */
    EVENT_RELAYED,  /* from it: one is given; data: the token */
    EVENT_TOLD,     /* from it: how a node is seen (from) */
    EVENT_SEEN,     /* what a look at the NAT found; channel: the slot, data: struct sim_sight */
};

struct event {
    uint64_t at_us, order;
    enum event_kind kind;
    struct addr from, to;          /* datagrams … */
    const struct sim_node *sender; /* … and who put them on the network; NULL: the backbone */
    unsigned pipe;                 /* streams: and which end receives */
    bool to_dialler;
    unsigned node, other; /* uplinks: by number, who receives (PAIR: who said it), and who is meant */
    bool on;              /* PAIR, PAIRED */
    uint32_t channel;     /* RELAYED */
    uint8_t *data;
    size_t len;
};

/* A stream: two ends, each a node and its number there. */
struct pipe_end {
    struct sim_node *node;
    uint64_t conn;
    uint64_t ready_us; /* nothing overtakes on a stream */
    bool trunk;        /* it carries datagrams now */
};

struct pipe_ends {
    struct pipe_end dialler, listener;
    bool open;
    bool by_uplink;
};

/* As it was signed. */
struct sim_record {
    struct record record;
    uint8_t whole[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    size_t len;
};

struct sim_key;

/* Where an end of a channel has shown the backbone's relay that it is. */
struct sim_binding {
    uint32_t channel;
    struct node_id id;
    struct addr at;
};

struct sim {
    struct sim_weather weather;
    struct sim_backbone backbone;
    bool asked[SIM_NODES_MAX][SIM_NODES_MAX]; /* PAIR on, by the one for the other */
    bool severed[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t now_us, order, random, trace;
    struct sim_node nodes[SIM_NODES_MAX];
    unsigned node_count, addresses;
    struct event *events; /* a heap */
    size_t event_count;
    struct pipe_ends *pipes;
    unsigned pipe_count;
    struct relay *relay;        /* the backbone's books of it … */
    struct relay_grant granted; /* … and the last channel that it gave out */
    struct nat_model *nats[SIM_NODES_MAX];
    unsigned nat_count;
    struct sim_binding *bindings;
    size_t binding_count;
    struct sim_key *keys; /* that anybody has sealed with */
    size_t key_count;
    uint64_t frames; /* that were sent so far */
    bool watches_places, indices_collide;
};

uint64_t sim_next_random(struct sim *sim);
bool sim_chance(struct sim *sim, double p);
/* Adds to the hash of all that happened. */
void sim_trace_bytes(struct sim *sim, const void *bytes, size_t len);
void sim_push(struct sim *sim, struct event e);
struct event sim_pop(struct sim *sim);
uint8_t *sim_copy(const uint8_t *data, size_t len);
/* How long a datagram or a part of a stream is on its way. */
uint64_t sim_travel(struct sim *sim);

/* sim_network.c */
struct sim_node *sim_node_at(struct sim *sim, const struct addr *a);
/* Puts what a session sealed on its way. hops: how far it goes, 0: far enough. */
void sim_send_sealed(struct sim_node *n, const struct endpoint *to, unsigned hops, const uint8_t *data,
                     size_t len);
/* A datagram arrives at n; data is changed. */
void sim_arrive(struct sim_node *n, const struct endpoint *from, uint8_t *data, size_t len);
/* … at an address. */
void sim_deliver_datagram(struct sim *sim, struct event *e);

/* sim_table.c */
void sim_publish(struct sim_node *n); /* what is stale */
void sim_check_tables(const struct sim_node *n);

/* sim_frames.c */
void sim_on_data(struct sim_node *n, const struct endpoint *from, uint8_t *data, size_t len);

/* sim_stream.c */
void sim_dial(struct sim_node *n, uint64_t conn, const struct target *target);
void sim_stream_send(struct sim_node *n, uint64_t conn, const uint8_t *data, size_t len);
void sim_deliver_stream(struct sim *sim, struct event *e);
struct pipe_ends *sim_pipe_of(struct sim_node *n, uint64_t conn, bool *is_dialler, unsigned *number);
/* Something for the other end of the stream. */
void sim_on_pipe(struct sim_node *n, uint64_t conn, enum event_kind kind, const uint8_t *data, size_t len);
/* Ends the stream for both sides, after what is on its way. */
void sim_cut(struct sim *sim, unsigned pipe);

/* sim_outputs.c */
void sim_return_work(struct sim_node *n, bool done); /* that it holds */

/* sim_record.c */
/* Bytes of a record and its signature. */
void sim_take_record(struct sim_node *n, const uint8_t *whole, size_t len);

/* sim_node.c */
uint32_t sim_interface(const void *context, const struct addr *a); /* context: the node */

/* sim_relay.c */
void sim_start_relaying(struct sim_node *n); /* where it does */
void sim_stop_relaying(struct sim_node *n);
/* What is in an envelope arrives at n. True when it was n's to pass on. */
bool sim_pass_on(struct sim_node *n, const struct event *e, uint32_t channel);
/* sim_nat.c */
/* Puts a datagram on the network, behind its NAT if it has one; hops: how far it goes, 0: far enough. */
void sim_leave(struct sim_node *n, const struct addr *to, unsigned hops, const uint8_t *data, size_t len);
/* The same from that port of its. */
void sim_leave_by(struct sim_node *n, uint16_t port, const struct addr *to, unsigned hops,
                  const uint8_t *data, size_t len);
/* Who gets what was sent to that address, and at which port of its; NULL: nobody. */
struct sim_node *sim_enter(struct sim *sim, const struct addr *from, const struct addr *to, uint16_t *port);
/* Nothing passes between the two for the side that they are on; a NULL: the backbone. */
bool sim_apart(const struct sim_node *a, const struct sim_node *b);
void sim_look(struct sim_node *n, uint32_t slot, bool keep);
void sim_ask_address(struct sim_node *n); /* when it is due */
void sim_on_told(struct sim_node *n, const struct event *e);
void sim_free_nats(struct sim *sim);

/* sim_draw.c */
struct sim_sight {
    struct punch_seen seen;
    uint16_t port; /* of a socket that may be kept; 0: none may */
};
void sim_on_sight(struct sim_node *n, uint32_t slot, const struct sim_sight *sight);
void sim_draw(struct sim_node *n, const struct mesh_output *o);
void sim_close_side(struct sim_node *n, unsigned side);
/* The port of a side socket, by its number (0: the node's), and the number of one, by its port: 0: it is none's. */
uint16_t sim_side_port(const struct sim_node *n, unsigned side);
unsigned sim_side_at(const struct sim_node *n, uint16_t port);
/* A datagram comes to a port. False: its socket is the node's or a side one, and the datagram is still to be delivered. */
bool sim_meet(struct sim_node *n, const struct endpoint *from, uint16_t port, uint8_t *data, size_t len);

/* sim_watch.c */
#define SIM_STAMP_LEN 10
/* The head of a frame: whose it is, for whom, and its number. Read where a session of from's opened it. */
void sim_stamp(const struct sim_node *from, const struct sim_node *to, uint8_t out[SIM_STAMP_LEN]);
void sim_on_stamp(struct sim_node *n, const struct sim_node *from, bool straight,
                  const uint8_t in[SIM_STAMP_LEN]);
/* A sealed datagram leaves. */
void sim_on_sealed(struct sim_node *n, const uint8_t *data, size_t len);
/* The mesh of n has taken what has that header. */
void sim_on_taken(struct sim_node *n, const struct wire_header *h);
/* A session of n's seals from now on; the end of the simulation. */
void sim_on_keys(struct sim_node *n, const struct session *s);
void sim_unwatch_keys(struct sim *sim);
/* A sealed datagram leaves that is only to open n's NAT. */
void sim_on_opening(struct sim_node *n, const struct addr *to, const uint8_t *data, size_t len);
/* Straight or to a relay, and no frame; from there. */
void sim_on_sent(struct sim_node *n, const struct addr *to, bool asks);
void sim_on_heard(struct sim_node *n, const struct addr *from);
void sim_unwatch(struct sim_node *n); /* it starts anew, or ends */

/* sim_trunk.c */
void sim_send_by_trunk(struct sim_node *n, uint64_t conn, const uint8_t *data, size_t len);
void sim_keep_probe(struct sim_node *n, const uint8_t *data, size_t len);
void sim_take_trunk(struct sim_node *n, uint64_t conn, uint8_t *data, size_t len);
void sim_at_trunk(struct sim_node *n, uint64_t conn, uint8_t *data, size_t len);

/* sim_backbone.c */
struct sim_node *sim_uplinked(struct sim *sim, const struct node_id *id); /* NULL: absent */
void sim_pair(struct sim_node *n, const struct node_id *id, bool on);
void sim_send_by_uplink(struct sim_node *n, const struct node_id *to, const uint8_t *data, size_t len);
/* n asks for a channel of the relay. */
void sim_ask_relay(struct sim_node *n, const struct node_id *id);
/* A datagram that was sent to an address arrives; data is its. True when the relay is there. */
bool sim_at_relay(struct sim *sim, const struct event *e);
extern const struct addr sim_relay_addr;
/* Puts a datagram on the network; sender NULL: the backbone does. */
void sim_send(struct sim *sim, const struct sim_node *sender, const struct addr *from, const struct addr *to,
              const uint8_t *data, size_t len);
/* An event at an uplink, or at the backbone. */
void sim_at_backbone(struct sim *sim, struct event *e);
/* Whom an opener is said to be. */
struct target sim_opener(const struct sim_node *dialler);
