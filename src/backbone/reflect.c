/* SPDX-License-Identifier: Apache-2.0 */
/* The reflection thread: receives a batch, answers a batch, from the address that was asked. Nothing is
 * remembered but the rates of sources, and an answer is at most twice its request, so it is worth nothing to
 * an attacker who forges sources. */

#include "backbone/reflect.h"

#include "crypto/secret.h"
#include "proto/admission/limits.h"
#include "base/clock.h"
#include "proto/message/stun.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       32
#define REQUEST_MAX STUN_REQUEST_MAX /* filled ones show what size reaches us */
#define CONTROL_MAX 64               /* of in6_pktinfo or in_pktinfo */
#define SOURCES     16384
#define INTERVAL_US 20000 /* one answer regained: 50 a second */
#define BURST       100

struct slot {
    struct sockaddr_storage from;
    uint8_t request[REQUEST_MAX];
    uint8_t response[STUN_MESSAGE_MAX];
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_MAX];
    struct iovec in, out;
};

struct reflect {
    int udp, stop;
    struct metrics *metrics;
    struct limits *limits;
    pthread_t thread;
    struct slot slots[BATCH];
    struct mmsghdr requests[BATCH], responses[BATCH];
};

static void prepare(struct reflect *r)
{
    for (int i = 0; i < BATCH; i++) {
        struct slot *s = &r->slots[i];
        s->in = (struct iovec){s->request, sizeof(s->request)};
        r->requests[i].msg_hdr = (struct msghdr){.msg_name = &s->from,
                                                 .msg_namelen = sizeof(s->from),
                                                 .msg_iov = &s->in,
                                                 .msg_iovlen = 1,
                                                 .msg_control = s->control,
                                                 .msg_controllen = sizeof(s->control)};
    }
}

/* The packet info of a request, turned into that of its answer: same local address, but the way out is the
 * routing table's to choose, except for link-local addresses, which mean nothing without their interface. */
static void keep_source_address(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
                info->ipi6_ifindex = 0;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            ((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
        }
    }
}

/* Writes the answer to one request; returns what became of it. */
static enum metrics_stun answer(struct reflect *r, struct slot *s, const struct mmsghdr *request,
                                uint64_t now_us)
{
    uint8_t transaction[STUN_TRANSACTION_LEN];
    struct addr from;
    if ((request->msg_hdr.msg_flags & MSG_TRUNC) ||
        addr_from_sockaddr((const struct sockaddr *)&s->from, &from) != 0 || from.port == 0 ||
        stun_request_decode(s->request, request->msg_len, transaction) != 0)
        return METRICS_STUN_MALFORMED;
    if (limits_take(r->limits, &from, 1, now_us) != 0)
        return METRICS_STUN_LIMITED;
    s->out = (struct iovec){s->response, stun_response_encode(transaction, &from, s->response)};
    return METRICS_STUN_ANSWERED;
}

static unsigned answer_batch(struct reflect *r, unsigned received)
{
    uint64_t now_us = clock_monotonic_us();
    unsigned count = 0;
    for (unsigned i = 0; i < received; i++) {
        struct slot *s = &r->slots[i];
        enum metrics_stun outcome = answer(r, s, &r->requests[i], now_us);
        if (outcome != METRICS_STUN_ANSWERED) {
            metrics_add(&r->metrics->stun[outcome]);
            continue;
        }
        struct msghdr *h = &r->responses[count++].msg_hdr;
        *h = r->requests[i].msg_hdr;
        h->msg_iov = &s->out;
        h->msg_flags = 0;
        keep_source_address(h);
    }
    return count;
}

static void send_batch(struct reflect *r, unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        int sent = sendmmsg(r->udp, r->responses + at, count - at, 0);
        for (int i = 0; i < sent; i++)
            metrics_add(&r->metrics->stun[METRICS_STUN_ANSWERED]);
        if (sent > 0) {
            at += (unsigned)sent;
        } else if (errno != EINTR) {
            /* The first one cannot be sent (no route, no buffer): the others may. */
            metrics_add(&r->metrics->stun[METRICS_STUN_UNSENT]);
            at++;
        }
    }
}

static void *run(void *context)
{
    struct reflect *r = context;
    struct pollfd fds[] = {{.fd = r->udp, .events = POLLIN}, {.fd = r->stop, .events = POLLIN}};
    for (;;) {
        prepare(r);
        int received = recvmmsg(r->udp, r->requests, BATCH, MSG_DONTWAIT, NULL);
        if (received > 0)
            send_batch(r, answer_batch(r, (unsigned)received));
        else
            poll(fds, 2, -1);
        if (received <= 0 && (fds[1].revents & POLLIN))
            return NULL;
    }
}

int reflect_start(int udp, struct metrics *metrics, struct reflect **out)
{
    struct reflect *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->udp = udp;
    r->metrics = metrics;
    r->stop = eventfd(0, EFD_CLOEXEC);
    int err = r->stop < 0 ? ERR_IO : limits_new(SOURCES, INTERVAL_US, BURST, &secret_source, &r->limits);
    if (!err && pthread_create(&r->thread, NULL, run, r) != 0)
        err = ERR_NOMEM;
    if (!err) {
        *out = r;
        return 0;
    }
    if (r->stop >= 0)
        close(r->stop);
    limits_free(r->limits);
    free(r);
    return err;
}

void reflect_stop(struct reflect *r)
{
    if (!r)
        return;
    eventfd_write(r->stop, 1);
    pthread_join(r->thread, NULL);
    close(r->stop);
    limits_free(r->limits);
    free(r);
}
