/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one way out for datagrams, the workers' and the control thread's: an endpoint (proto/path/endpoint.h) in the form of
 * what carries to it, made once, and sending to it. UDP carries, straight or by a relay (docs/PROTOCOL.md §17), a trunk
 * (§18), and an
 * uplink to a backbone (§15). Making is the control thread's; sending is safe from any
 * thread. */

#include "base/err.h"
#include "net/udp.h"
#include "node/carrier/sides.h"
#include "proto/path/endpoint.h"
#include "proto/uplink/uplink_message.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Channels (node/helper/uplink_channel.h): those below, one for each backbone, lead to the helper that keeps the uplinks; this
 * one to the thread that keeps the trunks (trunks.h). */
#define CARRIER_TRUNKS   UPLINKS_MAX
#define CARRIER_CHANNELS (UPLINKS_MAX + 1)

/* What leaves, and comes, by: a worker's, or the control thread's. */
struct carrier_ports {
    struct udp_socket *udp;
    struct sides *sides;            /* all workers'; NULL: there are none */
    int channels[CARRIER_CHANNELS]; /* -1: there is none */
};

struct carrier_remote {
    enum carrier carrier;
    uint8_t channel;  /* TCP, UPLINK: by its number */
    uint8_t side;     /* UDP: the side socket, by its number; 0: the port's */
    uint8_t envelope; /* bytes in front of each datagram that are the carrier's to write */
    struct udp_remote udp;
    uint8_t head[ENVELOPE_LEN];           /* RELAY: what is written there */
    uint8_t batch[UPLINK_BATCH_HEAD_LEN]; /* TCP, UPLINK: what a message of datagrams begins with */
};

/* What it takes goes by a channel to another thread or process, and there is no waiting for room. */
static inline bool carrier_is_stream(enum carrier carrier)
{
    return carrier == CARRIER_TCP || carrier == CARRIER_UPLINK;
}

/* ERR_UNSUPPORTED when nothing carries there. */
int carrier_remote_init(const struct udp_socket *s, const struct endpoint *e,
                        struct carrier_remote *out) must_check;

/* What leaves over UDP, straight or by a relay, leaves by that socket; NULL: it is closed. */
static inline struct udp_socket *carrier_socket(const struct carrier_ports *ports,
                                                const struct carrier_remote *to)
{
    return to->side ? sides_socket(ports->sides, to->side) : ports->udp;
}

/* As udp_send, for a first datagram and those behind it. The bytes in front of each are its envelope's: len and segment
 * count them. By a trunk or an uplink they are one message, which is lost as a whole: ERR_AGAIN when too many wait, and
 * waiting does not help; ERR_CLOSED when who keeps it, or a side socket, is gone for good. */
int carrier_send(const struct carrier_ports *ports, const struct carrier_remote *to, uint8_t *first,
                 size_t len, size_t segment, uint8_t ecn) must_check;

/* One datagram, of len bytes without the envelope. ENDPOINT_ENVELOPE_MAX bytes in front of it are free. ERR_UNSUPPORTED
 * besides what udp_send says. */
int carrier_send_one(const struct carrier_ports *ports, const struct endpoint *to, uint8_t *datagram,
                     size_t len) must_check;

/* As carrier_send_one, straight over UDP alone, and no further than so many hops (1–255). */
int carrier_send_near(const struct carrier_ports *ports, const struct endpoint *to, const uint8_t *datagram,
                      size_t len, uint8_t hops) must_check;

/* Where what was received by the port, or a side socket, came from, and to. channel: of the envelope that it came in; 0: in
 * none. */
struct endpoint carrier_source(const struct udp_message *m, uint8_t side, uint32_t channel);

/* Such as have UDP alone. */
struct carrier_ports carrier_ports_of(struct udp_socket *udp);

/* What came by a trunk or an uplink: one message of datagrams, in the form of one that came over UDP, but without
 * addresses; its bytes lie in room. from: by which trunk, or who sent it, as the backbone says. ERR_AGAIN: nothing waits;
 * ERR_CLOSED as above; ERR_FORMAT: it was no such message, and is gone. */
int carrier_receive(const struct carrier_ports *ports, unsigned channel, uint8_t room[UPLINK_MESSAGE_MAX],
                    struct udp_message *out, struct endpoint *from) must_check;
