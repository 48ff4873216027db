/* SPDX-License-Identifier: Apache-2.0 */
/* The way to an address, and its router (linux/rtnetlink.h). Control thread. */

#include "net/rtnl_impl.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static void take_address(const struct nlattr *a, uint8_t family, struct addr *out)
{
    size_t len = family == 4 ? 4 : 16;
    if (mnl_attr_get_payload_len(a) != len)
        return;
    out->family = family;
    memcpy(out->ip, mnl_attr_get_payload(a), len);
}

static int on_route(const struct nlmsghdr *h, void *context)
{
    struct rtnl_way *out = context;
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*route))
        return MNL_CB_OK;
    uint8_t family = route->rtm_family == AF_INET ? 4 : 6;
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            out->index = mnl_attr_get_u32(a);
        else if (mnl_attr_get_type(a) == RTA_PREFSRC)
            take_address(a, family, &out->source);
        else if (mnl_attr_get_type(a) == RTA_GATEWAY)
            take_address(a, family, &out->gateway);
    }
    return MNL_CB_OK;
}

int rtnl_way(struct rtnl *r, const struct addr *destination, struct rtnl_way *out)
{
    *out = (struct rtnl_way){0};
    int err = rtnl_ask_route(r, destination, on_route, out);
    if (addr_is_link_local(&out->gateway) && out->gateway.family == 6)
        out->gateway.scope = out->index;
    return err;
}
