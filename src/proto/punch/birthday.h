/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A straight path to a peer of which one NAT draws a port for each mapping, while the other's maps a socket always alike and
 * lets in only what it has sent to. The drawing side opens many sockets towards the other, which probes many ports: some probe
 * most likely meets one of them. docs/PROTOCOL.md §19, "Birthday". Pure; control thread.
 *
 *              draws: ASKING ── it comes ──▶ WAITING ── 14 s ──────▶ RESTING
 *   RESTING ──▶
 *              other: PROMISED ── begin ──▶ SENDING ── all sent ──▶ RESTING
 *
 * A straight path ends all of it. */

#include "base/addr.h"
#include "base/bucket.h"
#include <stdbool.h>
#include <stdint.h>

#define BIRTHDAY_SOCKETS  128
#define BIRTHDAY_PROBES   1024
#define BIRTHDAY_EACH_US  10000ull      /* a probe every so often */
#define BIRTHDAY_OPEN_US  14000000ull   /* how long the sockets wait: for all probes, and their way */
#define BIRTHDAY_AGAIN_US 3600000000ull /* between two with a peer … */
#define BIRTHDAY_MOVED_US                                                                                    \
    60000000ull            /* … unless our network changed, or a relay sees the peer at another host */
#define BIRTHDAY_TURNS   8 /* in which a node probes the ports of others' NATs, at once, … */
#define BIRTHDAY_TURN_US 120000000ull /* … and one more so often */

enum birthday_state {
    BIRTHDAY_RESTING,
    BIRTHDAY_ASKING,
    BIRTHDAY_WAITING,
    BIRTHDAY_PROMISED,
    BIRTHDAY_SENDING,
};

/* What is to be done. */
enum birthday_step {
    BIRTHDAY_STEP_NONE,
    BIRTHDAY_STEP_WHERE, /* ask the relay where it sees the peer */
    BIRTHDAY_STEP_ASK,   /* say so … */
    BIRTHDAY_STEP_COME,
    BIRTHDAY_STEP_BEGIN,
    BIRTHDAY_STEP_OPEN, /* the sockets, towards birthday_target */
    BIRTHDAY_STEP_SEND, /* a probe to birthday_target */
};

/* All zero: it rests. */
struct birthday {
    enum birthday_state state;
    bool opened;
    bool hurried; /* our network changed since the last one */
    bool won;     /* the straight path that there is comes from it */
    uint8_t asks, begins, wheres;
    uint16_t sent, first;
    uint32_t mine, number; /* the last that we asked for, the one that runs */
    uint64_t at_us;
    uint64_t where_us; /* when the relay may be asked again */
    uint64_t begun_us; /* when the first probe was due */
    uint64_t spent_us; /* when the last one began; 0: there was none … */
    struct addr at;    /* … and where the relay saw the peer */
};

/* How things are between the two. */
struct birthday_way {
    bool straight;        /* a straight path answers */
    bool may;             /* a relay carries, and we are not at it with another peer */
    bool draws;           /* our NAT draws ports, the peer's keeps them, and punching has failed … */
    bool drawn;           /* … or the other way round … */
    struct bucket *turns; /* … and what we may spend on that, with all peers */
    const struct addr
        *other;      /* where the relay sees the peer, if that is an address to send to; NULL: not known */
    uint32_t rtt_us; /* by the relay */
    uint16_t random;
};

/* A session began: what was agreed upon before holds no longer. What was spent stays so. */
void birthday_begin(struct birthday *b);

/* Does what is due: called until BIRTHDAY_STEP_NONE. */
enum birthday_step birthday_step(struct birthday *b, const struct birthday_way *way, uint64_t now_us);
/* When that may change by itself; TIME_NEVER, too, while it rests: then it is asked now and then. */
uint64_t birthday_next(const struct birthday *b);

/* The peer's words. The step that they cause, which is done at once. */
enum birthday_step birthday_on_word(struct birthday *b, uint8_t word, uint32_t number,
                                    const struct birthday_way *way, uint64_t now_us);

/* One of the sockets was met. */
void birthday_met(struct birthday *b);

/* We are at it: with no other peer at the same time. */
bool birthday_is_busy(const struct birthday *b);

/* Our network changed. */
void birthday_hurry(struct birthday *b);

/* Where the sockets send to, or the last probe that was due. */
struct addr birthday_target(const struct birthday *b);
