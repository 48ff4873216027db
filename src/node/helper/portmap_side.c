/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel lets through our sockets what the router's port says, and nothing else: both are connected to it. */
#include "node/helper/portmap_side.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUND_DATAGRAMS 16                  /* before others have their turn */
#define UPNP_PAUSE_US   (10 * USEC_PER_SEC) /* between two questions that an announcement asks for */

#define UPNP_REST_US                                                                                         \
    (300 * USEC_PER_SEC) /* between two searches: rounds of the other protocols may be forced */

enum { FD_ASKED, FD_HEARD, FD_UPNP };

/* ---- sockets ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool bind_to(int fd, const struct addr *a, uint16_t port)
{
    struct sockaddr_storage sa;
    struct addr at = *a;
    at.port = port;
    socklen_t len = addr_to_sockaddr(&at, false, &sa);
    return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

static bool connect_to(int fd, const struct addr *gateway)
{
    struct sockaddr_storage sa;
    struct addr router = *gateway;
    router.port = PCP_PORT;
    socklen_t len = addr_to_sockaddr(&router, false, &sa);
    return connect(fd, (struct sockaddr *)&sa, len) == 0;
}

static int open_socket(uint8_t family)
{
    return socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void open_asked(struct portmap_side *s)
{
    s->fd = open_socket(s->gateway.family);
    if (s->fd >= 0 && (!bind_to(s->fd, &s->config.client, 0) || !connect_to(s->fd, &s->gateway)))
        close_fd(&s->fd);
}

/* All hosts' address, by which a router says that it has restarted (RFC 6887 §14.1.1). Without it that is known later. */
static void open_heard(struct portmap_side *s)
{
    const struct addr everybody4 = {.family = 4, .ip = {224, 0, 0, 1}};
    const struct addr everybody6 = {.family = 6, .ip = {0xff, 0x02, [15] = 1}, .scope = s->gateway.scope};
    const int on = 1;
    if (s->gateway.family == 6 && !s->gateway.scope)
        return;
    s->heard_fd = open_socket(s->gateway.family);
    if (s->heard_fd >= 0 &&
        (setsockopt(s->heard_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
         !bind_to(s->heard_fd, s->gateway.family == 4 ? &everybody4 : &everybody6, PCP_ANNOUNCE_PORT) ||
         !connect_to(s->heard_fd, &s->gateway)))
        close_fd(&s->heard_fd);
}

/* ---- UPnP ---- */

static void start_upnp(struct portmap_side *s, bool release, uint64_t now_us)
{
    struct upnp_request q = {.client = s->config.client, .gateway = s->gateway, .release = release};
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        bool held = s->upnp.held && s->upnp.external[i].family;
        q.ports[i] = s->config.ports[i];
        q.wished[i] = held ? s->upnp.external[i].port : release ? 0 : s->config.ports[i];
    }
    snprintf(q.where, sizeof(q.where), "%s", s->upnp.where);
    s->upnp.asked_us = now_us;
    s->upnp.again_us = TIME_NEVER;
    if (upnp_job_start(&s->upnp.job, &q) != 0) {
        snprintf(s->why, sizeof(s->why), "cannot be asked by UPnP: %s", strerror(errno));
        s->upnp.again_us = s->upnp.held ? now_us + MAPPER_PAUSE_US : TIME_NEVER;
    }
}

/* One that knew where and got nothing looks anew, from PCP on. */
static void take_nothing(struct portmap_side *s, const char *why, uint64_t now_us)
{
    bool knew = s->upnp.where[0] != '\0';
    s->upnp.held = false;
    s->upnp.where[0] = '\0';
    s->upnp.again_us = TIME_NEVER;
    snprintf(s->why, sizeof(s->why), "%.100s, and %.100s", s->mapper.why ? s->mapper.why : "does not answer",
             why);
    if (knew) {
        mapper_restart(&s->mapper, now_us);
        s->upnp.asked_us = 0;
    }
}

static void take_upnp(struct portmap_side *s, const struct helper_message *m, uint64_t now_us)
{
    unsigned outer = m->address_count ? m->address_count - 1 : 0; /* behind the router's own */
    if (outer == 0 || outer > MAPPER_PORTS || m->data.len >= sizeof(s->upnp.where)) {
        take_nothing(s, m->text, now_us);
        return;
    }
    memset(s->upnp.external, 0, sizeof(s->upnp.external));
    memcpy(s->upnp.external, m->addresses + 1, outer * sizeof(m->addresses[0]));
    memcpy(s->upnp.where, m->data.data, m->data.len);
    s->upnp.where[m->data.len] = '\0';
    s->upnp.held = true;
    s->upnp.again_us = now_us + MAPPER_AGAIN_US;
}

static void end_upnp(struct portmap_side *s, uint64_t now_us)
{
    start_upnp(s, true, now_us);
    s->upnp.held = false;
}

static void finish_upnp(struct portmap_side *s, uint64_t now_us)
{
    static struct helper_packet packet;
    take_upnp(s, upnp_job_finish(&s->upnp.job, &packet), now_us);
    if (s->releasing && s->upnp.held)
        end_upnp(s, now_us);
}

/* Another router's turn: what this one gave is given back, also by a job that is still asking it. */
static void leave_upnp(struct portmap_side *s, uint64_t now_us)
{
    if (s->upnp.job.fd >= 0) {
        upnp_job_hear_no_more(&s->upnp.job);
        finish_upnp(s, now_us);
    }
    if (s->upnp.held)
        end_upnp(s, now_us);
    close_fd(&s->upnp.job.fd); /* its answer is nobody's */
}

static void hurry_upnp(struct portmap_side *s, uint64_t now_us)
{
    uint64_t at_us = s->upnp.asked_us + UPNP_PAUSE_US;
    at_us = at_us > now_us ? at_us : now_us;
    if (s->upnp.held && at_us < s->upnp.again_us)
        s->upnp.again_us = at_us;
}

/* ---- from router to router ---- */

void portmap_side_init(struct portmap_side *s, const struct mapper_config *config)
{
    *s = (struct portmap_side){.config = *config, .fd = -1, .heard_fd = -1, .upnp = {.job = UPNP_JOB_NONE}};
    s->config.client = (struct addr){0};
}

static void leave(struct portmap_side *s, uint64_t now_us)
{
    close_fd(&s->fd);
    close_fd(&s->heard_fd);
    leave_upnp(s, now_us);
    portmap_side_init(s, &s->config);
}

void portmap_side_ask(struct portmap_side *s, const struct addr *client, const struct addr *gateway,
                      uint64_t now_us)
{
    if (client->family && addr_same_host(client, &s->config.client) && addr_equal(gateway, &s->gateway)) {
        mapper_restart(&s->mapper, now_us);
        hurry_upnp(s, now_us);
        if (!s->upnp.held)
            s->upnp.asked_us = 0;
        return;
    }
    leave(s, now_us);
    if (!client->family)
        return;
    s->config.client = *client;
    s->gateway = *gateway;
    open_asked(s);
    open_heard(s);
    mapper_init(&s->mapper, &s->config, now_us);
}

void portmap_side_release(struct portmap_side *s, uint64_t now_us)
{
    s->releasing = true;
    if (!s->config.client.family)
        return;
    mapper_release(&s->mapper, now_us);
    if (s->upnp.held && s->upnp.job.fd < 0)
        end_upnp(s, now_us); /* after one that is asking */
}

bool portmap_side_released(const struct portmap_side *s)
{
    return !s->config.client.family || (mapper_released(&s->mapper) && s->upnp.job.fd < 0);
}

/* ---- turns ---- */

void portmap_side_wants(const struct portmap_side *s, struct pollfd fds[PORTMAP_SIDE_FDS])
{
    fds[FD_ASKED] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    fds[FD_HEARD] = (struct pollfd){.fd = s->heard_fd, .events = POLLIN};
    fds[FD_UPNP] = (struct pollfd){.fd = s->upnp.job.fd, .events = POLLIN};
}

/* While UPnP holds or asks, the others wait. */
static bool upnp_has_turn(const struct portmap_side *s)
{
    return !s->releasing && (s->upnp.held || s->upnp.job.fd >= 0);
}

uint64_t portmap_side_next_us(const struct portmap_side *s)
{
    if (!s->config.client.family)
        return TIME_NEVER;
    return upnp_has_turn(s) ? s->upnp.again_us : mapper_next_us(&s->mapper);
}

static void take_datagram(struct portmap_side *s, int fd, const uint8_t *data, size_t len, uint64_t now_us)
{
    if (fd == s->fd)
        (void)!mapper_input(&s->mapper, data, len, now_us); /* it counts what is malformed */
    else if (mapper_heard(&s->mapper, data, len, now_us) == 0)
        hurry_upnp(s, now_us);
}

static void hear(struct portmap_side *s, int fd, uint64_t now_us)
{
    uint8_t datagram[PCP_MESSAGE_MAX + 1];
    for (unsigned i = 0; i < ROUND_DATAGRAMS; i++) {
        ssize_t n = recv(fd, datagram, sizeof(datagram), 0);
        if (n < 0 && errno == ECONNREFUSED)
            mapper_refused(&s->mapper, now_us);
        else if (n < 0 && errno != EINTR)
            return;
        else if (n >= 0)
            take_datagram(s, fd, datagram, (size_t)n, now_us);
    }
}

/* What the kernel does not send is as lost: it is asked again. */
static void ask_due(struct portmap_side *s, uint64_t now_us)
{
    uint8_t datagram[PCP_MAP_LEN];
    size_t len;
    while ((len = mapper_poll(&s->mapper, now_us, datagram)) > 0)
        if (send(s->fd, datagram, len, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
            mapper_refused(&s->mapper, now_us);
}

static void take_failure(struct portmap_side *s, uint64_t now_us)
{
    if (s->failures == s->mapper.failures || s->releasing)
        return;
    s->failures = s->mapper.failures;
    if (s->upnp.asked_us && now_us - s->upnp.asked_us < UPNP_REST_US)
        return;
    snprintf(s->why, sizeof(s->why), "%s", s->mapper.why);
    if (s->gateway.family == 4)
        start_upnp(s, false, now_us);
}

void portmap_side_turn(struct portmap_side *s, const struct pollfd fds[PORTMAP_SIDE_FDS], uint64_t now_us)
{
    if (!s->config.client.family)
        return;
    if (fds[FD_ASKED].revents && s->fd >= 0)
        hear(s, s->fd, now_us);
    if (fds[FD_HEARD].revents && s->heard_fd >= 0)
        hear(s, s->heard_fd, now_us);
    if (fds[FD_UPNP].revents && s->upnp.job.fd >= 0)
        finish_upnp(s, now_us);
    if (!upnp_has_turn(s)) {
        ask_due(s, now_us);
        take_failure(s, now_us);
    } else if (s->upnp.job.fd < 0 && now_us >= s->upnp.again_us) {
        start_upnp(s, false, now_us);
    }
}

static const struct addr *outer_address(const struct portmap_side *s, unsigned port)
{
    if (mapper_holds(&s->mapper))
        return &s->mapper.held[port].external;
    return s->upnp.held ? &s->upnp.external[port] : NULL;
}

bool portmap_side_describe(const struct portmap_side *s, struct helper_message *out)
{
    bool by_mapper = mapper_holds(&s->mapper), holds = by_mapper || s->upnp.held;
    *out = (struct helper_message){.kind = HELPER_PORTMAP, .address_count = 1, .addresses = {s->gateway}};
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        const struct addr *outer = outer_address(s, i);
        if (outer && outer->family)
            out->addresses[out->address_count++] = *outer;
    }
    if (holds)
        out->number = by_mapper ? s->mapper.held[MAPPER_UDP].lifetime_s : MAPPER_LIFETIME_S;
    const char *text = by_mapper ? mapper_protocol_name(s->mapper.protocol) : s->upnp.held ? "UPnP" : s->why;
    helper_message_set_text(out, text);
    bool asks = s->mapper.step != MAPPER_REST || s->upnp.job.fd >= 0;
    return s->config.client.family && !s->releasing && !asks && (holds || s->why[0]);
}
