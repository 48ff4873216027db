/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets that carry datagrams: docs/PROTOCOL.md §2. Opening belongs to the control thread, a batch to
 * its worker; sending is safe from any thread. */

#include "net/udp.h"

#include "base/uninitialized.h"
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 * 1024 * 1024)
#define UDP_LEN_MAX   65507
#define ECN_MASK      3
/* docs/PROTOCOL.md §3 */
#define TYPE_AT      0
#define TYPE_DATA    0x20
#define LANE_AT      1
#define INDEX_END_AT 7 /* the last byte of the receiver index */
#define TYPE_RELAY   0x23
#define ENVELOPE     8 /* bytes in front of what a relay passes on */
/* A burst of ICMP errors may stand before the datagrams in a socket. */
#define ERRORS_SKIPPED 16

/* ---- opening ---- */

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_buffer(int fd, int force, int plain)
{
    if (set_int(fd, SOL_SOCKET, force, SOCKET_BUFFER) < 0)
        (void)set_int(fd, SOL_SOCKET, plain, SOCKET_BUFFER);
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

/* The program sees the UDP payload; a load from behind its end yields 0, and so the first socket. A group of
 * one needs none: a number that no socket has falls back to a hash over those that are left. */
static int steer(const struct udp_socket *s, unsigned count)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_IMM, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TYPE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_RELAY, 0, 2),
        BPF_STMT(BPF_LDX | BPF_IMM, ENVELOPE),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, TYPE_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_DATA, 0, 7),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, INDEX_END_AT),
        BPF_STMT(BPF_ST, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, LANE_AT),
        BPF_STMT(BPF_LDX | BPF_MEM, 0),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return count < 2 ? 0 : attach(s->fd, code, sizeof(code) / sizeof(code[0]));
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

/* ---- sending ---- */

struct control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
                                           CMSG_SPACE(sizeof(uint16_t))];
    size_t len;
};

static void put_cmsg(uint8_t *at, int level, int type, const void *value, size_t size)
{
    struct cmsghdr *h = (struct cmsghdr *)at;
    h->cmsg_level = level;
    h->cmsg_type = type;
    h->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(h), value, size);
}

static void control_add(struct control *c, int level, int type, const void *value, size_t size)
{
    put_cmsg(c->bytes + c->len, level, type, value, size);
    c->len += CMSG_SPACE(size);
}

static void set_source6(struct udp_remote *r, const struct sockaddr_in6 *local)
{
    const struct in6_pktinfo info = {.ipi6_addr = local->sin6_addr, .ipi6_ifindex = local->sin6_scope_id};
    put_cmsg(r->source, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    r->source_len = CMSG_SPACE(sizeof(info));
}

static void set_source4(struct udp_remote *r, const struct sockaddr_in *local)
{
    const struct in_pktinfo info = {.ipi_spec_dst = local->sin_addr};
    put_cmsg(r->source, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    r->source_len = CMSG_SPACE(sizeof(info));
}

void udp_remote_init(const struct udp_socket *s, const struct addr *local, const struct addr *remote,
                     struct udp_remote *out)
{
    struct sockaddr_storage sa;
    memset(out, 0, sizeof(*out));
    out->len = addr_to_sockaddr(remote, s->v6, &sa);
    memcpy(&out->sa, &sa, out->len);
    if (!addr_to_sockaddr(local, s->v6, &sa))
        return;
    if (s->v6)
        set_source6(out, (const struct sockaddr_in6 *)&sa);
    else
        set_source4(out, (const struct sockaddr_in *)&sa);
}

static bool remote_is_v4(const struct udp_remote *to)
{
    return to->sa.sin6_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&to->sa.sin6_addr);
}

/* From whatever address the kernel likes. */
static void set_any_source(const struct udp_socket *s, struct udp_remote *r)
{
    const struct addr any = {.family = remote_is_v4(r) ? 4 : 6};
    struct sockaddr_storage sa;
    (void)addr_to_sockaddr(&any, s->v6, &sa);
    if (s->v6)
        set_source6(r, (const struct sockaddr_in6 *)&sa);
    else
        set_source4(r, (const struct sockaddr_in *)&sa);
}

void udp_remote_leave_by(const struct udp_socket *s, uint32_t interface, struct udp_remote *r)
{
    /* Given both, the kernel takes any route of IPv6, and the source from the one given. */
    if (!r->source_len || !remote_is_v4(r))
        set_any_source(s, r);
    void *info = CMSG_DATA((struct cmsghdr *)r->source);
    if (s->v6)
        ((struct in6_pktinfo *)info)->ipi6_ifindex = interface;
    else
        ((struct in_pktinfo *)info)->ipi_ifindex = (int)interface;
}

static void control_add_ecn(struct control *c, const struct udp_remote *to, uint8_t ecn)
{
    int tos = ecn & ECN_MASK;
    if (!tos)
        return;
    if (remote_is_v4(to))
        control_add(c, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    else
        control_add(c, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

static int send_error(void)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
        return ERR_AGAIN;
    case EMSGSIZE:
        return ERR_SPACE;
    default:
        return ERR_IO;
    }
}

static struct msghdr message_for(const struct udp_remote *to, struct control *c, struct iovec *iov)
{
    return (struct msghdr){
        .msg_name = (void *)&to->sa,
        .msg_namelen = to->len,
        .msg_iov = iov,
        .msg_iovlen = 1,
        .msg_control = c->len ? c->bytes : NULL,
        .msg_controllen = c->len,
    };
}

static int send_once(int fd, const struct msghdr *msg)
{
    ssize_t n;
    do
        n = sendmsg(fd, msg, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? send_error() : 0;
}

static int send_each(int fd, const struct udp_remote *to, struct control *c, const uint8_t *data, size_t len,
                     size_t segment)
{
    for (size_t at = 0; at < len; at += segment) {
        struct iovec iov = {(void *)(data + at), len - at < segment ? len - at : segment};
        struct msghdr msg = message_for(to, c, &iov);
        int err = send_once(fd, &msg);
        if (err)
            return err;
    }
    return 0;
}

int udp_send(struct udp_socket *s, const struct udp_remote *to, const uint8_t *data, size_t len,
             size_t segment, uint8_t ecn)
{
    UNINITIALIZED struct control c;
    assert(len > 0 && segment > 0 && len <= UDP_LEN_MAX);
    c.len = to->source_len;
    memcpy(c.bytes, to->source, c.len);
    control_add_ecn(&c, to, ecn);
    if (segment >= len)
        return send_each(s->fd, to, &c, data, len, segment);
    assert((len + segment - 1) / segment <= UDP_SEGMENTS_MAX);
    if (!atomic_load_explicit(&s->gso, memory_order_relaxed))
        return send_each(s->fd, to, &c, data, len, segment);

    struct control plain = c;
    uint16_t size = (uint16_t)segment;
    control_add(&c, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
    struct iovec iov = {(void *)data, len};
    struct msghdr msg = message_for(to, &c, &iov);
    int err = send_once(s->fd, &msg);
    if (err != ERR_IO || (errno != EIO && errno != EINVAL))
        return err;
    /* EINVAL also stands for a segment that the interface does not carry: only when single datagrams of the
     * same size pass is the kernel to blame. */
    err = send_each(s->fd, to, &plain, data, len, segment);
    if (!err)
        atomic_store_explicit(&s->gso, false, memory_order_relaxed);
    return err;
}

int udp_send_near(struct udp_socket *s, const struct udp_remote *to, const uint8_t *data, size_t len,
                  uint8_t hops)
{
    UNINITIALIZED struct control c;
    int limit = hops;
    assert(len > 0 && hops > 0 && len <= UDP_LEN_MAX);
    c.len = to->source_len;
    memcpy(c.bytes, to->source, c.len);
    if (remote_is_v4(to))
        control_add(&c, IPPROTO_IP, IP_TTL, &limit, sizeof(limit));
    else
        control_add(&c, IPPROTO_IPV6, IPV6_HOPLIMIT, &limit, sizeof(limit));
    return send_each(s->fd, to, &c, data, len, len);
}

size_t udp_unsent(const struct udp_socket *s)
{
    int unsent = 0;
    return ioctl(s->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 ? (size_t)unsent : 0;
}

/* ---- receiving ---- */

#define CONTROL_SPACE                                                                                        \
    (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) +                           \
     CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

#define TAKE_BYTES     262144 /* by one call, by guess … */
#define TAKE_DATAGRAMS 512    /* … and no more than these */
#define TAKE_MIN       4

/* Slots of 64 KB one behind the other would have all their first lines in the same few sets of the caches. */
#define SLOT_LEN (UDP_BUFFER + 1664)

/* What belongs to one message lies together: a wake-up for one touches few pages. */
struct udp_slot {
    struct iovec iov;
    struct sockaddr_storage from;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SPACE];
};

struct udp_batch {
    unsigned take; /* messages that the next call asks for */
    bool full;     /* the last call got as many as it asked for */
    uint8_t *buffers;
    struct udp_slot slots[UDP_BATCH];
    struct mmsghdr msgs[UDP_BATCH];
};

static void batch_arm(struct udp_batch *b, unsigned i)
{
    struct udp_slot *slot = &b->slots[i];
    b->msgs[i].msg_hdr = (struct msghdr){
        .msg_name = &slot->from,
        .msg_namelen = sizeof(slot->from),
        .msg_iov = &slot->iov,
        .msg_iovlen = 1,
        .msg_control = slot->control,
        .msg_controllen = CONTROL_SPACE,
    };
}

int udp_batch_new(struct udp_batch **out)
{
    struct udp_batch *b = calloc(1, sizeof(*b));
    if (!b)
        return ERR_NOMEM;
    b->take = UDP_BATCH;
    b->buffers = malloc((size_t)UDP_BATCH * SLOT_LEN);
    if (!b->buffers) {
        free(b);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        b->slots[i].iov = (struct iovec){b->buffers + (size_t)i * SLOT_LEN, UDP_BUFFER};
        batch_arm(b, i);
    }
    *out = b;
    return 0;
}

void udp_batch_free(struct udp_batch *b)
{
    if (!b)
        return;
    free(b->buffers);
    free(b);
}

static int cmsg_int(struct cmsghdr *c)
{
    int v = 0;
    memcpy(&v, CMSG_DATA(c), sizeof(v));
    return v;
}

/* SO_RXQ_OVFL tells the total since the socket was made, modulo 2^32. */
static void count_overflow(struct udp_socket *s, uint32_t total, uint64_t *overflow)
{
    uint32_t grown = total - s->overflow_seen;
    if (grown > INT32_MAX)
        return;
    s->overflow_seen = total;
    *overflow += grown;
}

/* The interface matters to link-local addresses alone. */
static void read_local6(struct cmsghdr *c, struct addr *local)
{
    struct in6_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    const struct sockaddr_in6 sa = {
        .sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr, .sin6_scope_id = info.ipi6_ifindex};
    (void)!addr_from_sockaddr((const struct sockaddr *)&sa, local);
}

static void read_local4(struct cmsghdr *c, struct addr *local)
{
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    const struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = info.ipi_addr};
    (void)!addr_from_sockaddr((const struct sockaddr *)&sa, local);
}

static void read_control(struct udp_socket *s, struct msghdr *h, struct udp_message *m, uint64_t *overflow)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
            m->ecn = *CMSG_DATA(c) & ECN_MASK;
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
            m->ecn = (uint8_t)(cmsg_int(c) & ECN_MASK);
        else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            m->segment = (size_t)cmsg_int(c);
        else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
            count_overflow(s, (uint32_t)cmsg_int(c), overflow);
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            read_local6(c, &m->local);
        else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            read_local4(c, &m->local);
    }
}

/* False for what holds nothing to open: an empty datagram, or one from no address we know. */
static bool read_message(struct udp_socket *s, struct udp_batch *b, unsigned i, struct udp_message *m,
                         uint64_t *overflow)
{
    struct msghdr *h = &b->msgs[i].msg_hdr;
    *m = (struct udp_message){.data = b->slots[i].iov.iov_base, .len = b->msgs[i].msg_len};
    read_control(s, h, m, overflow);
    if (m->len == 0 || (h->msg_flags & MSG_TRUNC))
        return false;
    if (m->segment == 0 || m->segment > m->len)
        m->segment = m->len;
    return addr_from_sockaddr((struct sockaddr *)&b->slots[i].from, &m->from) == 0;
}

/* What an ICMP message left on the socket; it concerns an earlier datagram, not receiving. */
static bool is_icmp_error(int e)
{
    return e == ECONNREFUSED || e == EHOSTUNREACH || e == ENETUNREACH || e == EHOSTDOWN || e == ENETDOWN ||
           e == ENOPROTOOPT || e == EMSGSIZE || e == EPROTO || e == EACCES || e == EPERM;
}

/* What comes next is likely like what came last. */
static void plan_next(struct udp_batch *b, size_t bytes, size_t datagrams, unsigned count)
{
    size_t fit = TAKE_BYTES / (bytes / count + 1), few = TAKE_DATAGRAMS / (datagrams / count + 1);
    if (few < fit)
        fit = few;
    b->take = fit < TAKE_MIN ? TAKE_MIN : fit > UDP_BATCH ? UDP_BATCH : (unsigned)fit;
}

int udp_receive(struct udp_socket *s, struct udp_batch *b, struct udp_message *out, uint64_t *overflow)
{
    int n;
    unsigned errors = 0;
    do
        n = recvmmsg(s->fd, b->msgs, b->take, MSG_DONTWAIT, NULL);
    while (n < 0 && (errno == EINTR || is_icmp_error(errno)) && ++errors < ERRORS_SKIPPED);
    b->full = n > 0 && (unsigned)n == b->take;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || is_icmp_error(errno) ? 0 : ERR_IO;
    int count = 0;
    size_t bytes = 0, datagrams = 0;
    for (int i = 0; i < n; i++) {
        bytes += b->msgs[i].msg_len;
        if (read_message(s, b, (unsigned)i, &out[count], overflow)) {
            datagrams += out[count].len / out[count].segment;
            count++;
        }
        batch_arm(b, (unsigned)i);
    }
    if (n > 0)
        plan_next(b, bytes, datagrams, (unsigned)n);
    return count;
}

unsigned udp_waiting(const struct udp_socket *s, const struct udp_batch *b)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t len = sizeof(info);
    if (!b->full || getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 || info[SK_MEMINFO_RCVBUF] == 0)
        return 0;
    return (unsigned)((uint64_t)info[SK_MEMINFO_RMEM_ALLOC] * 100 / info[SK_MEMINFO_RCVBUF]);
}
