/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The UDP sockets that carry datagrams: dual-stack, DF set and kernel PMTU ignored (IP_PMTUDISC_PROBE),
 * UDP_SEGMENT on the way out, recvmmsg with UDP_GRO on the way in. Sending is safe from any thread; a batch
 * belongs to one. */

#include "base/addr.h"
#include "base/err.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define UDP_BATCH        64    /* messages per recvmmsg, at most */
#define UDP_BUFFER       65536 /* bytes per message */
#define UDP_SEGMENTS_MAX 64
#define UDP_QUEUE        (8 * 1024 * 1024) /* bytes of a socket's buffer, each way, that are asked for */

struct udp_socket {
    int fd;
    bool v6;          /* dual-stack; false when the machine has no IPv6 */
    _Atomic bool gso; /* UDP_SEGMENT works; cleared for good when the kernel refuses it (EIO, EINVAL) */
    bool gro;
    uint16_t port;          /* bound, host order */
    uint32_t overflow_seen; /* private, of the receiving thread */
};

/* Opens count sockets on the same port (SO_REUSEPORT when count > 1). port 0 lets the kernel choose. Buffers
 * are forced to 8 MB where permitted. The kernel hands DATA (docs/PROTOCOL.md §3) to the socket whose
 * number is the sum of its lane and the last byte of its receiver index, modulo count, also in an envelope (§17); anything
 * else to the first. ERR_BUSY (port in use, also when its owner would share it), ERR_IO (errno). */
int udp_open(uint16_t port, unsigned count, struct udp_socket *out) must_check;
void udp_close(struct udp_socket *s, unsigned count);

/* How much the kernel gave of UDP_QUEUE for what comes in: less where net.core.rmem_max is less, and the right to exceed it
 * is missing. */
size_t udp_queue(const struct udp_socket *s);

/* Opens one socket at an address; every IPv6 one is every IPv4 one as well. beside is the descriptor of another that is bound to
 * the same: then the two share the port, and the new one gets what is in an envelope (docs/PROTOCOL.md §17), beside all else;
 * or it is -1. Errors as udp_open. */
int udp_open_at(const struct addr *at, int beside, struct udp_socket *out) must_check;

/* Closes all sockets but the first `keep` of count and steers by that number. 0 or ERR_IO. */
int udp_reduce(struct udp_socket *s, unsigned count, unsigned keep) must_check;

/* A peer's address in the socket's form, and what makes datagrams to it leave from a local one, made once. */
struct udp_remote {
    struct sockaddr_in6 sa; /* or a sockaddr_in */
    socklen_t len;
    uint8_t source_len; /* 0: the kernel chooses the source, and the interface */
    _Alignas(struct cmsghdr) uint8_t source[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* local without family: none. Its port does not matter. The way out is the routing table's to choose, but for a
 * link-local address. */
void udp_remote_init(const struct udp_socket *s, const struct addr *local, const struct addr *remote,
                     struct udp_remote *out);

/* What goes there leaves by a route through that interface, if there is one: else it is not sent. IPv6 then leaves from
 * whatever address of its the kernel likes. */
void udp_remote_leave_by(const struct udp_socket *s, uint32_t interface, struct udp_remote *r);

/* Sends data as datagrams of segment bytes each, the last possibly shorter (segment >= len: one datagram),
 * with ECN field ecn (0–3). At most UDP_SEGMENTS_MAX segments and 65,507 bytes, neither empty (asserted).
 * Falls back to one sendmsg per datagram when there is no UDP_SEGMENT; an error then leaves the first ones
 * sent. 0, ERR_AGAIN (socket buffer full), ERR_SPACE (EMSGSIZE: larger than a local interface carries),
 * ERR_IO (unreachable, no such local address, and the like; errno). */
int udp_send(struct udp_socket *s, const struct udp_remote *to, const uint8_t *data, size_t len,
             size_t segment, uint8_t ecn) must_check;

/* Sends one datagram that is to go no further than so many hops (1–255). Errors as udp_send. */
int udp_send_near(struct udp_socket *s, const struct udp_remote *to, const uint8_t *data, size_t len,
                  uint8_t hops) must_check;

/* Bytes that wait in the socket, or below it for its interface, with the kernel's bookkeeping (SIOCOUTQ). */
size_t udp_unsent(const struct udp_socket *s);

struct udp_message {
    uint8_t *data;  /* UDP_BUFFER bytes, writable, the batch's */
    size_t len;     /* of all datagrams */
    size_t segment; /* length of each datagram but the last; == len for a single one */
    struct addr from;
    struct addr local; /* where it was sent to: of this machine, or a group's. Port 0 */
    uint8_t ecn;       /* of the outer IP header */
};

struct udp_batch;
int udp_batch_new(struct udp_batch **out) must_check;
void udp_batch_free(struct udp_batch *b);

/* Receives what is there without waiting into out[UDP_BATCH]: the number of messages (0 when none), or
 * ERR_IO. Takes about as many as a core's cache holds beside their plaintext, by the length of the last ones,
 * so what is there may be more. Messages are valid until the next call, and never empty: segment > 0. ICMP
 * errors are no errors here. *overflow grows by what the socket dropped (SO_RXQ_OVFL). */
int udp_receive(struct udp_socket *s, struct udp_batch *b, struct udp_message *out,
                uint64_t *overflow) must_check;

/* How full the socket's queue is by the kernel's own account, in per cent, after udp_receive. Asks only when that got
 * all that it asked for: else next to nothing waits. 0 where the kernel does not tell. */
unsigned udp_waiting(const struct udp_socket *s, const struct udp_batch *b);
