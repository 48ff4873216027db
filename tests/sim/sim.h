/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network and a clock that exist only in memory: meshes talk over links with delay, jitter, loss,
 * duplication, a size limit, NATs that change their minds or let nothing in, and a backbone. Seeded: with the same seed the same happens, to the
 * last byte; keys follow from it, too. One simulation at a time, one thread. */

#include "crypto/identity.h"
#include "proto/mesh/mesh.h"
#include "proto/wire/trunk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NODES_MAX 256
#define SIM_NOTES_MAX 64
#define SIM_WORK_MAX  64
#define SIM_IN_MAX    512
#define SIM_STANDBY   3 /* the interface of a node's standby */

struct floods;
struct nat_model;
struct nat_kind;
struct sim_watch;
struct sim_record;

struct sim_weather {
    uint64_t delay_us, jitter_us;
    double loss, duplicate; /* of datagrams; streams are reliable */
    bool no_udp;            /* nothing passes but streams */
    uint16_t size_max;      /* UDP payload that passes; 0: any */
    double data_loss;       /* of DATA that goes straight, besides */
    uint64_t uplink_us;     /* from node to node by the backbone: nothing is lost there, nothing overtakes */
};

/* The backbone, which may lie. */
struct sim_backbone {
    const struct sim_node
        *names;             /* whom it says is there, for every opener and every datagram; NULL: the truth */
    bool repeats, reorders; /* datagrams */
    bool stalls;            /* it passes on nothing */
    bool relays;            /* it has a relay over UDP, too; what it did not give out is unknown to it … */
    bool is_mum;            /* … and does not say where it sees an end, … */
    struct addr sees;       /* … or sees all of them there; without family: the truth */
};

#define SIM_VERSION "0.0.7-sim" /* what members say that they run */

struct sim_node {
    struct sim *sim;
    unsigned number;
    struct identity *identity;
    bool is_copy;             /* the identity is another node's */
    struct mesh *mesh;        /* NULL: not running */
    struct addr addr;         /* UDP; the control port is addr.port - 1000 */
    struct addr standby;      /* where it is by its standby; without family: it has none */
    bool cut;                 /* nothing passes at addr any more, in silence */
    struct addr out_of_scope; /* a host that is another machine where this node is */
    bool behind_nat;          /* datagrams reach it only once it has sent one … */
    bool mapped;              /* … since the NAT forgot: set to false to make it forget */
    bool shut;             /* nothing comes in from outside: no connection, no datagram but from the relay */
    bool deaf;             /* no connection comes in */
    bool asleep;           /* with its machine: it does nothing, and nothing comes in */
    bool no_udp;           /* its network passes none */
    unsigned side;         /* of a parted network, on whose side 0 the backbone is */
    bool mute;             /* no CONTROL datagram of its mesh leaves: what sim_say says does */
    bool uplink;           /* to the backbone; sim_uplink sets it … */
    uint32_t uplink_by;    /* … by that interface */
    struct nat_model *nat; /* it is behind; NULL: none. sim_put_behind sets it */
    struct addr said;      /* where a server says that a fresh port of its is; without family: the truth */
    struct addr seen;      /* how the backbone sees it, as it was last told; without family: not yet */
    uint64_t ask_us;       /* when it asks again */
    uint16_t fresh;        /* the last port of a socket that was made for a look */
    uint16_t sides[SIDES_MAX + 1]; /* ports of its side sockets, by their numbers; 0: there is none */
    struct {
        uint32_t slot;
        uint16_t first;
        uint64_t until_us;
    } drawn;                  /* its many sockets, whose ports follow each other, and for whom */
    unsigned draws, met;      /* how often it made them, and one was met */
    uint64_t uplink_ready_us; /* nothing overtakes on it */
    uint64_t far_us;          /* that each datagram from and to it takes longer */
    bool relays;              /* for its peers, from its next start on: sim_start_anew */
    struct relay_desk *desk;
    struct byte_rates *rates;
    unsigned passed; /* datagrams that it relayed */
    enum carriers carriers;
    enum aead_policy aead;                /* of its next start */
    uint64_t features_off;                /* of its next start */
    bool full_mesh;                       /* likewise … */
    struct membership *network;           /* … of which it is a member; its own; NULL: of none */
    const struct serving_issuer *serving; /* … and an issuer; NULL: it is none */
    struct rolls *rolls;                  /* likewise; the test's */
    uint64_t control_idle_us, quiet_us;
    struct slot_set stale; /* what is to be made anew of … */
    /* … what the forwarding table would hold */
    struct {
        uint32_t slot;
        struct session *tx;
        struct endpoint endpoint;
        bool has_path;
        bool sleeps;
        uint16_t size;
    } out[SIM_NODES_MAX];
    size_t out_count;
    struct session *in[SIM_IN_MAX];
    size_t in_count;
    struct session *retired[256];
    size_t retired_count;
    bool holds_work; /* what its links have to compute waits for sim_do_work */
    struct link_work *held[SIM_WORK_MAX];
    size_t held_count;
    unsigned stranger_works; /* of whom it does not expect, so far */
    /* what happened */
    unsigned ticks;
    unsigned chunks; /* that it sent on streams */
    bool wants;      /* the addresses of the last peer that it asked for, or no longer asks for */
    unsigned notes[MESH_NOTICE_STALE + 1];
    char last_note[SIM_NOTES_MAX][256];
    uint64_t frames_sent, frames_received, frames_duplicate;
    struct floods *floods; /* of them to everybody; made when it first starts */
    uint64_t drops[DROP_COUNT];
    unsigned trunks;          /* that it opened or took */
    unsigned opened, pairs;   /* streams by the uplink; PAIR, on and off */
    unsigned asks;            /* for a channel */
    unsigned checks;          /* that it wanted of its uplink */
    unsigned expected;        /* members that have had no session yet, as it was told … */
    bool absent;              /* … and whether the last that was gone is a member */
    unsigned left;            /* LEAVEs that it took … */
    struct node_id leaver;    /* … the last one of this member */
    unsigned verified, kept;  /* records that peers passed on; of them kept of peers on its lists */
    unsigned refused;         /* streams that it did not accept */
    unsigned aborted, closed; /* streams */
    uint64_t last_frame_us;
    uint32_t pong_us;
    uint64_t stream_bytes; /* sent */
    uint64_t datagrams;    /* likewise … */
    struct addr watched;   /* … and of them to that one */
    uint64_t watched_datagrams;
    uint8_t opening[TRUNK_HEAD_LEN + TRUNK_FIRST_MAX]; /* the first batch of its last trunk */
    size_t opening_len;
    uint8_t probe[TRUNK_HEAD_LEN + TRUNK_FIRST_MAX]; /* its last one over UDP that was lost, as a batch */
    size_t probe_len;
    bool opens_trunk; /* what it sends next by a trunk is that */
    uint64_t heard_us[SIM_NODES_MAX],
        straight_us[SIM_NODES_MAX];    /* when a frame of that one last came; straight; 0: never */
    struct sim_record *record, *older; /* that it signed last, and before; NULL: none */
    struct sim_watch *watch;           /* of what it sends and receives; made at first use */
};

struct sim;

struct sim *sim_new(uint64_t seed, const struct sim_weather *weather);
void sim_free(struct sim *sim);
struct sim_weather *sim_weather(struct sim *sim);
struct sim_backbone *sim_backbone(struct sim *sim);
unsigned sim_dialled(const struct sim *sim); /* how often in all */
uint64_t sim_now(const struct sim *sim);
/* A hash of all that happened so far: times, addresses and each byte that was sent. */
uint64_t sim_trace(const struct sim *sim);

/* Adds a node with a fresh key and starts it. */
struct sim_node *sim_add(struct sim *sim, bool is_public, uint64_t ratchet_us, uint64_t rehandshake_us);
/* As sim_add, with these carriers alone. */
struct sim_node *sim_add_carried(struct sim *sim, enum carriers carriers);
/* Starts it anew, with what was set of it since. */
void sim_start_anew(struct sim_node *n);
/* Adds another host with n's key. */
struct sim_node *sim_add_copy(struct sim_node *n);
/* Stops a node without a word (kill -9: its streams end), and starts it again with the same key. */
void sim_kill(struct sim_node *n);
void sim_restart(struct sim_node *n);
/* Stops it with a word to everybody. */
void sim_stop(struct sim_node *n);
/* Puts n behind a NAT of its own, which lives as long as the simulation, or behind another node's. It asks the backbone how it
 * is seen from now on, each 20 s. */
void sim_put_behind(struct sim_node *n, const struct nat_kind *kind);
void sim_put_beside(struct sim_node *n, struct sim_node *other);
/* Takes it to another network: behind a NAT of its own there, or NULL: to none. Its streams are cut. */
void sim_roam(struct sim_node *n, const struct nat_kind *kind);

/* Gives the node another address: what was sent to the old one is lost, its streams are cut. */
void sim_move(struct sim_node *n);

/* n has a record of its own, which says where it is and is seen. */
void sim_sign(struct sim_node *n, uint64_t seq);
/* A directory tells n what other signed last. */
void sim_look_up(struct sim_node *n, const struct sim_node *other);
/* It tells what other signed before, as one that lies would: n takes nothing of it. */
void sim_look_up_older(struct sim_node *n, const struct sim_node *other);

/* n's uplink to the backbone comes, or is cut with all that it carries. */
void sim_uplink(struct sim_node *n, bool up);
/* The relay has forgotten all that it gave out. */
void sim_restart_relay(struct sim *sim);

/* The backbone says, truly or not, that n and other exchange datagrams by it. */
void sim_say_paired(struct sim_node *n, const struct sim_node *other, bool on);

/* a dials b, by its id alone. */
void sim_want(struct sim_node *a, const struct sim_node *b);
/* a dials b at b's address; expected_id NULL: b's own. */
void sim_connect(struct sim_node *a, struct sim_node *b, const struct node_id *expected_id);

/* Does what n's mesh wants: after an event that a test gave it by itself. */
void sim_do_outputs(struct sim_node *n);

/* Does what n holds, in order, or gives it back undone. More may come of it. */
void sim_do_work(struct sim_node *n);
void sim_give_work_back(struct sim_node *n);

/* Nothing passes straight between the two, or all does again. */
void sim_sever(struct sim_node *a, struct sim_node *b, bool on);

/* Puts it on a side of the network: nothing passes between two sides. Streams across are cut, and the uplink with them. */
void sim_part(struct sim_node *n, unsigned side);

/* Cuts the streams of a node, or between all nodes. */
void sim_cut_streams_of(struct sim_node *n);
void sim_cut_streams(struct sim *sim);

/* What no simulation may see: says so and aborts. */
void sim_fail(const struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Sessions of two receivers may have one index: so which counters belong to one key is not judged. */
void sim_let_indices_collide(struct sim *sim);

/* Datagrams that n sent to addresses from which none has come to it, since it started: counted from sim_watch_places on. */
void sim_watch_places(struct sim *sim);
uint64_t sim_sent_in_vain(const struct sim_node *n);

/* … to one address that has answered once and not for SIM_SILENT_US, since then, at most. */
#define SIM_SILENT_US 12000000ull
uint64_t sim_sent_in_silence(const struct sim_node *n);
/* Of those to addresses whose first three bytes are net's. */
uint64_t sim_sent_near(const struct sim_node *n, const struct addr *net);
/* How often it opened its NAT for one address of one peer, at most, since *since_us. */
uint64_t sim_opened_most(const struct sim_node *n, uint64_t *since_us);

/* Runs for so long. every_10ms, when given, is called each virtual 10 ms. */
void sim_run(struct sim *sim, uint64_t duration_us, void (*every_10ms)(void *context), void *context);

/* Seals one numbered frame of len bytes from a to b and puts it on the network. False: no session or path. One that arrives
 * twice, at somebody else or as somebody else's is a failure. */
bool sim_send_frame(struct sim_node *a, const struct sim_node *b, size_t len);

/* As sim_send_frame, one that a sends to everybody, and so to b; or withholds, which is counted as a drop. */
bool sim_flood_frame(struct sim_node *a, const struct sim_node *b, size_t len);

/* One without a number to each peer. */
void sim_flood(struct sim_node *a);

/* Seals a control message from a to b, whatever a's mesh thinks of it, and puts it on the network. */
void sim_say(struct sim_node *a, const struct sim_node *b, const struct message *message);

bool sim_connected(const struct sim_node *a, const struct sim_node *b);
/* As mesh_on_accept, for a TCP connection from there. */
uint64_t sim_accept(struct mesh *m, const struct addr *from, uint64_t now_us);

/* What n would say first to somebody whom it dials; its length. */
size_t sim_client_hello(const struct sim_node *n, uint8_t *out, size_t cap);

/* What a knows of b. */
bool sim_peer(const struct sim_node *a, const struct sim_node *b, struct mesh_peer *out);
