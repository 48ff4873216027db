/* SPDX-License-Identifier: Apache-2.0 */
/* Default routes, as the kernel would look them up (linux/rtnetlink.h). Control thread. */

#include "net/rtnl_impl.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Addresses that nothing but a default route leads to. Nothing is sent there. */
static const uint8_t far4[4] = {1, 1, 1, 1}, far6[16] = {0x26, 0x06, 0x47, 0, 0x47, 0, [15] = 0x11};

static int on_route(const struct nlmsghdr *h, void *context)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    unsigned *index = context;
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*route) ||
        route->rtm_dst_len != 0 || route->rtm_table != RT_TABLE_MAIN || route->rtm_type != RTN_UNICAST)
        return MNL_CB_OK;
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            *index = mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

/* With an interface named, the kernel would also send where no route leads: so the entry that matches is asked for. */
int rtnl_default_route(struct rtnl *r, unsigned family, unsigned through, unsigned *index)
{
    union rtnl_request q;
    const bool v4 = family == 4;
    struct rtmsg *route = rtnl_request_init(&q, RTM_GETROUTE, NLM_F_ACK, sizeof(*route));
    route->rtm_family = v4 ? AF_INET : AF_INET6;
    route->rtm_dst_len = v4 ? 8 * sizeof(far4) : 8 * sizeof(far6);
    route->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
    mnl_attr_put(&q.header, RTA_DST, v4 ? sizeof(far4) : sizeof(far6), v4 ? far4 : far6);
    if (through)
        mnl_attr_put_u32(&q.header, RTA_OIF, through);
    *index = 0;
    int err = rtnl_talk(r, &q, on_route, index);
    return err ? err : *index ? 0 : ERR_NOT_FOUND;
}
