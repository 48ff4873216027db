/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer without a conscience: one control connection and one session with a node, made by hand from the
 * project's own codecs, so that whoever holds it can say anything at any time. It proves its key and agrees
 * on data keys as every node does (docs/PROTOCOL.md §6), answers probes and follows the ratchet; what else it
 * sends is the caller's. One thread; it blocks. */

#include "base/addr.h"
#include "crypto/identity.h"
#include "crypto/tls.h"
#include "net/udp.h"
#include "proto/message/message.h"
#include "proto/session/session.h"
#include "proto/wire/wire.h"
#include <stdbool.h>

#define PUPPET_TIMEOUT_MS 5000
#define PUPPET_BATCH_MAX  65507

struct puppet {
    struct identity *me;
    struct tls_context *context;
    struct node_id id;      /* of the node */
    struct addr source;     /* of connections; none: the kernel chooses */
    struct addr control;    /* the node's TCP port … */
    struct udp_remote data; /* … and its UDP port */
    struct udp_socket udp;
    struct udp_batch *batch;

    int tcp; /* -1: no connection */
    struct tls *tls;
    struct hello mine, theirs;
    uint8_t mine_hash[KDF_LEN], theirs_hash[KDF_LEN];
    uint8_t inbox[2 + MESSAGE_MAX];
    size_t inbox_len;

    struct session *session, *previous; /* the newest keys, and those before */
    uint8_t root[KDF_LEN];
    uint32_t step;
    struct ratchet_offer *offer; /* an honest step under way … */
    struct message offered;      /* … its message, and when that was last sent */
    uint64_t offered_us;
    unsigned steps; /* completed */

    uint16_t group;                    /* of the next fragmented message */
    unsigned lane;                     /* of frames; what waits is flushed before it changes */
    uint8_t pending[PUPPET_BATCH_MAX]; /* datagrams of one size that wait to be sent together */
    size_t pending_len, segment;
};

/* Loads the key in keydir and opens a UDP socket. 0 or an error. */
int puppet_open(struct puppet *p, const char *keydir, const struct node_id *id, const struct addr *control,
                const struct addr *data) must_check;
/* As puppet_open, with a key that it takes. */
int puppet_open_as(struct puppet *p, struct identity *me, const struct node_id *id,
                   const struct addr *control, const struct addr *data) must_check;
void puppet_close(struct puppet *p);

/* A HELLO as an honest node of one worker would say it. */
void puppet_hello(struct puppet *p, struct hello *out);

/* Connects, says hello (as it is, right or wrong) and READY, and takes the session into use. 0, or an error
 * when the node does not go along; *refusal then holds its words, if it had any. */
int puppet_dial(struct puppet *p, const struct hello *hello, char refusal[MESSAGE_TEXT_MAX + 1]) must_check;

/* Seals a payload behind an inner header. Equal sizes collect and leave as one train: puppet_flush sends what
 * waits. */
void puppet_seal(struct puppet *p, enum wire_type type, const struct wire_inner *inner, const void *body,
                 size_t len);
void puppet_flush(struct puppet *p);

/* A trunk of the session (docs/PROTOCOL.md §18): its socket, to be closed by the caller also where it failed. */
bool puppet_open_trunk(struct puppet *p, int *out);
/* As puppet_flush, by a trunk. False when it is gone. */
bool puppet_flush_by_trunk(struct puppet *p, int trunk);

/* Seals a message as CONTROL datagrams. */
void puppet_control(struct puppet *p, const struct message *m);

/* Sends an honest offer of the ratchet's next step, or repeats the one under way from time to time. */
void puppet_offer(struct puppet *p);

/* Takes what came: answers probes, follows the ratchet, and forgets the rest. */
void puppet_serve(struct puppet *p);
