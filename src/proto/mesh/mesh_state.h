/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The mesh's own memory, shared by mesh.c (peers), mesh_timers.c, mesh_lists.c (whom we dial and admit), mesh_accept.c
 * (who comes), mesh_announce.c (where we are), mesh_dial.c, mesh_handshake.c, mesh_link.c, mesh_bye.c, mesh_rekey.c and
 * mesh_stream.c (links), mesh_datagram.c (sessions, probes) and mesh_view.c (what others read). Nobody else includes
 * this. */

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
#include "proto/peer/peer.h"
#include "proto/peer/peer_index.h"

#define MESH_HALF_OPEN_MAX          128
#define MESH_HALF_OPEN_PER_HOST_MAX 16
#define MESH_ACCEPT_SOURCES         1024
#define MESH_ACCEPT_BURST           32
#define MESH_ACCEPT_INTERVAL_US     250000 /* one stream more every so often */
#define MESH_KNOWN_SOURCES          8192
#define MESH_PINGS_MAX              32
#define MESH_HOW_MAX                256

struct mesh_ping {
    uint64_t token, sent_us; /* token 0: free */
    uint64_t caller;         /* the caller's token */
};

/* Where a receiver index leads; session NULL: nowhere yet, it is promised to the peer. */
struct mesh_receiver {
    struct session *session;
    struct link *link;
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
        bool changed;   /* the candidates, since the last round began */
        bool running;   /* a round in which peers are told of them … */
        bool told;      /* … somebody was … */
        unsigned slot;  /* … and who is next */
        uint64_t at_us; /* no sooner: the next part of the round, or the next round */
    } announce;
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    unsigned overlay_count;

    struct peer *peers[MESH_PEERS_MAX];         /* by slot; NULL: free */
    unsigned slot_end;                          /* no peer was ever at or above */
    uint16_t free_slots[MESH_PEERS_MAX];        /* below slot_end, … */
    unsigned free_count;                        /* … so many */
    struct peer_index by_id;                    /* all peers */
    struct heap due;                            /* all peers; at 0: its deadline is to be made anew */
    bool behind;                                /* more were due than one tick takes */
    struct table *streams;                      /* conn → struct link */
    struct table *receivers;                    /* receiver index → struct mesh_receiver */
    struct lobby *lobby;                        /* accepted, their handshake has not begun */
    struct crowd *half_open_crowd;              /* it has begun, they are not yet identified … */
    struct link *half_open[MESH_HALF_OPEN_MAX]; /* … by place; NULL: free */
    struct limits *accepts;                     /* streams per source */
    struct known *known;                        /* where the peers of our lists are expected */
    uint64_t last_conn;
    uint64_t ticked_us;               /* when mesh_tick last ran */
    struct fragment_table *fragments; /* of CONTROL datagrams */
    uint16_t fragment_group;
    struct mesh_ping pings[MESH_PINGS_MAX];
    unsigned ping_at;
};

/* mesh.c */
struct peer *mesh_find_peer(const struct mesh *m, const struct node_id *id);
/* ERR_SPACE when there are too many, ERR_NOMEM. */
int mesh_add_peer(struct mesh *m, const struct node_id *id, struct peer **out) must_check;
/* What a peer says of where it is. */
void mesh_learn_candidates(struct mesh *m, struct peer *p, const struct candidate *list, unsigned count,
                           uint64_t now_us);

void mesh_forget_peer(struct mesh *m, struct peer *p); /* frees p */

/* mesh_announce.c: however often our candidates change, peers hear of them at a bounded rate, and of the newest. */
void mesh_announce(struct mesh *m, uint64_t now_us); /* a part of it, when that is due */
uint64_t mesh_announcement_due(const struct mesh *m);
void mesh_announce_to(struct mesh *m, const struct peer *p); /* what changed while its handshake ran */

/* mesh_timers.c */
void mesh_touch(struct mesh *m, struct peer *p);                    /* p changes now, or has changed */
uint64_t mesh_peer_deadline(const struct peer *p, uint64_t now_us); /* never 0 */

/* mesh_lists.c */
bool mesh_admits(const struct mesh *m, const struct peer *p); /* p NULL: one that is on no list */

/* mesh_outputs.c: room for what they queue was promised where the stream, session or peer was made. */
void mesh_stream_end(struct mesh *m, uint64_t conn, enum mesh_output_kind kind); /* CLOSE or ABORT */
void mesh_turn_away(struct mesh *m, uint64_t conn); /* ABORT, of who has not proved its id */
void mesh_publish(struct mesh *m);
void mesh_retire(struct mesh *m, struct session *s);
void mesh_want(struct mesh *m, const struct node_id *id, bool wanted);
int mesh_promise_overlay(struct mesh *m, struct peer *p) must_check; /* before p may become LIVE */
void mesh_tell_overlay(struct mesh *m, struct peer *p);
void mesh_tell_gone(struct mesh *m, struct peer *p);
void mesh_send_datagram(struct mesh *m, const struct endpoint *to, const uint8_t *data, size_t len);
void mesh_tell_pong(struct mesh *m, uint64_t token, uint32_t rtt_us);
void mesh_note(struct mesh *m, enum mesh_notice what, const struct peer *p, const char *text);
void mesh_note_id(struct mesh *m, enum mesh_notice what, const struct node_id *id, const char *name,
                  const char *text);
bool mesh_usable(const struct mesh *m, const struct addr *a);

uint32_t mesh_random(const struct mesh *m);

/* mesh_accept.c */
void mesh_on_guest_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us);
void mesh_leave_half_open(struct mesh *m, const struct link *l);
void mesh_tick_accepted(struct mesh *m, uint64_t now_us);
uint64_t mesh_accepted_deadline(const struct mesh *m, uint64_t now_us);
/* Where p will dial us from, if it is on our lists. */
void mesh_expect_peer_at(struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count);

/* mesh_reach.c */
void mesh_update_reach(struct mesh *m, struct peer *p, uint64_t now_us);      /* and tells what is new */
void mesh_describe_link(const struct link *l, char out[MESH_HOW_MAX]);        /* how it came to be */
void mesh_describe_dark(const struct peer *p, char out[MESH_PEER_ERROR_MAX]); /* why data cannot flow */

/* mesh_datagram.c */
struct keychain_ops mesh_keychain_ops(struct link *l);
uint32_t mesh_reserve_index(const struct peer *p); /* 0 when out of memory */
void mesh_release_index(struct mesh *m, uint32_t index);
void mesh_say_bye(struct link *l, enum bye_code code); /* in datagrams: for one without a stream */
void mesh_poll_paths(struct mesh *m, struct peer *p, uint64_t now_us);
