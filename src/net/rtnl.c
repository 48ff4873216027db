/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces, addresses and routes over rtnetlink (RFC 3549, linux/rtnetlink.h) through libmnl. Control
 * thread. */

#include "net/rtnl_impl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Newer than some distributions' headers (enum values, so no #ifdef can tell). */
#define MAC_LEN                6
#define LINK_GSO_IPV4_MAX_SIZE 63

#define BUFFER_LEN  32768
#define ANSWER_SECS 5
#define DUMP_TRIES  4
#define FLUSH_ROUND 64

struct rtnl {
    struct mnl_socket *socket;
    uint32_t seq;
    _Alignas(struct nlmsghdr) uint8_t buffer[BUFFER_LEN];
};

int rtnl_socket(int *fd)
{
    *fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return *fd < 0 ? ERR_IO : 0;
}

int rtnl_open_on(int fd, struct rtnl **out)
{
    const struct timeval patience = {.tv_sec = ANSWER_SECS};
    struct rtnl *r = calloc(1, sizeof(*r));
    if (r)
        r->socket = mnl_socket_fdopen(fd);
    if (!r || !r->socket) {
        close(fd);
        free(r);
        return ERR_NOMEM;
    }
    if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
        rtnl_close(r);
        return ERR_IO;
    }
    *out = r;
    return 0;
}

int rtnl_open(struct rtnl **out)
{
    int fd;
    int err = rtnl_socket(&fd);
    return err ? err : rtnl_open_on(fd, out);
}

void rtnl_close(struct rtnl *r)
{
    if (!r)
        return;
    int saved = errno;
    mnl_socket_close(r->socket);
    free(r);
    errno = saved;
}

/* ---- one request, all its answers ---- */

/* An answer to an earlier request that was given up is passed over. */
int rtnl_talk(struct rtnl *r, union rtnl_request *q, mnl_cb_t handler, void *context)
{
    unsigned port = mnl_socket_get_portid(r->socket);
    int err = MNL_CB_OK;
    q->header.nlmsg_seq = ++r->seq;
    if (mnl_socket_sendto(r->socket, &q->header, q->header.nlmsg_len) < 0)
        return err_from_errno(errno);
    while (err > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(r->socket, r->buffer, sizeof(r->buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        err = mnl_cb_run(r->buffer, (size_t)n, r->seq, port, handler, context);
        if (err < 0 && errno == EPROTO)
            err = MNL_CB_OK;
    }
    return err < 0 ? err_from_errno(errno) : 0;
}

void *rtnl_request_init(union rtnl_request *q, uint16_t type, uint16_t flags, size_t extra)
{
    memset(q, 0, sizeof(*q));
    mnl_nlmsg_put_header(q);
    q->header.nlmsg_type = type;
    q->header.nlmsg_flags = NLM_F_REQUEST | flags;
    return mnl_nlmsg_put_extra_header(&q->header, extra);
}

int rtnl_dump(struct rtnl *r, uint16_t type, size_t extra, mnl_cb_t handler, struct rtnl_list *list)
{
    int err = ERR_IO;
    for (int i = 0; i < DUMP_TRIES; i++) {
        union rtnl_request q;
        rtnl_request_init(&q, type, NLM_F_DUMP, extra);
        list->count = 0;
        errno = 0;
        err = rtnl_talk(r, &q, handler, list);
        if (!err || errno != EINTR)
            break;
    }
    return err ? err : (int)list->count;
}

/* ---- links ---- */

#define DROPPED_AT offsetof(struct rtnl_link_stats64, rx_dropped)

/* Only a device with several queues tells. */
static void read_tun(const struct nlattr *data, struct rtnl_link *out)
{
    const struct nlattr *a;
    mnl_attr_for_each_nested(a, data)
    {
        uint16_t type = mnl_attr_get_type(a);
        if ((type == IFLA_TUN_NUM_QUEUES || type == IFLA_TUN_NUM_DISABLED_QUEUES) &&
            mnl_attr_get_payload_len(a) == sizeof(uint32_t))
            out->held_queues += mnl_attr_get_u32(a);
    }
}

static void read_kind(const struct nlattr *info, struct rtnl_link *out)
{
    const struct nlattr *a;
    bool tun = false;
    mnl_attr_for_each_nested(a, info)
    {
        if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
            tun = mnl_attr_get_payload_len(a) == sizeof("tun") && !strcmp(mnl_attr_get_str(a), "tun");
        else if (mnl_attr_get_type(a) == IFLA_INFO_DATA && tun)
            read_tun(a, out);
    }
}

static void read_link(const struct nlmsghdr *h, struct rtnl_link *out)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    *out = (struct rtnl_link){
        .index = (unsigned)info->ifi_index,
        .up = info->ifi_flags & IFF_UP,
        .loopback = info->ifi_flags & IFF_LOOPBACK,
    };
    mnl_attr_for_each(a, h, sizeof(*info))
    {
        size_t len = mnl_attr_get_payload_len(a);
        if (mnl_attr_get_type(a) == IFLA_IFNAME)
            snprintf(out->name, sizeof(out->name), "%.*s", (int)len, mnl_attr_get_str(a));
        else if (mnl_attr_get_type(a) == IFLA_MTU && len == sizeof(uint32_t))
            out->mtu = mnl_attr_get_u32(a);
        else if (mnl_attr_get_type(a) == IFLA_CARRIER && len == sizeof(uint8_t))
            out->carrier = mnl_attr_get_u8(a) != 0;
        else if (mnl_attr_get_type(a) == IFLA_LINKINFO)
            read_kind(a, out);
        else if (mnl_attr_get_type(a) == IFLA_ADDRESS && len == sizeof(out->mac))
            memcpy(out->mac, mnl_attr_get_payload(a), sizeof(out->mac));
        else if (mnl_attr_get_type(a) == IFLA_STATS64 && len >= DROPPED_AT + sizeof(out->dropped))
            memcpy(&out->dropped, (const uint8_t *)mnl_attr_get_payload(a) + DROPPED_AT,
                   sizeof(out->dropped));
    }
}

static bool is_message(const struct nlmsghdr *h, uint16_t type, size_t extra)
{
    return h->nlmsg_type == type && mnl_nlmsg_get_payload_len(h) >= extra;
}

static int on_link(const struct nlmsghdr *h, void *context)
{
    struct rtnl_list *list = context;
    if (!is_message(h, RTM_NEWLINK, sizeof(struct ifinfomsg)))
        return MNL_CB_OK;
    if (list->count < list->cap)
        read_link(h, (struct rtnl_link *)list->out + list->count);
    list->count++;
    return MNL_CB_OK;
}

int rtnl_link_find(struct rtnl *r, const char *name, struct rtnl_link *out)
{
    struct rtnl_list list = {.out = out, .cap = 1};
    union rtnl_request q;
    if (strlen(name) == 0 || strlen(name) >= IFNAMSIZ)
        return ERR_NOT_FOUND;
    rtnl_request_init(&q, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(&q.header, IFLA_IFNAME, name);
    int err = rtnl_talk(r, &q, on_link, &list);
    if (err)
        return err;
    return list.count ? 0 : ERR_NOT_FOUND;
}

int rtnl_links(struct rtnl *r, struct rtnl_link *out, size_t cap)
{
    struct rtnl_list list = {.out = out, .cap = cap};
    return rtnl_dump(r, RTM_GETLINK, sizeof(struct ifinfomsg), on_link, &list);
}

static struct ifinfomsg *link_request(union rtnl_request *q, unsigned index)
{
    struct ifinfomsg *info = rtnl_request_init(q, RTM_NEWLINK, NLM_F_ACK, sizeof(*info));
    info->ifi_index = (int)index;
    return info;
}

static int set_gso_max(struct rtnl *r, unsigned index, uint32_t size)
{
    union rtnl_request q;
    link_request(&q, index);
    mnl_attr_put_u32(&q.header, IFLA_GSO_MAX_SIZE, size);
    int err = rtnl_talk(r, &q, NULL, NULL);
    if (err)
        return err == ERR_IO ? 0 : err;
    /* Kernels before 6.3 have one limit for both families and refuse the second. */
    link_request(&q, index);
    mnl_attr_put_u32(&q.header, LINK_GSO_IPV4_MAX_SIZE, size);
    err = rtnl_talk(r, &q, NULL, NULL);
    return err == ERR_IO ? 0 : err;
}

int rtnl_link_set(struct rtnl *r, unsigned index, const struct rtnl_link_change *change)
{
    union rtnl_request q;
    if (change->gso_max) {
        int err = set_gso_max(r, index, change->gso_max);
        if (err)
            return err;
    }
    struct ifinfomsg *info = link_request(&q, index);
    info->ifi_flags = change->up ? IFF_UP : 0;
    info->ifi_change = change->up || change->down ? IFF_UP : 0;
    if (change->mtu)
        mnl_attr_put_u32(&q.header, IFLA_MTU, change->mtu);
    if (change->txqueuelen)
        mnl_attr_put_u32(&q.header, IFLA_TXQLEN, change->txqueuelen);
    if (change->mac)
        mnl_attr_put(&q.header, IFLA_ADDRESS, MAC_LEN, change->mac);
    return rtnl_talk(r, &q, NULL, NULL);
}

/* ---- addresses ---- */

static size_t ip_len(const struct addr *a)
{
    return a->family == 4 ? 4 : 16;
}

static uint8_t kernel_family(const struct addr *a)
{
    return a->family == 4 ? AF_INET : AF_INET6;
}

/* IFA_ADDRESS is the other end's on point-to-point links; IFA_LOCAL, where it is given, is ours. */
static bool read_address(const struct nlmsghdr *h, struct rtnl_address *out)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    const struct nlattr *a, *found = NULL;
    struct addr *ip = &out->prefix.addr;
    *out = (struct rtnl_address){.index = info->ifa_index, .prefix.bits = info->ifa_prefixlen};
    ip->family = info->ifa_family == AF_INET ? 4 : 6;
    mnl_attr_for_each(a, h, sizeof(*info))
    {
        uint16_t type = mnl_attr_get_type(a);
        if (mnl_attr_get_payload_len(a) == ip_len(ip) &&
            (type == IFA_LOCAL || (type == IFA_ADDRESS && !found)))
            found = a;
    }
    if (!found)
        return false;
    memcpy(ip->ip, mnl_attr_get_payload(found), ip_len(ip));
    if (addr_is_link_local(ip) && ip->family == 6)
        ip->scope = info->ifa_index;
    return true;
}

static int on_address(const struct nlmsghdr *h, void *context)
{
    struct rtnl_list *list = context;
    struct rtnl_address a;
    if (!is_message(h, RTM_NEWADDR, sizeof(struct ifaddrmsg)))
        return MNL_CB_OK;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    if ((info->ifa_family != AF_INET && info->ifa_family != AF_INET6) || !read_address(h, &a))
        return MNL_CB_OK;
    if (list->count < list->cap)
        ((struct rtnl_address *)list->out)[list->count] = a;
    list->count++;
    return MNL_CB_OK;
}

int rtnl_addresses(struct rtnl *r, struct rtnl_address *out, size_t cap)
{
    struct rtnl_list list = {.out = out, .cap = cap};
    return rtnl_dump(r, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address, &list);
}

bool rtnl_addresses_have(const struct rtnl_address *list, size_t count, const struct addr *a)
{
    for (size_t i = 0; i < count; i++)
        if (addr_same_host(a, &list[i].prefix.addr))
            return true;
    return false;
}

bool rtnl_addresses_edge(const struct rtnl_address *list, size_t count, const struct addr *a)
{
    for (size_t i = 0; i < count; i++)
        if (addr_is_subnet_edge(a, &list[i].prefix))
            return true;
    return false;
}

static void put_broadcast(union rtnl_request *q, const struct addr_prefix *p)
{
    uint8_t ip[4];
    memcpy(ip, p->addr.ip, sizeof(ip));
    for (unsigned bit = p->bits; bit < 32; bit++)
        ip[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
    mnl_attr_put(&q->header, IFA_BROADCAST, sizeof(ip), ip);
}

int rtnl_address_add(struct rtnl *r, unsigned index, const struct addr_prefix *address)
{
    union rtnl_request q;
    if ((address->addr.family != 4 && address->addr.family != 6) ||
        address->bits > ip_len(&address->addr) * 8)
        return ERR_ARGUMENT;
    struct ifaddrmsg *info =
        rtnl_request_init(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*info));
    info->ifa_family = kernel_family(&address->addr);
    info->ifa_prefixlen = address->bits;
    info->ifa_index = index;
    /* A tentative address can be no route's source, and detection before the first peer finds nobody. */
    info->ifa_flags = address->addr.family == 6 ? IFA_F_NODAD : 0;
    info->ifa_scope = addr_is_link_local(&address->addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    mnl_attr_put(&q.header, IFA_LOCAL, ip_len(&address->addr), address->addr.ip);
    mnl_attr_put(&q.header, IFA_ADDRESS, ip_len(&address->addr), address->addr.ip);
    if (address->addr.family == 4 && address->bits < 31)
        put_broadcast(&q, address);
    return rtnl_talk(r, &q, NULL, NULL);
}

/* ---- host routes ---- */

static int route_request(struct rtnl *r, uint16_t type, uint16_t flags, unsigned index,
                         const struct addr *destination, const struct addr *source)
{
    union rtnl_request q;
    if (destination->family != 4 && destination->family != 6)
        return ERR_ARGUMENT;
    struct rtmsg *route = rtnl_request_init(&q, type, NLM_F_ACK | flags, sizeof(*route));
    route->rtm_family = kernel_family(destination);
    route->rtm_dst_len = (uint8_t)(ip_len(destination) * 8);
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTNL_PROTOCOL;
    route->rtm_scope = RT_SCOPE_LINK;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put(&q.header, RTA_DST, ip_len(destination), destination->ip);
    mnl_attr_put_u32(&q.header, RTA_OIF, index);
    if (source && source->family == destination->family)
        mnl_attr_put(&q.header, RTA_PREFSRC, ip_len(source), source->ip);
    return rtnl_talk(r, &q, NULL, NULL);
}

int rtnl_route_add(struct rtnl *r, unsigned index, const struct addr *destination, const struct addr *source)
{
    return route_request(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, destination, source);
}

int rtnl_route_del(struct rtnl *r, unsigned index, const struct addr *destination)
{
    return route_request(r, RTM_DELROUTE, 0, index, destination, NULL);
}

/* True when h shows a host route of ours through the interface. */
static bool read_route(const struct nlmsghdr *h, unsigned index, struct addr *out)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    bool through = false, found = false;
    *out = (struct addr){.family = route->rtm_family == AF_INET ? 4 : 6};
    if ((route->rtm_family != AF_INET && route->rtm_family != AF_INET6) ||
        route->rtm_dst_len != ip_len(out) * 8 || route->rtm_protocol != RTNL_PROTOCOL ||
        route->rtm_table != RT_TABLE_MAIN)
        return false;
    mnl_attr_for_each(a, h, sizeof(*route))
    {
        size_t len = mnl_attr_get_payload_len(a);
        if (mnl_attr_get_type(a) == RTA_OIF && len == sizeof(uint32_t)) {
            through = mnl_attr_get_u32(a) == index;
        } else if (mnl_attr_get_type(a) == RTA_DST && len == ip_len(out)) {
            memcpy(out->ip, mnl_attr_get_payload(a), len);
            found = true;
        }
    }
    return through && found;
}

static int on_route(const struct nlmsghdr *h, void *context)
{
    struct rtnl_list *list = context;
    struct addr a;
    if (!is_message(h, RTM_NEWROUTE, sizeof(struct rtmsg)) || !read_route(h, list->index, &a))
        return MNL_CB_OK;
    if (list->count < list->cap)
        ((struct addr *)list->out)[list->count] = a;
    list->count++;
    return MNL_CB_OK;
}

/* In rounds, so that any number fits the same small array; a round that removes nothing is the last. */
int rtnl_routes_flush(struct rtnl *r, unsigned index)
{
    struct addr found[FLUSH_ROUND];
    int removed = 0, before;
    do {
        struct rtnl_list list = {.out = found, .cap = FLUSH_ROUND, .index = index};
        int count = rtnl_dump(r, RTM_GETROUTE, sizeof(struct rtmsg), on_route, &list);
        before = removed;
        if (count < 0)
            return count;
        for (int i = 0; i < count && i < FLUSH_ROUND; i++) {
            int err = rtnl_route_del(r, index, &found[i]);
            if (err && err != ERR_NOT_FOUND)
                return err;
            removed += !err;
        }
    } while (removed > before);
    return removed;
}

int rtnl_ask_route(struct rtnl *r, const struct addr *to, mnl_cb_t handler, void *context)
{
    union rtnl_request q;
    if (to->family != 4 && to->family != 6)
        return ERR_ARGUMENT;
    struct rtmsg *route = rtnl_request_init(&q, RTM_GETROUTE, NLM_F_ACK, sizeof(*route));
    route->rtm_family = kernel_family(to);
    route->rtm_dst_len = (uint8_t)(ip_len(to) * 8);
    mnl_attr_put(&q.header, RTA_DST, ip_len(to), to->ip);
    return rtnl_talk(r, &q, handler, context);
}
