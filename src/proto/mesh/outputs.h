/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the mesh wants done, in order: filled during an event, drained by the owner after it (mesh_take_output). The mesh
 * calls nobody, so nothing can re-enter it. docs/ARCHITECTURE.md, "Control". Control thread.
 *
 * Out of memory: what a network may lose is lost (datagrams), and so is a line or an answer for a person. What must not be
 * lost has its room promised when the thing that it will end is made (a stream, a session, a peer), where failing is
 * still possible. */

#include "base/addr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/slot_set.h"
#include "proto/path/endpoint.h"
#include "proto/wire/target.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_work;
struct session;

/* What happened to a peer, for the person who reads the log. */
enum mesh_notice {
    MESH_NOTICE_CONNECTED,  /* data can flow; text: how */
    MESH_NOTICE_NO_PATH,    /* there is a session and nothing answers; text: what to look for */
    MESH_NOTICE_PATH,       /* the path that carries changed; text: to what */
    MESH_NOTICE_LOST,       /* no session any more; text: why */
    MESH_NOTICE_FAILED,     /* it cannot be reached; text: why (told once per cause) … */
    MESH_NOTICE_UNHEARD,    /* … while data goes on */
    MESH_NOTICE_REACHED,    /* it can be reached again, after FAILED or UNHEARD; text: how */
    MESH_NOTICE_REFUSED_US, /* it will not talk to us; text: its words */
    MESH_NOTICE_REFUSED,    /* we refused it; text: why */
    MESH_NOTICE_HANDSHAKE,  /* a new handshake replaced the keys */
    MESH_NOTICE_SHARED_KEY, /* two hosts take turns with its key; text: which */
    MESH_NOTICE_OWN_KEY, /* another host took over our session with it by our key; text: which, if it knows */
    MESH_NOTICE_EXCESS,  /* it asks too much of us; text: what. Its connection was closed */
    MESH_NOTICE_STALE,   /* it has not proven its key for too long, though asked; text: how long */
};

enum mesh_output_kind {
    /* Sessions or the path of the peer in slot changed, or it is gone: workers need to know (mesh_forward) before any
     * byte that follows leaves. Always ahead of those that wait, once for each slot. */
    MESH_OUTPUT_PUBLISH,
    MESH_OUTPUT_DIAL,         /* open a stream; answered by mesh_on_connected or mesh_on_closed */
    MESH_OUTPUT_STREAM_SEND,  /* payload goes out on stream conn */
    MESH_OUTPUT_STREAM_CLOSE, /* once what was sent is out; no event follows */
    MESH_OUTPUT_STREAM_ABORT, /* at once, whatever was sent; no event follows. Of a trunk, too */
    MESH_OUTPUT_DATAGRAM,     /* payload goes to endpoint; may be lost, also for being too large */
    MESH_OUTPUT_WORK,         /* link_work_run(work) on any thread, then mesh_on_worked */
    MESH_OUTPUT_RETIRE,       /* session is the owner's now: to be freed when no worker holds it */
    MESH_OUTPUT_WANT,         /* the addresses of a wanted peer are needed … */
    MESH_OUTPUT_FORGET,       /* … or no longer */
    MESH_OUTPUT_OVERLAY,      /* the peer in slot told its addresses and MACs: mesh_hello has them */
    MESH_OUTPUT_GONE,         /* the peer in slot is gone: what was learned from it is to be forgotten */
    MESH_OUTPUT_MEMBER, /* the peer in slot, id, is a member of a full mesh that has had no session yet … */
    MESH_OUTPUT_NOTICE, /* payload: name and text, each with its NUL */
    MESH_OUTPUT_PONG,   /* the answer to mesh_ping */
    MESH_OUTPUT_TRUNK,  /* stream conn is one no more: it carries datagrams of endpoints with that number, and
                               * the payload was the first that it brought. Answered by mesh_on_closed at its end */
    MESH_OUTPUT_PAIR,   /* tell the backbone that we exchange datagrams with id by it, or no longer */
    MESH_OUTPUT_RELAY,  /* ask it for a channel of its relay to id */
    MESH_OUTPUT_CHECK,  /* see whether our uplink to it still passes anything */
    MESH_OUTPUT_LOOK, /* how our NAT numbers ports is to be found out for the peer in slot; answered by mesh_on_seen */
    MESH_OUTPUT_DRAW, /* many fresh sockets send payload to endpoint, no further than hops, and wait: what comes from there goes to
                         mesh_on_drawn, for the peer in slot */
    MESH_OUTPUT_SIDE_CLOSE, /* no path leaves by that side socket of the peer in slot any more */
    MESH_OUTPUT_ASKED, /* what mesh_ask was given for the issuer id has come further; it is lost for want of memory */
    MESH_OUTPUT_LEAVE, /* the member id leaves our network: its key is to be shut out by us, an issuer; it asks again */
    MESH_OUTPUT_VERIFY, /* payload: a record that a peer passed on, and its signature: verified, mesh_on_record */
};

struct mesh_output {
    enum mesh_output_kind kind;
    uint8_t hops; /* DATAGRAM, DRAW: how many it may go; 0: as many as usual */
    uint8_t side; /* SIDE_CLOSE: by its number */
    bool keep;    /* LOOK: the socket that looks first may become a side socket */
    union {
        uint32_t slot;           /* PUBLISH, OVERLAY, GONE, MEMBER, LOOK, DRAW, SIDE_CLOSE */
        bool stranger;           /* STREAM_ABORT, WORK: who it is for has not proved its id … */
        uint32_t rtt_us;         /* PONG */
        enum mesh_notice notice; /* NOTICE */
        struct {
            uint8_t backbone;
            bool on;
        } pair; /* PAIR; RELAY, CHECK: on means nothing */
    };
    union {
        uint64_t conn;           /* DIAL, STREAM_…, TRUNK */
        uint64_t token;          /* PONG */
        struct session *session; /* RETIRE */
        bool absent; /* GONE: … or has none now: frames that seek it are told by mesh_on_sought */
        struct link_work *work; /* WORK: the owner's until mesh_on_worked */
    };
    union {
        struct target target;     /* DIAL */
        struct endpoint endpoint; /* DATAGRAM, DRAW */
        struct node_id id;        /* WANT, FORGET, NOTICE, PAIR, RELAY, MEMBER, ASKED, LEAVE */
    };
    uint8_t *payload; /* the queue's; ENDPOINT_ENVELOPE_MAX bytes in front of it are free */
    size_t len;
};

struct outputs {
    struct mesh_output *list;
    size_t head, end, cap;   /* those that wait lie from head to end */
    size_t promised;         /* room beyond end for so many more */
    struct slot_set changed; /* PUBLISH, ahead of all */
    struct mesh_output taken;
};

/* Drops what waits; sessions among it are to be taken before. */
void outputs_fini(struct outputs *q);

/* Room for count outputs that outputs_keep will not be denied, until given back. ERR_NOMEM. */
int outputs_promise(struct outputs *q, size_t count) must_check;
void outputs_give_back(struct outputs *q, size_t count);

/* Queues o, with a copy of len bytes of payload. ERR_NOMEM: it is not queued. */
int outputs_put(struct outputs *q, const struct mesh_output *o, const void *payload, size_t len) must_check;
/* As outputs_put without payload, into promised room. */
void outputs_keep(struct outputs *q, const struct mesh_output *o);
void outputs_publish(struct outputs *q, uint32_t slot);

/* The next one, or NULL; it holds until the next call. */
const struct mesh_output *outputs_take(struct outputs *q);
