/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node and a backbone say to each other on their uplink, one message per WebSocket message. Neither side trusts
 * the other's bytes. Pure functions. docs/PROTOCOL.md §15.
 *
 *      kind u8 | the fields of its kind, in the order in which struct uplink_message has them */

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include "proto/wire/envelope.h"
#include <stdbool.h>
#include <stdint.h>

#define UPLINK_PATH            "/v1/link"
#define UPLINK_VISIT           "visit" /* its argument, whatever its value: the uplink is a visit */
#define UPLINK_SUBPROTOCOL     "shadowmesh.link.v1"
#define UPLINK_CHALLENGE_LEN   32
#define UPLINK_HOST_MAX        255   /* without a NUL */
#define UPLINK_DATA_MAX        16384 /* of one DATA */
#define UPLINK_WINDOW          16384 /* that a stream has, each way, from its OPEN on */
#define UPLINK_BATCH_MAX       65535 /* of all datagrams of one DATAGRAMS */
#define UPLINK_BATCH_DATAGRAMS 64
#define UPLINK_BATCH_HEAD_LEN  (1 + ID_LEN + 1 + 2) /* of a DATAGRAMS message, before the first datagram */
#define UPLINK_BATCH_ID_AT     1                    /* where a DATAGRAMS message has its id */
#define UPLINK_MESSAGE_MAX     (UPLINK_BATCH_HEAD_LEN + UPLINK_BATCH_MAX)
#define UPLINK_CONTROL_MAX     (1 + 4 + UPLINK_DATA_MAX) /* the longest of any other kind */
#define UPLINK_STREAMS         1024                      /* that one side of an uplink has opened at once */
#define UPLINK_PAIRS           4096                      /* of one uplink */
#define UPLINK_PROOF_CONTEXT   "shadowmesh link v1"
#define UPLINK_PROOF_MAX       (UPLINK_CHALLENGE_LEN + UPLINK_HOST_MAX)

enum uplink_kind {
    UPLINK_CHALLENGE = 1, /* backbone: challenge */
    UPLINK_PROVE,         /* node: host, spki, signature */
    UPLINK_WELCOME,       /* backbone: observed, streams, pairs, credit */
    UPLINK_OPEN,          /* stream, id: the target's from a node, the opener's from the backbone */
    UPLINK_DATA,          /* stream, data */
    UPLINK_CREDIT,        /* stream, credit */
    UPLINK_CLOSE,         /* stream, code: enum uplink_end */
    UPLINK_PAIR,          /* node: id, on */
    UPLINK_PAIRED,        /* backbone: id, on */
    UPLINK_DATAGRAMS,     /* id: to from a node, from from the backbone; ecn, segment, data */
    UPLINK_RESTARTING,    /* backbone: wait_ms */
    UPLINK_LIMITED,       /* backbone: code: enum uplink_limited */
    UPLINK_RELAY,         /* node: id */
    UPLINK_RELAYED,       /* backbone: id, port, channel, token */
};

/* Why a stream ended. Later versions may know more: an unknown one means UPLINK_END_REFUSED. */
enum uplink_end {
    UPLINK_END_DONE = 0,
    UPLINK_END_ABSENT,   /* the target has no uplink here */
    UPLINK_END_REFUSED,  /* the target will not */
    UPLINK_END_TOO_MANY, /* streams, or OPENs of late */
    UPLINK_END_RULES,    /* more was sent than credit or rate allow */
    UPLINK_END_LOST,     /* the other's uplink was */
};

/* What was dropped, or refused, for a rate. */
enum uplink_limited { UPLINK_LIMITED_STREAMS = 1, UPLINK_LIMITED_DATAGRAMS };

/* How a WebSocket connection ends. */
enum uplink_close_code {
    UPLINK_CLOSE_NORMAL = 1000,
    UPLINK_CLOSE_RESTARTING = 1012,
    UPLINK_CLOSE_MALFORMED = 4000,
    UPLINK_CLOSE_UNPROVEN = 4001,
    UPLINK_CLOSE_REPLACED = 4002, /* by another connection with the same key */
    UPLINK_CLOSE_FULL = 4003,
    UPLINK_CLOSE_SLOW = 4004,
};

enum uplink_side { UPLINK_NODE, UPLINK_BACKBONE };

/* Fields that are not of the kind are zero. Slices are borrowed. */
struct uplink_message {
    enum uplink_kind kind;
    struct slice challenge; /* UPLINK_CHALLENGE_LEN */
    struct slice host;      /* 1 to UPLINK_HOST_MAX bytes: the backbone as its node was given it */
    struct slice spki;      /* IDENTITY_SPKI_LEN */
    struct slice signature; /* IDENTITY_SIGNATURE_LEN */
    struct addr observed;   /* without scope; the port is 0 where it is not known */
    uint16_t streams, pairs;
    uint32_t stream; /* odd: the node opened it; even: the backbone; never 0 */
    struct node_id id;
    uint32_t credit; /* bytes; not 0 */
    uint8_t code;
    bool on;
    uint8_t ecn;      /* 0 to 3: the ECN field of the datagrams' packets */
    uint16_t segment; /* bytes of each datagram, the last of which may be shorter */
    uint32_t wait_ms;
    uint16_t port;      /* UDP, of the relay; not 0 */
    uint32_t channel;   /* not 0 */
    struct slice token; /* ENVELOPE_TOKEN_LEN */
    struct slice
        data; /* DATA: 1 to UPLINK_DATA_MAX bytes; DATAGRAMS: at most UPLINK_BATCH_DATAGRAMS of segment bytes */
};

/* Returns the length in out. ERR_SPACE when it does not fit cap; ERR_ARGUMENT for a value out of its range. */
int uplink_message_encode(const struct uplink_message *m, uint8_t *out, size_t cap, size_t *len) must_check;

/* What from sent. Slices of out lie in bytes. ERR_UNSUPPORTED for a kind of a later version, to be skipped; ERR_FORMAT
 * for all else that uplink_message_encode does not make, and for a kind that is not from's to send. */
int uplink_message_decode(const uint8_t *bytes, size_t len, enum uplink_side from,
                          struct uplink_message *out) must_check;

/* How many datagrams a DATAGRAMS message has that begins with head and has len bytes of them. One that does not decode has at least
 * one. */
unsigned uplink_batch_datagrams(const uint8_t head[UPLINK_BATCH_HEAD_LEN], size_t len);

/* What PROVE's signature is over, under UPLINK_PROOF_CONTEXT; returns its length. host has at most UPLINK_HOST_MAX bytes. */
size_t uplink_proof(const uint8_t challenge[UPLINK_CHALLENGE_LEN], struct slice host,
                    uint8_t out[UPLINK_PROOF_MAX]);

/* Whether a text can be a host of PROVE: `name`, `name:port`, `[::1]:port`, in lower case. */
bool uplink_host_ok(struct slice host);
