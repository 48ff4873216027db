/* SPDX-License-Identifier: Apache-2.0 */
/* The routes that lead through one interface, with their gateways (linux/rtnetlink.h). Control thread. */

#include "net/rtnl_routes.h"

#include "net/rtnl_impl.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static struct addr addr_of(int family, const void *ip)
{
    struct addr a = {.family = family == AF_INET ? 4 : 6};
    memcpy(a.ip, ip, rtnl_ip_len(family));
    return a;
}

/* RTA_GATEWAY has the route's own family, RTA_VIA names another one. */
static void read_gateway(const struct nlattr *a, int family, struct addr *out)
{
    const void *data = mnl_attr_get_payload(a);
    size_t len = mnl_attr_get_payload_len(a);
    if (mnl_attr_get_type(a) == RTA_GATEWAY && len == rtnl_ip_len(family)) {
        *out = addr_of(family, data);
    } else if (mnl_attr_get_type(a) == RTA_VIA && len >= sizeof(struct rtvia)) {
        const struct rtvia *via = data;
        if (len - sizeof(*via) == rtnl_ip_len(via->rtvia_family))
            *out = addr_of(via->rtvia_family, via->rtvia_addr);
    }
}

/* Of several next hops, the first one through that interface. */
static bool read_multipath(const struct nlattr *paths, unsigned index, int family, struct addr *out)
{
    int left = mnl_attr_get_payload_len(paths);
    for (struct rtnexthop *hop = mnl_attr_get_payload(paths); RTNH_OK(hop, left);
         left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
        const struct nlattr *attr; /* the macro's own name for it */
        if ((unsigned)hop->rtnh_ifindex != index)
            continue;
        mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0))
        {
            read_gateway(attr, family, out);
        }
        return true;
    }
    return false;
}

bool rtnl_route_read(const struct nlmsghdr *h, unsigned index, struct rtnl_route *out)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    bool leads = false;
    if (mnl_nlmsg_get_payload_len(h) < sizeof(*route) || route->rtm_type != RTN_UNICAST ||
        rtnl_ip_len(route->rtm_family) == SIZE_MAX)
        return false;
    int family = route->rtm_family;
    *out = (struct rtnl_route){.to = {.addr.family = family == AF_INET ? 4 : 6, .bits = route->rtm_dst_len}};
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        uint16_t type = mnl_attr_get_type(a);
        if (type == RTA_DST && mnl_attr_get_payload_len(a) == rtnl_ip_len(family))
            out->to.addr = addr_of(family, mnl_attr_get_payload(a));
        else if (type == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            leads |= mnl_attr_get_u32(a) == index;
        else if (type == RTA_MULTIPATH)
            leads |= read_multipath(a, index, family, &out->gateway);
        else
            read_gateway(a, family, &out->gateway);
    }
    return leads;
}

static int on_route(const struct nlmsghdr *h, void *context)
{
    struct rtnl_list *list = context;
    struct rtnl_route route, *out = list->out;
    if (h->nlmsg_type != RTM_NEWROUTE || !rtnl_route_read(h, list->index, &route))
        return MNL_CB_OK;
    if (list->count < list->cap)
        out[list->count] = route;
    list->count++;
    return MNL_CB_OK;
}

int rtnl_routes(struct rtnl *r, unsigned index, struct rtnl_route *out, size_t cap)
{
    struct rtnl_list list = {.out = out, .cap = cap, .index = index};
    return rtnl_dump(r, RTM_GETROUTE, sizeof(struct rtmsg), on_route, &list);
}
