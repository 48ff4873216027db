/* SPDX-License-Identifier: Apache-2.0 */
/* ip(7), ipv6(7). An IPv4 socket is bound to its group, so that nothing else arrives there. An IPv6 one cannot be, for all
 * interfaces at once: whoever reads from it looks at the sender. */

#include "net/multicast.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_BYTES 65536 /* what waits unread; a flood is lost beyond it */

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

static int settle4(int fd)
{
    return set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) || set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1) ||
           set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
}

static int settle6(int fd)
{
    (void)set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0); /* Linux 4.20 and later */
    return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) || set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) ||
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
}

static int bind_to(int fd, const struct addr *group)
{
    struct sockaddr_storage sa;
    struct addr at = *group;
    if (at.family == 6)
        memset(at.ip, 0, sizeof(at.ip));
    socklen_t len = addr_to_sockaddr(&at, false, &sa);
    return bind(fd, (const struct sockaddr *)&sa, len);
}

int multicast_open(const struct addr *group, int *fd)
{
    int s = socket(group->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return errno == EAFNOSUPPORT ? ERR_UNSUPPORTED : ERR_IO;
    (void)set(s, SOL_SOCKET, SO_RCVBUF, QUEUE_BYTES);
    if (set(s, SOL_SOCKET, SO_REUSEADDR, 1) || (group->family == 6 ? settle6(s) : settle4(s)) ||
        bind_to(s, group)) {
        int saved = errno;
        close(s);
        errno = saved;
        return ERR_IO;
    }
    *fd = s;
    return 0;
}

static int change(int fd, const struct addr *group, uint32_t interface, int option)
{
    struct group_req request = {.gr_interface = interface};
    (void)addr_to_sockaddr(group, false, &request.gr_group);
    return setsockopt(fd, group->family == 6 ? IPPROTO_IPV6 : IPPROTO_IP, option, &request, sizeof(request));
}

int multicast_join(int fd, const struct addr *group, uint32_t interface)
{
    return change(fd, group, interface, MCAST_JOIN_GROUP) == 0 || errno == EADDRINUSE ? 0 : ERR_IO;
}

void multicast_leave(int fd, const struct addr *group, uint32_t interface)
{
    (void)change(fd, group, interface, MCAST_LEAVE_GROUP); /* it went with its interface */
}

static int leave_by(int fd, uint8_t family, uint32_t interface)
{
    const struct ip_mreqn by = {.imr_ifindex = (int)interface};
    if (family == 6)
        return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by));
}

int multicast_send(int fd, const struct addr *group, uint32_t interface, const uint8_t *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(group, false, &sa);
    if (leave_by(fd, group->family, interface))
        return ERR_IO;
    if (sendto(fd, data, len, MSG_DONTWAIT, (const struct sockaddr *)&sa, sa_len) >= 0)
        return 0;
    return errno == EAGAIN ? ERR_AGAIN : ERR_IO;
}

int multicast_receive(int fd, uint8_t *data, size_t cap, size_t *len, struct addr *from)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    ssize_t n = recvfrom(fd, data, cap, MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_IO;
    *len = (size_t)n;
    return addr_from_sockaddr((const struct sockaddr *)&sa, from);
}
