/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams on their way out, one or a train of them. Any thread. */

#include "net/udp.h"

#include "base/uninitialized.h"
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>

#define UDP_LEN_MAX 65507
#define ECN_MASK    3

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
