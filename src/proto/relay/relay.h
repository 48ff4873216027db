/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A relay's books: its channels, which address each end of one has shown to be its, and what may pass between them. It knows no
 * socket and no clock: datagrams' heads and times come in, where to send them goes out. One thread at a time.
 * docs/PROTOCOL.md §17.
 *
 *   relay_open ──▶ neither bound ──BIND──▶ one ──BIND──▶ both: datagrams pass
 *                    └────────────────┴── 30 s ──▶ gone ◀── an end silent for 5 min, relay_close
 *
 * A pair has one channel, and gets no other within a second: so long what was closed is remembered. */

#include "base/addr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/random.h"
#include "proto/relay/relay_message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BIND_US 30000000ull  /* for both ends to bind */
#define RELAY_IDLE_US 300000000ull /* an end from which nothing came for so long is gone */
#define RELAY_SILENT_US                                                                                      \
    120000000ull /* … and gets nothing after so long: it may be another's address by then */
#define RELAY_COOKIE_US   60000000ull /* a cookie is good for one to two of these */
#define RELAY_AGAIN_US    1000000ull  /* between two channels of a pair */
#define RELAY_BINDS_US    100000ull   /* between two messages on a channel that are looked at … */
#define RELAY_BINDS_BURST 32          /* … of which there may be so many at once */
#define RELAY_PER_ID      4096        /* channels of one id; … */
#define RELAY_PER_ID_MANY 64          /* … it has no more than these once half of all are given out */

struct relay;

struct relay_config {
    uint64_t bytes_per_s; /* of datagrams, fairly shared by those that ask for more */
    unsigned channels_max;
    struct random_source random;
};

/* What the two ends of a channel are told. */
struct relay_grant {
    uint32_t channel;
    uint8_t tokens[2][ENVELOPE_TOKEN_LEN];
};

enum relay_verdict {
    RELAY_PASS,      /* a datagram: to be sent on */
    RELAY_ANSWER,    /* a message: to be answered */
    RELAY_MALFORMED, /* no envelope, nor a message */
    RELAY_NESTED,    /* an envelope in an envelope */
    RELAY_UNKNOWN,   /* there is no such channel */
    RELAY_SOURCE,   /* not from an address that an end has bound; or an end's address is to be that of both */
    RELAY_UNBOUND,  /* the other end has not bound yet, or is silent; or one of them is not served */
    RELAY_FORGED,   /* a message of nobody who has a token */
    RELAY_REPLAYED, /* an old one */
    RELAY_SHARE,    /* over the pair's fair share */
    RELAY_SOURCE_RATE, /* over the source's rate … */
    RELAY_RATE,        /* … or that of all */
    RELAY_BIND_RATE,   /* a message, likewise */
    RELAY_VERDICTS
};

/* Where a datagram goes, and from which address of ours: the one at which its receiver has bound. */
struct relay_hop {
    struct addr local, remote;
};

/* Who has bound, and where. */
struct relay_binding {
    struct node_id end, other;
    bool fresh; /* at another address than before */
};

int relay_new(const struct relay_config *config, struct relay **out) must_check;
void relay_free(struct relay *r); /* NULL is allowed */

/* A channel between two nodes, which ends the one that they had. ERR_AGAIN when they were given one just now; ERR_SPACE when there
 * are too many, or too many of one of them; ERR_NOMEM. */
int relay_open(struct relay *r, const struct node_id ends[2], uint64_t now_us,
               struct relay_grant *out) must_check;
/* Nothing when they have none. */
void relay_close(struct relay *r, const struct node_id ends[2], uint64_t now_us);

/* Whether id is served at present: while it is not, nothing passes on its channels. It is from relay_open on. */
void relay_serve(struct relay *r, const struct node_id *id, bool on);

/* A datagram of len bytes with its envelope, of which the first ENVELOPE_LEN + 1 lie at head: RELAY_PASS and its hop, or why not.
 * bytes is how many it and those behind it have, which go the same way: they are charged. */
enum relay_verdict relay_pass(struct relay *r, const struct addr *from, const uint8_t *head, size_t len,
                              size_t bytes, uint64_t now_us, struct relay_hop *out) must_check;

/* Whether a message on that channel is looked at now: then it counts. False, too, where there is no such channel. */
bool relay_may_bind(struct relay *r, uint32_t channel, uint64_t now_us);

/* A message, whole, that was sent to local: RELAY_ANSWER and what to answer, or why not. */
enum relay_verdict relay_bind(struct relay *r, const struct relay_hop *from, const uint8_t *data, size_t len,
                              uint64_t now_us, uint8_t answer[RELAY_MESSAGE_LEN],
                              struct relay_binding *out) must_check;

/* How full the socket's queue was, in per cent. */
void relay_press(struct relay *r, unsigned percent);

/* Ends what was not bound, or was silent, for too long: one at a time, with who its ends were, until false. */
bool relay_expire(struct relay *r, uint64_t now_us, struct node_id ends[2]);

bool relay_has(const struct relay *r, uint32_t channel);
unsigned relay_count(const struct relay *r); /* channels by which something may pass */
