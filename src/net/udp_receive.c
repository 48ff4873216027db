/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams as they come, joined by the kernel, a batch of them in a call. A batch belongs to its worker. */

#include "net/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ECN_MASK 3
/* A burst of ICMP errors may stand before the datagrams in a socket. */
#define ERRORS_SKIPPED 16

#define CONTROL_SPACE                                                                                        \
    (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) +                           \
     CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

#define TAKE_BYTES     262144 /* by one call, by guess … */
#define TAKE_DATAGRAMS 512    /* … and no more than these */
#define TAKE_MIN       4
#define TAKE_FEW       6      /* where fewer came than were asked for, or where some are long: … */
#define TAKE_LONG      16384  /* … one that is touches much more memory than short ones do … */
#define SPREAD_MAX     262144 /* … which goes back once there is so much of it behind the first few slots */

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
    size_t spread; /* bytes of long ones behind the first few slots */
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
    b->take = TAKE_FEW;
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

/* Of one call. */
struct udp_taken {
    unsigned count; /* messages … */
    size_t bytes, longest, datagrams;
};

/* What comes next is likely like what came last, unless that was little. Where some are long, any may be. */
static void plan_next(struct udp_batch *b, const struct udp_taken *last)
{
    size_t fit = TAKE_BYTES / (last->bytes / last->count + 1);
    size_t few = TAKE_DATAGRAMS / (last->datagrams / last->count + 1);
    unsigned most = b->full && last->longest <= TAKE_LONG ? UDP_BATCH : TAKE_FEW;
    if (few < fit)
        fit = few;
    b->take = fit < TAKE_MIN ? TAKE_MIN : fit > most ? most : (unsigned)fit;
}

/* Long ones that came unexpected. By and by they would have stood in each slot, and all of it be resident. */
static void give_back(struct udp_batch *b)
{
    if (b->spread <= SPREAD_MAX)
        return;
    b->spread = 0;
    uintptr_t pages = ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    uintptr_t from = ((uintptr_t)b->slots[TAKE_FEW].iov.iov_base + ~pages) & pages;
    uintptr_t end = ((uintptr_t)b->buffers + (size_t)UDP_BATCH * SLOT_LEN) & pages;
    (void)madvise((void *)from, end - from, MADV_DONTNEED); /* may be refused: then it stays */
}

static void note_len(struct udp_batch *b, unsigned i, struct udp_taken *t)
{
    size_t len = b->msgs[i].msg_len;
    t->bytes += len;
    t->longest = len > t->longest ? len : t->longest;
    if (i >= TAKE_FEW && len > TAKE_LONG)
        b->spread += len;
}

int udp_receive(struct udp_socket *s, struct udp_batch *b, struct udp_message *out, uint64_t *overflow)
{
    int n;
    unsigned errors = 0;
    give_back(b);
    do
        n = recvmmsg(s->fd, b->msgs, b->take, MSG_DONTWAIT, NULL);
    while (n < 0 && (errno == EINTR || is_icmp_error(errno)) && ++errors < ERRORS_SKIPPED);
    b->full = n > 0 && (unsigned)n == b->take;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || is_icmp_error(errno) ? 0 : ERR_IO;
    int count = 0;
    struct udp_taken taken = {.count = n > 0 ? (unsigned)n : 0};
    for (unsigned i = 0; i < taken.count; i++) {
        note_len(b, i, &taken);
        if (read_message(s, b, i, &out[count], overflow)) {
            taken.datagrams += out[count].len / out[count].segment;
            count++;
        }
        batch_arm(b, i);
    }
    if (taken.count)
        plan_next(b, &taken);
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
