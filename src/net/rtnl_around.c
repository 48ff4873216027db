/* SPDX-License-Identifier: Apache-2.0 */
/* Who is around this machine: the next hops of its routes and the neighbours that answer (linux/rtnetlink.h,
 * linux/neighbour.h). Control thread. */

#include "net/rtnl_impl.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STATES_LIVE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

/* Routes share their next hops, and there may be a million of them: where each hop stands is found by hash. What does
 * not fit into the list is counted each time. */
struct hops {
    struct rtnl_list list; /* the first: handlers get it */
    uint32_t *places;      /* 1 more than where it stands; 0: none */
    size_t size;           /* a power of two, at least twice the list's cap */
};

static struct rtnl_address entry(unsigned index, int family, const void *ip)
{
    struct rtnl_address a = {.index = index, .prefix.bits = family == AF_INET ? 32 : 128};
    a.prefix.addr.family = family == AF_INET ? 4 : 6;
    memcpy(a.prefix.addr.ip, ip, a.prefix.bits / 8);
    return a;
}

static void list_add(struct rtnl_list *list, const struct rtnl_address *a)
{
    struct rtnl_address *out = list->out;
    if (list->count < list->cap)
        out[list->count] = *a;
    list->count++;
}

static size_t home(const struct hops *hops, const struct rtnl_address *a)
{
    uint64_t hash = 0xcbf29ce484222325ull ^ a->index; /* FNV-1a */
    for (size_t i = 0; i < sizeof(a->prefix.addr.ip); i++)
        hash = (hash ^ a->prefix.addr.ip[i]) * 0x100000001b3ull;
    return (size_t)(hash >> 16) & (hops->size - 1);
}

static void hops_add(struct hops *hops, unsigned index, int family, const void *ip)
{
    const struct rtnl_address *out = hops->list.out, a = entry(index, family, ip);
    if (!hops->list.count) /* a table that is read again, too */
        memset(hops->places, 0, hops->size * sizeof(hops->places[0]));
    size_t at = home(hops, &a);
    for (; hops->places[at]; at = (at + 1) & (hops->size - 1)) {
        const struct rtnl_address *known = &out[hops->places[at] - 1];
        if (known->index == index && addr_same_host(&known->prefix.addr, &a.prefix.addr))
            return;
    }
    if (hops->list.count < hops->list.cap)
        hops->places[at] = (uint32_t)hops->list.count + 1;
    list_add(&hops->list, &a);
}

/* RTA_GATEWAY has the route's own family, RTA_VIA names another one. */
static void take_gateway(struct hops *hops, unsigned index, int family, const struct nlattr *a)
{
    const void *data = mnl_attr_get_payload(a);
    size_t len = mnl_attr_get_payload_len(a);
    if (mnl_attr_get_type(a) == RTA_GATEWAY && len == rtnl_ip_len(family)) {
        hops_add(hops, index, family, data);
    } else if (mnl_attr_get_type(a) == RTA_VIA && len >= sizeof(struct rtvia)) {
        const struct rtvia *via = data;
        if (len - sizeof(*via) == rtnl_ip_len(via->rtvia_family))
            hops_add(hops, index, via->rtvia_family, via->rtvia_addr);
    }
}

static void take_multipath(struct hops *hops, int family, const struct nlattr *paths)
{
    int left = mnl_attr_get_payload_len(paths);
    for (struct rtnexthop *hop = mnl_attr_get_payload(paths); RTNH_OK(hop, left);
         left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
        const struct nlattr *attr; /* the macro's own name for it */
        mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0))
        {
            take_gateway(hops, (unsigned)hop->rtnh_ifindex, family, attr);
        }
    }
}

static int on_route(const struct nlmsghdr *h, void *context)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    unsigned index = 0;
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*route))
        return MNL_CB_OK;
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            index = mnl_attr_get_u32(a);
    }
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        if (mnl_attr_get_type(a) == RTA_MULTIPATH)
            take_multipath(context, route->rtm_family, a);
        else
            take_gateway(context, index, route->rtm_family, a);
    }
    return MNL_CB_OK;
}

int rtnl_next_hops(struct rtnl *r, struct rtnl_address *out, size_t cap)
{
    struct hops hops = {.list = {.out = out, .cap = cap}, .size = 2};
    while (hops.size < 2 * cap)
        hops.size *= 2;
    hops.places = calloc(hops.size, sizeof(hops.places[0]));
    if (!hops.places)
        return ERR_NOMEM;
    int count = rtnl_dump(r, RTM_GETROUTE, sizeof(struct rtmsg), on_route, &hops.list);
    free(hops.places);
    return count;
}

static int on_neighbour(const struct nlmsghdr *h, void *context)
{
    const struct ndmsg *n = mnl_nlmsg_get_payload(h);
    const struct nlattr *a, *ip = NULL;
    bool has_mac = false;
    if (h->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(h) < sizeof(*n) ||
        !(n->ndm_state & STATES_LIVE))
        return MNL_CB_OK;
    mnl_attr_for_each(a, h, sizeof(*n))
    {
        if (mnl_attr_get_type(a) == NDA_DST && mnl_attr_get_payload_len(a) == rtnl_ip_len(n->ndm_family))
            ip = a;
        has_mac = has_mac || mnl_attr_get_type(a) == NDA_LLADDR;
    }
    if (!ip || !has_mac)
        return MNL_CB_OK;
    const struct rtnl_address found =
        entry((unsigned)n->ndm_ifindex, n->ndm_family, mnl_attr_get_payload(ip));
    list_add(context, &found); /* the kernel has each once */
    return MNL_CB_OK;
}

int rtnl_neighbours(struct rtnl *r, struct rtnl_address *out, size_t cap)
{
    struct rtnl_list list = {.out = out, .cap = cap};
    return rtnl_dump(r, RTM_GETNEIGH, sizeof(struct ndmsg), on_neighbour, &list);
}
