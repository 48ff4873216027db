/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One peer: its links, which of them carries, its paths, when to dial it, and what it has sent and received.
 * The mesh owns peers and does the talking; this keeps one peer's books. Sans-I/O, control thread.
 * docs/PROTOCOL.md §6. */

#include "base/addr.h"
#include "base/heap.h"
#include "base/id.h"
#include "proto/peer/allowance.h"
#include "proto/peer/dial_turns.h"
#include "proto/peer/flood_watch.h"
#include "proto/peer/reach.h"
#include "proto/peer/relay_places.h"
#include "proto/peer/trunk_plan.h"
#include "proto/link/link.h"
#include "proto/message/message.h"
#include "proto/network/membership.h"
#include "proto/path/path.h"
#include "proto/punch/birthday.h"
#include "proto/punch/punch.h"
#include "proto/relay/relay_end.h"
#include "proto/session/session.h"
#include "proto/stream/stream_set.h"
#include <stdbool.h>
#include <stdint.h>

#define PEER_LINKS_MAX   12
#define PEER_TARGETS_MAX 12
#define PEER_LOSS_SLOTS  8

struct kept_record;
struct mesh;

/* What admitted a member, and spares the check of its signature the next time. */
struct peer_member {
    struct cert cert;
    struct membership_seen seen;
};

/* What a member says of itself. */
struct peer_about {
    char version[MESSAGE_PROGRAM_MAX + 1];
    int64_t zero_s; /* what its clock showed, in seconds since 1970, when ours that all goes by was 0 */
};

/* Read by the mesh, written in this room alone. */
struct peer {
    struct mesh *mesh;
    struct node_id id;
    struct peer *next_by_id; /* in the index (proto/peer/peer_index.h) */
    struct heap_node due;    /* when the mesh looks at it again … */
    uint64_t ticked_us;      /* … and when it last did */
    uint32_t slot;
    bool wanted;                /* named in -connect, or a member: we dial it and keep it connected */
    uint64_t wanted_us;         /* since when */
    bool allowed;               /* may connect to us though we are not public */
    bool barred;                /* may not, even if we are */
    bool enrolled;              /* wanted and allowed by a network's roster alone: a certificate admits it */
    struct peer_member *member; /* the last certificate that did; NULL: none */
    uint64_t shown_end_us;      /* until when ours holds, that it saw last; 0: none */
    struct peer_about *about;   /* NULL: it has not said */
    struct dial_turn turn;      /* as a member of a full mesh it is dialled in its turn alone */
    char name[MESSAGE_NAME_MAX + 1];

    struct link *links[PEER_LINKS_MAX];
    unsigned link_count;
    struct link *current;                  /* the link whose keys we send under; LIVE or DRAINING */
    uint8_t boot_before[MESSAGE_BOOT_LEN]; /* of the process that its present one took over from */
    uint32_t generation;                   /* the highest of any link so far */
    uint32_t handshakes;                   /* links that became LIVE */
    uint32_t ratchets;                     /* steps of links that are gone */

    unsigned promised; /* places in the queue of outputs that are its */

    struct allowance allowance; /* what it may ask of us */

    struct kept_record *record; /* the newest of it, kept to be passed on; NULL: there is none */

    struct stream_set *streams; /* control streams over its session; NULL: there was none yet */

    struct path_set *paths;
    struct endpoint path_told; /* the best path, as the owner was last told */
    uint8_t pairs_asked;       /* a bit for each backbone that was told to pass datagrams between us … */
    uint8_t paired;            /* … and for each that does */
    struct relay_end relays[RELAYS_MAX]; /* our ends of channels, by the relay's number … */
    struct relay_places places;          /* … and the nodes whose the last ones are */
    bool relays_for_us;                  /* it is one that may … */
    bool served;                         /* … and we relay for it */
    struct punch punch;                  /* the way to a straight path */
    struct birthday birthday;            /* … by many sockets against many ports … */
    uint8_t side;                        /* … of which this one is left, by its number; 0: none */
    struct reach reach;                  /* whether data can flow */
    struct trunk_plan trunk;             /* the TCP connection for its datagrams */
    struct candidate *held_back; /* its candidates, if some lead to others in this network; NULL: none does */
    unsigned held_back_count;

    struct {
        struct target targets[PEER_TARGETS_MAX]; /* given ones first */
        unsigned count, given;                   /* how many of them a person gave */
        unsigned next;                           /* of the round that runs … */
        uint8_t uplinks_left; /* … and a bit for each uplink by which it is still to be dialled */
        uint8_t uplinks;      /* … for each that is up */
        bool session_left;    /* the session is still to be tried, before all others */
        bool broke;           /* its last stream was not ended: is it still there? */
        bool running;
        bool answered;    /* an address of the round that runs took a connection */
        uint64_t at_us;   /* when the next target, or the next round, is due … */
        uint64_t last_us; /* … and when the last one was dialled: news makes no haste beyond the stagger */
        uint64_t backoff_us;
        uint64_t rehandshake_at_us;
        uint64_t renew_at_us;     /* no other handshake before that … */
        uint64_t renew_wait_us;   /* … so long after the last; 0 once a path is sound */
        uint64_t usurped_us;      /* when another host with our key last took our place there; 0: never … */
        uint64_t usurped_wait_us; /* … and how long we left it to that one */
        char error[240];          /* why the last round failed; empty when it did not */
        char attempt[240];        /* why the attempt of this round failed that counts most … */
        unsigned attempt_rank;    /* … how little it does: 0 most; UINT_MAX: none has failed */
        char missing[240];        /* why no address is known */
        char told[240];           /* the error that the owner was last told of */
        bool refused;             /* the peer said no */
    } dial;

    struct {
        uint64_t rx_bytes, tx_bytes, rx_datagrams, rx_expected, datagrams; /* of sessions that are gone */
        uint64_t data_seen;        /* datagrams at the last look: did data flow? … */
        struct flood_watch floods; /* … or were they to everybody … */
        uint64_t rx_seen;          /* … and of those that arrived … */
        uint64_t came[2]; /* … how many did a second between the last two, and between those before */
        uint64_t active_until_us, look_at_us, looked_us;
        uint64_t loss_received[PEER_LOSS_SLOTS], loss_expected[PEER_LOSS_SLOTS];
        unsigned loss_at;
    } stats;
};

int peer_new(struct mesh *mesh, const struct node_id *id, uint32_t slot, const struct path_set_config *paths,
             struct peer **out) must_check;

/* Frees the peer and its links. */
void peer_free(struct peer *p);

/* Which lists it is on: connected to, admitted, turned away. The last word holds. */
void peer_want(struct peer *p);
void peer_leave_alone(struct peer *p); /* wanted no longer, and where it was said to be is forgotten */
void peer_allow(struct peer *p);
void peer_withdraw(struct peer *p); /* admitted by peer_allow no longer */
void peer_bar(struct peer *p);
void peer_enroll(struct peer *p);                 /* allowed by a roster … */
void peer_dismiss(struct peer *p);                /* … and no longer, or by a person instead */
void peer_shown(struct peer *p, uint64_t end_us); /* ours, in a handshake that became a session */
/* Keeps a copy of both. Without memory for it, none. */
void peer_certify(struct peer *p, const struct cert *cert, const struct membership_seen *seen);
/* What it says of itself at now_us. Without memory for it, nothing. */
void peer_about(struct peer *p, const char *version, uint64_t time_s, uint64_t now_us);
/* Since when it is wanted, as far as was asked. */
uint64_t peer_wanted_since(struct peer *p, uint64_t now_us);

void peer_set_name(struct peer *p, const char *name);
void peer_keep_record(struct peer *p, struct kept_record *record); /* takes it, in the place of another one */
void peer_set_boot_before(struct peer *p, const uint8_t boot[MESSAGE_BOOT_LEN]);
void peer_promise(struct peer *p, unsigned places); /* so many in the queue of outputs are its */
void peer_path_told(struct peer *p, const struct endpoint *best);
void peer_pair_asked(struct peer *p, unsigned backbone, bool on);
void peer_paired(struct peer *p, unsigned backbone, bool on);
void peer_relays(struct peer *p, bool for_us);
void peer_served(struct peer *p, bool served);
void peer_side(struct peer *p, unsigned side); /* the side socket that is its alone; 0: none any more */
void peer_on_tick(struct peer *p, uint64_t now_us);

/* Keeps a copy of its candidates, in the place of another; count 0: none. Without memory for it, none. */
void peer_hold_back(struct peer *p, const struct candidate *list, unsigned count);

/* Its streams over the session, made at first use; NULL when out of memory. */
struct stream_set *peer_streams(struct peer *p);

/* Whether its session carries control: it needs no connection then. */
bool peer_carries_control(const struct peer *p);

/* ERR_SPACE when it has too many. */
int peer_add_link(struct peer *p, struct link *l) must_check;
/* Its keys go with it. */
void peer_remove_link(struct peer *p, struct link *l);
/* l has become LIVE; wins: it is the one that carries from now on. */
void peer_on_live(struct peer *p, struct link *l, bool wins);

/* Which of two LIVE links both ends prefer: that of a restarted process, then the higher generation, then the
 * one opened by the lower id, then the newer. True when it is a. */
bool peer_prefers(const struct peer *p, const struct node_id *me, const struct link *a, const struct link *b);

/* Targets to dial: given by a person (kept for ever), or learned (the last ones replace the earlier). */
void peer_set_targets(struct peer *p, const struct target *list, unsigned count, bool given);

/* One more, learned from where its datagrams come from. */
void peer_add_target(struct peer *p, const struct target *target);

/* It is said to be here, close by: the round that runs goes there next, or a new one begins there. */
void peer_dial_here(struct peer *p, const struct target *target, uint64_t now_us);

/* Our uplink to a backbone is up: the peer may be dialled by it, after the first target; or it is lost, and what was asked
 * of that backbone with it. */
void peer_set_uplink(struct peer *p, unsigned backbone, bool up, uint64_t now_us);

/* True when a link should be opened now, and where. */
bool peer_dial_due(struct peer *p, uint64_t now_us, struct target *out);

/* When that may next be true; TIME_NEVER while it depends on events alone, such as news of addresses or the end
 * of the attempts that run. */
uint64_t peer_dial_next(const struct peer *p, uint64_t now_us);

/* All targets of the round that runs have been dialled. */
bool peer_dial_all_tried(const struct peer *p);

/* A handshake should not be older than that, whoever opened the link: its opener renews it sooner. A twelfth more than what
 * was planned, and time for one handshake at least. */
uint64_t peer_hard_age_us(uint64_t rehandshake_us);

/* Dialling has succeeded, or a whole round has failed. jitter is a random number. */
void peer_dial_succeeded(struct peer *p, uint64_t rehandshake_us, uint32_t jitter, uint64_t now_us);
void peer_dial_round_failed(struct peer *p, uint32_t jitter, uint64_t now_us);

/* A connection to remote is there: the first one of a round leaves its handshake some time before another is begun. */
void peer_dial_answered(struct peer *p, const struct target *remote, uint64_t now_us);

/* An attempt of the round that runs failed at remote. Which of several stands for the round does not depend on their
 * order: at the first address of the list, or at one where another node is. */
void peer_dial_failed(struct peer *p, const struct target *remote, bool is_another, const char *why);

/* The round is over: what is to be said of it is the error now. */
void peer_dial_sum_up(struct peer *p);

/* Dialling makes no sense, or ended otherwise: remembers why. */
void peer_dial_error(struct peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Why no address of it is known, in the place of an error of dialling none. */
void peer_dial_missing(struct peer *p, const char *why);

/* The owner was told of the error. */
void peer_dial_told(struct peer *p);

/* The peer said no. */
void peer_dial_refused(struct peer *p);

/* The round that runs is over; the next handshake of a connected peer is due. */
void peer_dial_stop(struct peer *p);
void peer_rehandshake(struct peer *p, uint64_t now_us);
/* … at that time, unless it is sooner anyway. */
void peer_rehandshake_by(struct peer *p, uint64_t at_us);

/* Another host with our key took our place: leaves it there for a while, a longer one each time. */
void peer_dial_usurped(struct peer *p, uint64_t now_us);

/* The stream of a connected peer broke, which its end does not: a handshake tells whether it is still there. */
void peer_stream_broke(struct peer *p);

/* That, or its paths did, or addresses changed: dial soon. */
void peer_dial_soon(struct peer *p, uint64_t now_us);

/* Its turn has come: whatever the last rounds had for it, it is dialled now. */
void peer_dial_now(struct peer *p, uint64_t now_us);

/* The best path answers. */
bool peer_path_answers(const struct peer *p);

/* The session to send under, or NULL. */
struct session *peer_send_session(const struct peer *p);

/* Adds a session that ends to the totals. */
void peer_account(struct peer *p, const struct session *s);

/* Totals since the peer was first met; loss is the share of datagrams of the last ~16 s
 * that did not arrive. */
struct peer_totals {
    uint64_t rx_bytes, tx_bytes, rx_datagrams, rx_expected;
    double loss;
};
void peer_totals(const struct peer *p, struct peer_totals *out);

/* Datagrams of data that were sealed for it, and that arrived from it, since it was first met. */
uint64_t peer_sent(const struct peer *p);
uint64_t peer_received(const struct peer *p);

/* Tells the paths whether data flows: when some may have begun to. Floods are data when they are many, for paths that sleep
 * one peer after the other: turns are of all peers. */
void peer_look_at_data(struct peer *p, const struct flood_counts *floods, struct flood_turns *turns,
                       uint64_t now_us);

/* Looks at the counters: tells the paths whether data flows, or has ceased to come, and keeps the loss figures. About every
 * 500 ms, every 100 ms while data flows by a path in whose place another could, and every 8 s while no data lane is warm. */
void peer_look(struct peer *p, const struct flood_counts *floods, struct flood_turns *turns, uint64_t now_us);
