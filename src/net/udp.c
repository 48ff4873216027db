/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets that carry datagrams (docs/PROTOCOL.md §2): opened, steered and closed. Control thread. udp_send.c and
 * udp_receive.c have the rest. */

#include "net/udp.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

/* docs/PROTOCOL.md §3 */
#define TYPE_AT      0
#define TYPE_DATA    0x20
#define LANE_AT      1
#define LANE_SPARSE  14
#define INDEX_END_AT 7 /* the last byte of the receiver index */
#define TYPE_RELAY   0x23
#define ENVELOPE     8 /* bytes in front of what a relay passes on */

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_buffer(int fd, int force, int plain)
{
    if (set_int(fd, SOL_SOCKET, force, UDP_QUEUE) < 0)
        (void)set_int(fd, SOL_SOCKET, plain, UDP_QUEUE);
}

/* The kernel doubles what it is asked for, for its own books. */
size_t udp_queue(const struct udp_socket *s)
{
    int size = 0;
    socklen_t len = sizeof(size);
    return getsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, &len) == 0 ? (size_t)size / 2 : 0;
}

/* A dual-stack socket tells of both families in the form of IPv6. */
static int set_packet_info(const struct udp_socket *s)
{
    return s->v6 ? set_int(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                 : set_int(s->fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* On a dual-stack socket the IPPROTO_IP options govern what goes to IPv4-mapped addresses. */
static int set_options(struct udp_socket *s)
{
    set_buffer(s->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(s->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (set_int(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) < 0 ||
        set_int(s->fd, IPPROTO_IP, IP_RECVTOS, 1) < 0 || set_int(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1) < 0)
        return ERR_IO;
    if (s->v6 && (set_int(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) < 0 ||
                  set_int(s->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) < 0))
        return ERR_IO;
    if (set_packet_info(s) < 0)
        return ERR_IO;
    s->gso = set_int(s->fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;
    s->gro = set_int(s->fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
    return 0;
}

static int create_socket(bool v6, struct udp_socket *out)
{
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (v6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) < 0) {
        close(fd);
        return ERR_IO;
    }
    *out = (struct udp_socket){.fd = fd, .v6 = v6};
    return 0;
}

static int bind_at(struct udp_socket *s, const struct addr *at)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, s->v6, &sa);
    if (bind(s->fd, (struct sockaddr *)&sa, len) < 0)
        return errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
    if (getsockname(s->fd, (struct sockaddr *)&sa, &len) < 0)
        return ERR_IO;
    s->port = ntohs(s->v6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
    return 0;
}

static int bind_port(struct udp_socket *s, uint16_t port)
{
    const struct addr any = {.family = s->v6 ? 6 : 4, .port = port};
    return bind_at(s, &any);
}

/* The first socket binds alone, so that a port which another process shares with SO_REUSEPORT counts as
 * taken; only then is it opened to the others. */
static int open_one(bool v6, uint16_t port, bool first, bool share, struct udp_socket *out)
{
    int err = create_socket(v6, out);
    if (err)
        return err;
    if (!first && set_int(out->fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        err = ERR_IO;
    if (!err)
        err = bind_port(out, port);
    if (!err && first && share && set_int(out->fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        err = ERR_IO;
    if (!err)
        err = set_options(out);
    if (err) {
        int saved = errno;
        close(out->fd);
        errno = saved;
    }
    return err;
}

static int attach(int fd, struct sock_filter *code, size_t count)
{
    const struct sock_fprog program = {(unsigned short)count, code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0 ? ERR_IO : 0;
}

/* wire_worker, for the kernel. The program sees the UDP payload; a load from behind its end yields 0, and so the first
 * socket. A group of one needs none: a number that no socket has falls back to a hash over those that are left. */
static int steer(const struct udp_socket *s, unsigned count)
{
    if (count < 2)
        return 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_IMM, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TYPE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_RELAY, 0, 2),
        BPF_STMT(BPF_LDX | BPF_IMM, ENVELOPE),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, TYPE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_DATA, 0, 9),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, INDEX_END_AT),
        BPF_STMT(BPF_ST, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, LANE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LANE_SPARSE, 4, 0),
        BPF_STMT(BPF_LDX | BPF_MEM, 0),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count - 1),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, count - 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(s->fd, code, sizeof(code) / sizeof(code[0]));
}

/* The second of two gets what is in an envelope. */
static int steer_envelopes(const struct udp_socket *s)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TYPE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_RELAY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(s->fd, code, sizeof(code) / sizeof(code[0]));
}

int udp_open(uint16_t port, unsigned count, struct udp_socket *out)
{
    assert(count > 0);
    bool share = count > 1;
    unsigned opened = 1;
    int err = open_one(true, port, true, share, &out[0]);
    if (err == ERR_IO)
        err = open_one(false, port, true, share, &out[0]);
    if (err)
        return err;
    while (!err && opened < count) {
        err = open_one(out[0].v6, out[0].port, false, share, &out[opened]);
        if (!err)
            opened++;
    }
    if (!err)
        err = steer(&out[0], count);
    if (err) {
        int saved = errno;
        udp_close(out, opened);
        errno = saved;
    }
    return err;
}

static int share_port(int beside, const struct udp_socket *s)
{
    return set_int(beside, SOL_SOCKET, SO_REUSEPORT, 1) < 0 || set_int(s->fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0
               ? ERR_IO
               : 0;
}

int udp_open_at(const struct addr *at, int beside, struct udp_socket *out)
{
    bool one_of_v6 = at->family == 6 && !addr_is_unspecified(at);
    int err = create_socket(at->family == 6, out);
    if (err)
        return err;
    if (one_of_v6 && set_int(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0)
        err = ERR_IO;
    if (!err && beside >= 0)
        err = share_port(beside, out);
    if (!err)
        err = bind_at(out, at);
    if (!err)
        err = set_options(out);
    if (!err && beside >= 0)
        err = steer_envelopes(out);
    if (err) {
        int saved = errno;
        udp_close(out, 1);
        errno = saved;
    }
    return err;
}

/* The kernel numbers the sockets of a group; those closed from the end leave the others their numbers. */
int udp_reduce(struct udp_socket *s, unsigned count, unsigned keep)
{
    for (unsigned i = count; i-- > keep;)
        udp_close(&s[i], 1);
    return steer(&s[0], keep);
}

void udp_close(struct udp_socket *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        close(s[i].fd);
        s[i].fd = -1;
    }
}
