/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Punching holes with one peer: two nodes behind NATs send to each other in turn, as agreed by a path that carries
 * already. When a round is due, what it is agreed upon with, and when it ends. docs/PROTOCOL.md §19. Pure; control thread.
 *
 *              no straight path answers        looked at our NAT           the peer's PUNCH
 *   RESTING ──▶ DUE ──▶ ASKED ──▶ LOOKING ────────────────────▶ ASKING ─────────────────────▶ SET
 *      ▲         ▲        ▲          │                                                         │ what opens is sent,
 *      │         │        │ it asks  └─────────▶ ANSWERED ──── its PUNCH_GO ────▶ SET ─────────┤ and PUNCH_GO said
 *      │         │                                                                            ▼
 *      │         └── it failed: after a while, or a pause ◀──── PROBING ◀──── its PUNCH_GO ─ OPENED
 *      └──────────── a straight path answers, in any state
 */

#include "base/bucket.h"
#include "proto/message/message.h"
#include "proto/nat/nat.h"
#include <stdbool.h>
#include <stdint.h>

#define PUNCH_ADDRESSES_MAX 4                  /* of a side that are sent to … */
#define PUNCH_PORTS_MAX     NAT_SEQUENTIAL_MAX /* … and ports that its next mappings may have */
#define PUNCH_TARGETS_MAX   (PUNCH_ADDRESSES_MAX + PUNCH_PORTS_MAX)
#define PUNCH_PROBES        2 /* to each port of those, besides the one that opens */
/* In a round, of which the tries of a path are as many as §9 has them: what a peer can make us send. */
#define PUNCH_SENT_MAX     (PUNCH_PORTS_MAX * (1 + PUNCH_PROBES) + PUNCH_ADDRESSES_MAX * (1 + PUNCH_TRIES))
#define PUNCH_TRIES        3
#define PUNCH_ROUNDS       3           /* then comes a pause */
#define PUNCH_BUDGET_US    22000000    /* a round more every so often, asked for by whomever … */
#define PUNCH_PAUSE_US     65000000ull /* a NAT forgets by then what led nowhere; doubles … */
#define PUNCH_PAUSE_MAX_US 3600000000ull
#define PUNCH_HOPS_MIN     2 /* of what opens our NAT: it passes one router; after each pause one more … */
#define PUNCH_HOPS_MAX     5

/* What a look at our own NAT found: how it numbered two fresh sockets. */
struct punch_seen {
    enum nat_ports ports;
    struct addr last;  /* the second one's */
    int32_t step;      /* SEQUENCE: from the first to it */
    struct addr fresh; /* the first one's, which is kept … */
    uint8_t side;      /* … as that side socket; 0: it is not */
};

enum punch_state {
    PUNCH_RESTING,
    PUNCH_DUE,
    PUNCH_ASKED,
    PUNCH_LOOKING,
    PUNCH_ASKING,
    PUNCH_ANSWERED,
    PUNCH_SET,
    PUNCH_OPENED,
    PUNCH_PROBING
};

/* Why there is no straight path, as far as punching knows. */
enum punch_why {
    PUNCH_WHY_NONE,
    PUNCH_WHY_RUNNING,
    PUNCH_WHY_NO_ADDRESS,
    PUNCH_WHY_NOT_NAMED,
    PUNCH_WHY_SILENT,
    PUNCH_WHY_FAILED,
};

/* What is to be done. */
enum punch_step {
    PUNCH_STEP_NONE,
    PUNCH_STEP_RELEASE, /* nothing carries: the held addresses are tried without a plan */
    PUNCH_STEP_LOOK,    /* at our NAT; answered by punch_on_seen, or not in time */
    PUNCH_STEP_ASK,     /* say PUNCH … */
    PUNCH_STEP_ANSWER,
    PUNCH_STEP_GO,    /* … and PUNCH_GO */
    PUNCH_STEP_OPEN,  /* a datagram of few hops to each target */
    PUNCH_STEP_PROBE, /* probes to each */
    PUNCH_STEP_END,   /* what does not answer is forgotten */
};

/* All zero: it rests. */
struct punch {
    enum punch_state state;
    enum punch_step say;
    enum punch_why why;
    bool asker;    /* of the round that runs */
    bool named;    /* as in punch_way, as was last heard */
    bool opened;   /* a mapping in sequence was made: where it is holds for the rounds until the pause */
    bool carried;  /* another path does, as was last heard … */
    bool released; /* … or the held addresses are tried as they are */
    bool fresh;    /* until the pause, rounds go by the side socket of seen */
    uint8_t asks, probes, rounds, cycles, put_off;
    uint32_t mine, round,
        heard;       /* the last that we asked for, the one that runs, the last that the peer asked for */
    uint32_t rtt_us; /* of the path that carries */
    uint64_t at_us, bare_us; /* what comes next is due; nothing carries since then, 0: something does */
    struct bucket budget;
    struct punch_seen seen;
    struct {
        struct addr
            held[PUNCH_ADDRESSES_MAX]; /* as the peer is seen, by what it told; not probed but in rounds */
        struct addr list[PUNCH_ADDRESSES_MAX]; /* as it said for this round … */
        unsigned held_count, count;
        uint16_t first; /* … and where its next mappings may be, at the host of the first one */
        uint8_t ports_count;
        enum nat_ports ports;
    } theirs;
};

/* How things are between the two. */
struct punch_way {
    bool straight;        /* a straight path answers */
    bool carries;         /* another does, and carries */
    bool lower;           /* our id is */
    bool named;           /* we know how we are seen, or have an address that others may reach */
    uint32_t rtt_us;      /* of the path that carries */
    struct bucket *turns; /* rounds that we take part in, with whomever */
};

/* A session began: nothing is known of what the peer asked before. */
void punch_begin(struct punch *p);

/* The addresses as which the peer is seen. */
void punch_hold(struct punch *p, const struct addr *list, unsigned count);

/* Does what is due: called until PUNCH_STEP_NONE. */
enum punch_step punch_step(struct punch *p, const struct punch_way *way, uint64_t now_us);
/* When that may change by itself; TIME_NEVER. */
uint64_t punch_next(const struct punch *p);

/* A look is due, and its first socket may be kept for the rounds until the pause. */
bool punch_wants_fresh(const struct punch *p);

/* True when the side socket of seen, if it has one, is used. */
bool punch_on_seen(struct punch *p, const struct punch_seen *seen, uint64_t now_us);
/* Of the candidates only those that may be sent to. */
void punch_on_offer(struct punch *p, const struct punch_offer *offer, const struct punch_way *way,
                    uint64_t now_us);
void punch_on_go(struct punch *p, uint32_t round, uint64_t now_us);

/* A round runs that the peer asked for. */
bool punch_is_asked(const struct punch *p);

/* A round has failed since a straight path last answered. */
bool punch_has_failed(const struct punch *p);

/* By which side socket a round sends there; 0: from the node's port. */
unsigned punch_side(const struct punch *p, const struct addr *to);

/* The side socket is being closed. */
void punch_side_gone(struct punch *p);

/* Our network changed: what failed may succeed. */
void punch_hurry(struct punch *p, uint64_t now_us);

/* How many hops what opens may go. */
uint8_t punch_hops(const struct punch *p);

/* The end of "there is no straight path, since …"; empty where there is nothing to say. */
const char *punch_why_text(const struct punch *p);
