/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One uplink: a node's WebSocket to us, from its upgrade to its end. Its books (streams, pairs, what waits) have files of
 * their own. Uplink thread. docs/PROTOCOL.md §15.
 *
 *                    PROVE            signature is good
 *      PROVING ─────────────▶ WAITING ────────────▶ UP
 *         │ 5 s, anything else   │ it is not         │ broke the rules, replaced, too slow, silent, restart
 *         └──────────────────────┴──────────┬────────┘
 *                                           ▼  the close frame goes out, and 2 s pass, or the other side closes
 *                                        CLOSING ──▶ GONE   (from everywhere, when the connection is lost)
 */

#include "backbone/metrics.h"
#include "backbone/uplink_out.h"
#include "backbone/uplink_places.h"
#include "backbone/uplink_rates.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/id.h"
#include "proto/uplink/uplink_message.h"
#include <stdbool.h>

#define UPLINK_PROVE_US       (5 * USEC_PER_SEC)  /* to say PROVE */
#define UPLINK_SILENCE_US     (60 * USEC_PER_SEC) /* without a byte: cut */
#define UPLINK_LIVELY_US      (25 * USEC_PER_SEC) /* a ping's interval, and time to come */
#define UPLINK_STALL_US       (10 * USEC_PER_SEC) /* with something to take, and nothing taken: cut */
#define UPLINK_LINGER_US      (2 * USEC_PER_SEC)  /* from the close frame to the connection's end */
#define UPLINK_EARLY_BYTES    8192                /* before the proof */
#define UPLINK_WAITING_MAX    (1u << 20)          /* bytes of frames for one that does not read … */
#define UPLINK_WAITING_SPARSE (1u << 16)          /* … once there are … */
#define UPLINK_WAITING_EASY   (256u << 20)        /* … so many for all */

enum uplink_state { UPLINK_PROVING, UPLINK_WAITING, UPLINK_UP, UPLINK_CLOSING, UPLINK_GONE };

struct leg;
struct half_pair;
struct table;
struct uplink_hub;

struct uplink {
    struct uplink_hub *hub;
    enum uplink_state state;
    int fd;
    uint32_t serial; /* of this process */
    struct uplink_place place;
    struct addr source;
    bool visits;       /* it is at home at another instance: where it is linked is told there */
    struct node_id id; /* from UP on */
    struct heap_node deadline;
    uint64_t since_us; /* of the state */
    uint64_t heard_us;
    size_t early; /* bytes before the proof */
    uint8_t challenge[UPLINK_CHALLENGE_LEN];
    struct batch *prove; /* WAITING: what is to be verified */
    struct websocket_reader *reader;
    struct uplink_out out;
    bool over;                     /* more waits for it than may */
    bool listed;                   /* among the unsent */
    const char *fault;             /* what was wrong with what it said, or NULL */
    struct uplink *before, *after; /* in hub->all; after alone in hub->gone */
    struct uplink *next_unsent, *next_proof;
    bool proof_listed;
    struct leg *legs;
    unsigned opened, taken; /* legs that it opened; that others opened to it */
    uint32_t last_number;   /* of a leg that we numbered */
    struct table *pairs;
    struct half_pair *pair_list;
    unsigned pair_count;
    struct uplink_buckets buckets;
};

/* Takes fd, a nonblocking socket, also when it fails, and says CHALLENGE. visits: its node is at home at another instance; it
 * says so itself, and nobody hears of it as linked here. ERR_NOMEM. */
int uplink_new(struct uplink_hub *hub, int fd, const struct addr *source, bool visits,
               struct uplink **out) must_check;
/* A GONE one, or all at the end. */
void uplink_free(struct uplink *u);

/* Queues a message for it. What it cannot hold more of ends it at the next flush. */
void uplink_say(struct uplink *u, const struct uplink_message *m);
/* LIMITED, once a second. */
void uplink_say_limited(struct uplink *u, enum uplink_limited what);
/* Bytes of its connection. What they say is done, or ends it. */
void uplink_read(struct uplink *u, const uint8_t *bytes, size_t len);

/* Sends what waits. */
void uplink_flush(struct uplink *u);

/* Looks at the proof of a WAITING one: it is UP then, in the place of an older one with its key, or ends. */
void uplink_verify(struct uplink *u);

/* Takes leave of everything, and says why in a close frame; reason is a person's, and stays. Nothing when it has. */
void uplink_end(struct uplink *u, enum uplink_ended why, const char *reason);
/* Its connection is lost. */
void uplink_lose(struct uplink *u);

/* Its deadline has come. */
void uplink_on_deadline(struct uplink *u);
