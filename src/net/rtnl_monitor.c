/* SPDX-License-Identifier: Apache-2.0 */
/* Notices of interfaces, addresses and default routes that change (linux/rtnetlink.h). Control thread. */

#include "net/rtnl.h"

#include "net/rtnl_routes.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* Per call, so that a storm of changes cannot hold the thread. */
#define MONITOR_READS 1024

int rtnl_monitor_open(int *fd)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                          RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (s < 0)
        return ERR_IO;
    if (bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        int saved = errno;
        close(s);
        errno = saved;
        return ERR_IO;
    }
    *fd = s;
    return 0;
}

/* A router may change its other ones without end. */
static bool is_default_route(const struct nlmsghdr *h)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    return (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE) &&
           mnl_nlmsg_get_payload_len(h) >= sizeof(*route) && route->rtm_dst_len == 0 &&
           route->rtm_table == RT_TABLE_MAIN;
}

static void look(const void *data, int len, unsigned index, struct rtnl_changes *out)
{
    struct rtnl_route route;
    for (const struct nlmsghdr *h = data; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
        uint16_t t = h->nlmsg_type;
        out->machine |= t == RTM_NEWLINK || t == RTM_DELLINK || t == RTM_NEWADDR || t == RTM_DELADDR ||
                        is_default_route(h);
        out->routes |= (t == RTM_NEWROUTE || t == RTM_DELROUTE) && rtnl_route_read(h, index, &route);
    }
}

/* ENOBUFS: the kernel had more to tell than the socket holds, so something changed. */
struct rtnl_changes rtnl_monitor_drain(int fd, unsigned index)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[8192];
    struct rtnl_changes out = {false, false};
    for (int i = 0; i < MONITOR_READS; i++) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (n < 0 && errno == ENOBUFS)
            out = (struct rtnl_changes){true, true};
        else if (n < 0 && errno != EINTR)
            break;
        else if (n > 0)
            look(buffer, (int)n, index, &out);
    }
    return out;
}
