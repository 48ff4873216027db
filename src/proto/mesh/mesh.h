/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control plane of one node: all peers, their links, sessions and paths. Sans-I/O: events and `now` come
 * in, outputs go out (proto/mesh/outputs.h); no clock, no socket, no thread of its own. What lets thousands of nodes run in one test
 * process. Control thread.
 * docs/PROTOCOL.md §6 and §9. */

#include "base/addr.h"
#include "base/id.h"
#include "base/random.h"
#include "crypto/aead_policy.h"
#include "crypto/identity.h"
#include "proto/wire/candidate.h"
#include "proto/wire/drop.h"
#include "proto/mesh/outputs.h"
#include "proto/message/message.h"
#include "proto/message/record.h"
#include "proto/path/path.h"
#include "proto/session/session.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_PEERS_MAX      4096
#define MESH_SOUGHT_RATE    8
#define MESH_SOUGHT_BURST   32
#define MESH_RATCHET_US     120000000ull  /* the defaults: fresh data keys every 120 s … */
#define MESH_REHANDSHAKE_US 3600000000ull /* … and a full handshake every hour, or a little sooner */
#define MESH_CONTROL_IDLE_US                                                                                 \
    60000000ull /* after which a control connection ends, where the session carries control */
#define MESH_QUIET_US                                                                                        \
    60000000ull /* without data: then paths are left alone, where another can wake both ends */

struct asking;
struct cert;
struct membership;
struct mesh;
struct punch_seen;
struct relay_desk;
struct rolls;
struct serving_issuer;

/* Whether an address and port that others name may be dialled and probed: false for one that leads through the tunnel, to
 * ourselves or to everybody. What a person gave is not asked for. Pure: it changes nothing and calls nobody. */
struct mesh_filter {
    bool (*usable)(const void *context, const struct addr *a);
    /* Whether an address is the peer's from here, too, which names it among these candidates: false for a private one of
     * another network. Those are held back until the network, or where we are seen, has changed. */
    bool (*in_scope)(const void *context, const struct addr *a, const struct candidate *list, unsigned count);
    /* That which has an address from which datagrams may leave; 0: it is not ours. */
    uint32_t (*interface_of)(const void *context, const struct addr *a);
    const void *context;
};

/* The frames to groups or unknown addresses of the peer in slot so far (proto/switch/floods.h): a few are no data that keeps
 * paths awake. count NULL: none is known. */
struct mesh_floods {
    struct flood_counts (*count)(const void *context, uint32_t slot);
    const void *context;
};

struct mesh_config {
    const struct identity *me; /* borrowed while the mesh lives */
    const char *name;          /* copied */
    const char *version;       /* of this program, for members; borrowed; NULL: it is not told */
    bool is_public;            /* accepts any authenticated node */
    bool full_mesh;            /* dials those that it admits by mesh_allow, too, each in its turn */
    uint8_t lanes;             /* = workers */
    uint16_t mtu;              /* of the device */
    uint8_t mac[6];            /* of the device */
    unsigned peers_max;        /* 0: MESH_PEERS_MAX, which it is never above */
    uint64_t ratchet_us, rehandshake_us;
    uint64_t control_idle_us; /* 0: MESH_CONTROL_IDLE_US */
    uint64_t quiet_us;        /* 0: MESH_QUIET_US */
    uint64_t features_off;    /* HELLO's bits that are not told: as an earlier version */
    uint16_t local_max;       /* largest UDP payload that a local interface carries */
    enum carriers carriers;   /* that datagrams may travel by */
    enum aead_policy aead;    /* that they may be sealed with */
    unsigned
        sides; /* side sockets that may be open at once, SIDES_MAX at most; 0: there are none, and no birthdays */
    struct membership *network; /* whose members need no list; borrowed; NULL: there is none */
    const struct serving_issuer
        *serving;            /* who joins or renews is answered by it; borrowed; NULL: we are no issuer */
    struct rolls *rolls;     /* what its signers have said; borrowed, by it, too; NULL: nothing is known */
    struct relay_desk *desk; /* we relay for our peers by it; borrowed; NULL: we do not */
    struct mesh_filter filter;
    struct mesh_floods floods;
    struct random_source random; /* of all but what OpenSSL makes keys from */
#ifdef SHADOWMESH_BENCH_NULL
    bool null_cipher; /* offer no encryption, and nothing else */
#endif
};

int mesh_new(const struct mesh_config *config, struct mesh **out) must_check;

/* What is to be done next, or NULL; it holds until the next call for this mesh. Whoever gave the mesh an event asks until
 * NULL before it waits for the next. Events and questions may come in between. */
const struct mesh_output *mesh_take_output(struct mesh *m);

/* A MESH_OUTPUT_WORK comes back: done, or not, which fails the handshake. There is one at most for each stream. Takes work. */
void mesh_on_worked(struct mesh *m, struct link_work *work, uint64_t now_us);

/* Says BYE to every peer; the streams' last bytes are outputs. Nobody waits any more for work that is out. */
void mesh_shutdown(struct mesh *m, uint64_t now_us);
/* Frees the sessions, too: no worker may hold one any more. Outputs that wait are dropped. Work that is out may
 * go on, but cannot come back any more. */
void mesh_free(struct mesh *m);

/* Dial id and stay connected, at the given control addresses or where the directory says. ERR_EXISTS when id
 * is our own, ERR_SPACE when there are too many peers, ERR_NOMEM. */
int mesh_connect(struct mesh *m, const struct node_id *id) must_check;
/* Admit id though we are not public; in a full mesh it is a member, and dialled. Errors as above. Either takes a mesh_disallow
 * back. */
int mesh_allow(struct mesh *m, const struct node_id *id) must_check;
/* Takes a mesh_allow back: its session ends at both sides, unless id is dialled by mesh_connect, its certificate admits it,
 * or we are public. ERR_NOT_FOUND when it was not allowed. */
int mesh_withdraw(struct mesh *m, const struct node_id *id, uint64_t now_us) must_check;

/* Dial id no more; its session ends at both sides. It may come by itself where it is admitted. ERR_NOT_FOUND when it was
 * not dialled. */
int mesh_disconnect(struct mesh *m, const struct node_id *id, uint64_t now_us) must_check;
/* Somebody waits for the peer in slot. As a member without a session it is dialled before others. */
void mesh_on_demand(struct mesh *m, uint32_t slot, uint64_t now_us);
/* As mesh_on_demand: a frame is for it, or asks for its address. So MESH_SOUGHT_RATE members are hurried a second, and
 * MESH_SOUGHT_BURST at once; others wait for their turn, or the next frame. */
void mesh_on_sought(struct mesh *m, uint32_t slot, uint64_t now_us);
/* How many are on the list of those that we admit, and to how many of them data can flow. */
void mesh_members(const struct mesh *m, unsigned *count, unsigned *connected);
/* Neither dial nor admit id, even when we are public; its session ends at both sides. It is remembered in the place of a
 * peer. Errors as mesh_connect. */
int mesh_disallow(struct mesh *m, const struct node_id *id, uint64_t now_us) must_check;

/* A roster of the network names id: as mesh_allow, but that its certificate alone admits it, and that what a person said of id
 * holds. Errors as mesh_allow. mesh_unenroll: none does any more; a session goes on to its certificate's end. */
int mesh_enroll(struct mesh *m, const struct node_id *id) must_check;
void mesh_unenroll(struct mesh *m, const struct node_id *id, uint64_t now_us);
/* A person says nothing of id any more: as mesh_enroll, where a roster names it. */
void mesh_enroll_again(struct mesh *m, const struct node_id *id);
/* Whose certificate is none any more by now, since its key or its issuer's was shut out, loses its session. */
void mesh_judge_members(struct mesh *m, uint64_t now_us);
/* The rolls may have changed: whoever they shut out loses its session, members come and go, and peers are told what we hold. What
 * peers bring goes into them by itself. */
void mesh_on_rolls(struct mesh *m, uint64_t now_us);
/* As mesh_config.rolls, of a node that has become a member since. Once. ERR_NOMEM. */
int mesh_set_rolls(struct mesh *m, struct rolls *rolls, uint64_t now_us) must_check;

/* The next channel to this peer, which is wanted, asks for a certificate (§26), and it is dialled at once; so does each until a
 * is DONE. MESH_OUTPUT_ASKED tells when its state is another one. a is borrowed until then, or until a is another one or NULL.
 * ERR_NOT_FOUND: that peer is not wanted. */
int mesh_ask(struct mesh *m, const struct node_id *issuer, struct asking *a, uint64_t now_us) must_check;

/* We are a member of this network from now on. Borrowed. */
void mesh_set_network(struct mesh *m, struct membership *network);
/* … and an issuer of it: as mesh_config.serving. */
void mesh_set_serving(struct mesh *m, const struct serving_issuer *serving);

enum mesh_leaving {
    MESH_LEAVE_NOBODY, /* no issuer has a session with us that knows LEAVE */
    MESH_LEAVE_ASKED,  /* issuer was asked, once more */
    MESH_LEFT,         /* it has shut our key out */
};
/* Asks an issuer to shut our own key out: to be called again until that is so. */
enum mesh_leaving mesh_leave(struct mesh *m, struct node_id *issuer, uint64_t now_us);

/* Our own certificate is another one: who has no session with us is dialled at once, and who has one sees it before the session
 * ends with the older one. */
void mesh_on_renewed(struct mesh *m, uint64_t now_us);

/* Control addresses (TCP) of a wanted peer that a person gave, once resolved. */
void mesh_set_given_addresses(struct mesh *m, const struct node_id *id, const struct addr *list,
                              unsigned count, uint64_t now_us);
/* What a verified record says. */
void mesh_set_record(struct mesh *m, const struct node_id *id, const char *name, const struct candidate *list,
                     unsigned count, uint64_t now_us);

/* A verified record, and its bytes. */
struct mesh_record {
    const struct record *record;
    struct record_bytes bytes;
};
/* One of a peer, wherever it came from: it says where to dial it, and is kept to be passed on, unless a newer one is known.
 * True when what mesh_records lists has changed by it. */
bool mesh_on_record(struct mesh *m, const struct mesh_record *record, uint64_t now_us);
/* Ours, for peers that ask for it. ERR_NOMEM. */
int mesh_set_own_record(struct mesh *m, const struct mesh_record *record) must_check;
/* Calls visit for each that is kept of a peer on our lists. */
void mesh_records(const struct mesh *m,
                  void (*visit)(void *context, uint64_t expiry_s, const struct record_bytes *bytes),
                  void *context);

/* A peer of our lists, for whoever looks for it on the local network. */
struct mesh_listed_peer {
    struct node_id id;
    bool wanted; /* it is dialled; else it is only admitted */
    bool member; /* it is dialled as one of a full mesh */
    bool placed; /* a person said where it is */
    bool open;   /* data can flow */
};
/* Calls visit for each. */
void mesh_listed(const struct mesh *m, void (*visit)(void *context, const struct mesh_listed_peer *peer),
                 void *context);
/* Somebody who knows its id and ours says that a wanted peer listens there: it is dialled, soon and before others. */
void mesh_on_neighbour(struct mesh *m, const struct node_id *id, const struct addr *control, uint64_t now_us);

/* Nobody knows an address of a wanted peer; why is the end of a sentence. It holds until one is known. */
void mesh_set_missing(struct mesh *m, const struct node_id *id, const char *why);

/* Our own candidates and overlay addresses, as HELLO and CANDIDATES tell them: peers hear of new candidates at
 * most every 2 s, of the newest alone, and a few peers at a time. */
void mesh_set_candidates(struct mesh *m, const struct candidate *list, unsigned count, uint64_t now_us);
void mesh_set_overlay(struct mesh *m, const struct addr_prefix *list, unsigned count);
/* The ways out of this machine, from now on; and where peers reach us by standbys of them, when that becomes known: they are
 * asked to send there when a path by one is tried. */
void mesh_set_ways(struct mesh *m, const struct ways *ways);
void mesh_set_standbys(struct mesh *m, const struct addr *list, unsigned count, uint64_t now_us);
/* Local interfaces or ways changed: all paths are measured anew. */
void mesh_network_changed(struct mesh *m, uint16_t local_max, uint64_t now_us);

/* This process may run twice from here on, with the same keys and counters: a virtual machine was resumed from a
 * snapshot. Nothing is sealed any more under keys of before, neither on sessions nor on streams; all are ended
 * without a word, and wanted peers are dialled anew. The caller has seen to fresh randomness. */
void mesh_rekey_all(struct mesh *m, uint64_t now_us);

/* Uplinks, by the backbone's number, below UPLINKS_MAX. One is up: peers may be dialled by it, and MESH_OUTPUT_PAIR tells
 * it with whom we exchange datagrams; or it is lost, with every path by it. Its streams end by mesh_on_closed. interface: as
 * path_add_uplink's. */
void mesh_on_uplink(struct mesh *m, unsigned backbone, bool up, uint32_t interface, uint64_t now_us);
/* The backbone says that it passes datagrams between us and id, or no longer: a path to be proven, if we asked for it. */
void mesh_on_paired(struct mesh *m, unsigned backbone, const struct node_id *id, bool on, uint64_t now_us);

/* A channel of a backbone's relay: its address, and what our end shares with it. */
struct mesh_channel {
    struct addr relay;
    uint32_t number;
    const uint8_t *token; /* ENVELOPE_TOKEN_LEN */
};
/* The backbone gave us one to id: it is bound, and a path by it proven. MESH_OUTPUT_RELAY asks for one. */
void mesh_on_relayed(struct mesh *m, unsigned backbone, const struct node_id *id,
                     const struct mesh_channel *channel, uint64_t now_us);
/* What a relay says about a channel (proto/relay/relay_message.h), or, where we are one, an end; or whoever says he is. */
enum drop mesh_on_relay_message(struct mesh *m, const struct endpoint *from, const uint8_t *data, size_t len,
                                uint64_t now_us);

/* Streams. Accepting returns the stream's number, or 0 when it is refused (too many of late from that host or its
 * neighbourhood, or by that backbone; an opener that we do not admit): a handshake costs us more than a stranger may ask
 * for. */
uint64_t mesh_on_accept(struct mesh *m, const struct target *from, uint64_t now_us);
void mesh_on_connected(struct mesh *m, uint64_t conn, uint64_t now_us);
void mesh_on_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us);
void mesh_on_closed(struct mesh *m, uint64_t conn, const char *reason, uint64_t now_us);

/* A CONTROL or PROBE datagram of the peer in slot that a worker opened in place (session_open). */
enum drop mesh_on_opened(struct mesh *m, uint32_t slot, const struct endpoint *from, const uint8_t *data,
                         size_t len, uint64_t now_us);
/* A MESH_OUTPUT_LOOK comes back, or never: what a look at our NAT found. True when the socket that is seen as seen->fresh is
 * the side socket seen->side from now on, until MESH_OUTPUT_SIDE_CLOSE. */
bool mesh_on_seen(struct mesh *m, uint32_t slot, const struct punch_seen *seen, uint64_t now_us);

/* A datagram came to one of the sockets that MESH_OUTPUT_DRAW made for the peer in slot: true when it is the peer's.
 * Then that socket is the side socket from->side, until MESH_OUTPUT_SIDE_CLOSE, and the others may go. It is opened in
 * place. */
bool mesh_on_drawn(struct mesh *m, uint32_t slot, const struct endpoint *from, uint8_t *datagram, size_t len,
                   uint64_t now_us);

/* Workers saw an authenticated datagram of peer slot from an address that is not its path, or its path's size
 * refused. */
void mesh_on_source(struct mesh *m, uint32_t slot, const struct endpoint *from, uint64_t now_us);
void mesh_on_too_big(struct mesh *m, uint32_t slot, uint64_t now_us);

/* Workers have dropped datagrams of late because they had no time for them, or no longer: peers are told, lest they take
 * it for a loss of the path. */
void mesh_set_pressed(struct mesh *m, bool pressed);

/* Workers used lanes of the peer in slot that have no cipher of their own yet. */
void mesh_on_lanes(struct mesh *m, uint32_t slot, uint64_t now_us);

/* Whether a stream has ended since the last call. */
bool mesh_streams_ended(struct mesh *m);

/* Timers: what is due is done, of so many peers at once that events get their turn. The next deadline may have passed
 * already; TIME_NEVER: none. */
void mesh_tick(struct mesh *m, uint64_t now_us);
uint64_t mesh_next_deadline(struct mesh *m, uint64_t now_us);

/* Sends one probe to the peer in slot; MESH_OUTPUT_PONG answers with token. ERR_NOT_FOUND when it has no session or
 * path. */
int mesh_ping(struct mesh *m, uint32_t slot, uint64_t token, uint64_t now_us) must_check;

/* What the peer in slot told of itself when it connected, and who it is; NULL when it is gone. */
const struct hello *mesh_hello(const struct mesh *m, uint32_t slot, const struct node_id **id);

/* What workers need of the peer in slot; nothing of one that is gone. */
#define MESH_RECEIVE_MAX 120
struct mesh_forward {
    struct session *tx;      /* to send under, or NULL */
    const struct path *path; /* to send on; borrowed; NULL while none is proven … */
    bool sleeps;             /* … and others are left alone: floods are withheld (floods_send) */
    struct session *rx[MESH_RECEIVE_MAX]; /* may receive */
    size_t rx_count;
    struct endpoint relays[RELAYS_MAX]; /* whose envelopes its datagrams may come in */
    size_t relay_count;
};
void mesh_forward(const struct mesh *m, uint32_t slot, struct mesh_forward *out);

/* Peers, for people. */
enum mesh_peer_state {
    MESH_PEER_CONNECTING,
    MESH_PEER_CONNECTED, /* data can flow */
    MESH_PEER_NO_PATH,   /* a session, and nothing answers */
    MESH_PEER_BACKOFF,
    MESH_PEER_REFUSED,
    MESH_PEER_DISALLOWED,
};
const char *mesh_peer_state_name(enum mesh_peer_state state);

/* What carries control to a peer. */
enum mesh_control {
    MESH_CONTROL_NONE, /* there is no connection: it is dialled, or waited for */
    MESH_CONTROL_IDLE, /* there is none, and the session carries what is to be said */
    MESH_CONTROL_TCP,
    MESH_CONTROL_UPLINK,
    MESH_CONTROL_SESSION, /* a stream over the session */
};
const char *mesh_control_name(enum mesh_control control);

#define MESH_PEER_ERROR_MAX 400

struct mesh_peer {
    struct node_id id;
    uint32_t slot;
    const char *name; /* borrowed; empty while unknown */
    enum mesh_peer_state state;
    uint64_t state_us;               /* since when it is connected, without a path, or neither; 0: always */
    char error[MESH_PEER_ERROR_MAX]; /* empty when there is none */
    enum mesh_control control;
    const char *suite;              /* borrowed; empty without a session */
    bool fresh_root;                /* a fresh secret went into the session's first root */
    const struct cert *certificate; /* borrowed: that which admitted it last; NULL: none was needed */
    const char *version; /* borrowed: what runs there, as it says; empty: it says nothing of that */
    uint64_t features, our_features; /* enum hello_feature, and later ones: what both said; with a session */
    unsigned address_count;
    struct addr_prefix addresses[MESSAGE_ADDRS_MAX];
    struct path path; /* carrier CARRIER_NONE when there is none */
    const char
        *crooked; /* borrowed: the end of "no straight path, since …"; empty where there is nothing to say */
    size_t path_count;
    struct path paths[PATHS_MAX];
    uint64_t rx_bytes, tx_bytes;
    double loss;
    uint32_t handshakes, ratchets;
    uint64_t handshake_us, ratchet_us; /* when the last ones were; 0: never */
};

/* Whether there is a session with id to send under. */
bool mesh_connected(const struct mesh *m, const struct node_id *id);

/* Who is in slot, without a walk over the peers; false when nobody is. *name is borrowed; empty while unknown. */
bool mesh_peer_name(const struct mesh *m, uint32_t slot, struct node_id *id, const char **name);

/* By how much the clock of a connected member is ahead of ours, as it said at its last handshake; false: it is not known. */
bool mesh_knows_clock(const struct mesh *m, const struct node_id *id, uint64_t now_us, int64_t *ahead_s);
/* Those of max connected members; how many there are. */
unsigned mesh_clocks(const struct mesh *m, uint64_t now_us, int64_t *ahead_s, unsigned max);

/* One of them; false: there is none with that id. */
bool mesh_view_peer(const struct mesh *m, const struct node_id *id, struct mesh_peer *out);
/* Calls visit for each peer. */
void mesh_peers(const struct mesh *m, void (*visit)(void *context, const struct mesh_peer *peer),
                void *context);
