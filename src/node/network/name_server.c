/* SPDX-License-Identifier: Apache-2.0 */
/* A socket for each address, which hears that address alone: a host speaks to itself from the address that it speaks to. One of
 * another host that claims to be ours is dropped by the kernel, or gets its answer sent to us. */
#include "node/network/name_server.h"

#include "net/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_MAX 16 /* in one turn of the loop */

struct server_socket {
    struct name_server *owner;
    struct addr at; /* family 0: there is none */
    int fd;
    uv_poll_t poll;
};

struct name_server {
    uv_loop_t *loop;
    struct dns_zone zone;
    int broker; /* -1: our addresses are here */
    struct server_socket *sockets[DNS_ADDRESSES_MAX];
};

int name_server_new(uv_loop_t *loop, const struct dns_zone *zone, int broker, struct name_server **out)
{
    struct name_server *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->loop = loop;
    s->zone = *zone;
    s->broker = broker;
    *out = s;
    return 0;
}

/* ---- answering ---- */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct server_socket *k = poll->data;
    uint8_t query[DNS_ANSWER_MAX], answer[DNS_ANSWER_MAX];
    struct sockaddr_storage from;
    struct addr asker;
    (void)status, (void)events;
    for (unsigned i = 0; i < READS_MAX; i++) {
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(k->fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return;
        if (addr_from_sockaddr((struct sockaddr *)&from, &asker) || !addr_same_host(&asker, &k->at))
            continue;
        size_t len = dns_answer(&k->owner->zone, query, (size_t)n, answer);
        if (len) /* who loses it asks again */
            (void)!sendto(k->fd, answer, len, MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
    }
}

/* ---- sockets ---- */

static int make_socket(int broker, const struct addr *at, int domain)
{
    int fd;
    if (broker < 0)
        return socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return broker_socket(broker, at->family, SOCK_DGRAM, &fd) ? -1 : fd; /* it is read with MSG_DONTWAIT */
}

/* An IPv6 address may still be looked for on its network. */
static int open_socket(int broker, const struct addr *at)
{
    const int on = 1;
    struct sockaddr_storage where;
    struct addr with_port = *at;
    with_port.port = NAME_SERVER_PORT;
    socklen_t len = addr_to_sockaddr(&with_port, false, &where);
    int fd = make_socket(broker, at, where.ss_family);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&where, len) == 0)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

static int error_of_bind(void)
{
    return errno == EADDRINUSE ? ERR_BUSY : errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO;
}

static int open_at(struct name_server *s, const struct addr *at, struct server_socket **out)
{
    struct server_socket *k = calloc(1, sizeof(*k));
    if (!k)
        return ERR_NOMEM;
    k->owner = s;
    k->at = *at;
    k->fd = open_socket(s->broker, at);
    int err = k->fd < 0 ? error_of_bind() : uv_poll_init(s->loop, &k->poll, k->fd) ? ERR_IO : 0;
    if (err) {
        if (k->fd >= 0)
            close(k->fd);
        free(k);
        return err;
    }
    k->poll.data = k;
    uv_poll_start(&k->poll, UV_READABLE, on_readable);
    *out = k;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_socket(struct server_socket **k)
{
    uv_poll_stop(&(*k)->poll);
    close((*k)->fd);
    uv_close((uv_handle_t *)&(*k)->poll, on_closed);
    *k = NULL;
}

static bool is_listed(const struct addr *list, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_same_host(&list[i], a))
            return true;
    return false;
}

static struct server_socket **find(struct name_server *s, const struct addr *a)
{
    struct server_socket **free_one = NULL;
    for (unsigned i = 0; i < DNS_ADDRESSES_MAX; i++) {
        if (!s->sockets[i])
            free_one = &s->sockets[i];
        else if (addr_same_host(&s->sockets[i]->at, a))
            return &s->sockets[i];
    }
    return free_one;
}

int name_server_serve(struct name_server *s, const struct addr *list, unsigned count)
{
    int first = 0;
    for (unsigned i = 0; i < DNS_ADDRESSES_MAX; i++)
        if (s->sockets[i] && !is_listed(list, count, &s->sockets[i]->at))
            close_socket(&s->sockets[i]);
    for (unsigned i = 0; i < count && i < DNS_ADDRESSES_MAX; i++) {
        struct server_socket **k = find(s, &list[i]);
        int err = *k ? 0 : open_at(s, &list[i], k);
        first = first ? first : err;
    }
    return first;
}

void name_server_close(struct name_server *s)
{
    for (unsigned i = 0; s && i < DNS_ADDRESSES_MAX; i++)
        if (s->sockets[i])
            close_socket(&s->sockets[i]);
    free(s);
}
