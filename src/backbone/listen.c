/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the backbone, dual-stack where the machine has IPv6. */

#include "backbone/listen.h"

#include "base/log.h"
#include "net/tcp.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG     1024
#define PORT_TRIES  16 /* for a port that the kernel chose for TCP and that is taken for UDP */
#define UDP_RECEIVE (1 << 20)

static int set_options(int fd, const struct addr *at, int type)
{
    int on = 1, off = 0, size = UDP_RECEIVE;
    if (at->family == 6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, addr_is_unspecified(at) ? &off : &on, sizeof(on)))
        return ERR_IO;
    if (type == SOCK_STREAM) {
        tcp_limit_segments(fd);
        return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ? ERR_IO : 0;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* a wish; the default serves too */
    /* A machine of several addresses must answer from the one that was asked. */
    if (at->family == 6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ? ERR_IO : 0;
    return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ? ERR_IO : 0;
}

static int bind_one(const struct addr *at, int type, int *out)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, false, &sa);
    int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_from_errno(errno);
    int err = set_options(fd, at, type);
    if (!err && bind(fd, (struct sockaddr *)&sa, len) != 0)
        err = err_from_errno(errno);
    if (!err && type == SOCK_STREAM && listen(fd, BACKLOG) != 0)
        err = err_from_errno(errno);
    if (err) {
        int cause = errno;
        close(fd);
        errno = cause;
        return err;
    }
    *out = fd;
    return 0;
}

static int bound_port(int fd, struct addr *at)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr bound;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return ERR_IO;
    int err = addr_from_sockaddr((struct sockaddr *)&sa, &bound);
    at->port = bound.port;
    return err;
}

static int open_pair(const struct addr *at, struct listen_sockets *out)
{
    *out = (struct listen_sockets){.tcp = -1, .udp = -1, .bound = *at};
    int err = bind_one(at, SOCK_STREAM, &out->tcp);
    if (!err)
        err = bound_port(out->tcp, &out->bound);
    if (!err)
        err = bind_one(&out->bound, SOCK_DGRAM, &out->udp);
    if (err) {
        int cause = errno;
        listen_close(out);
        errno = cause;
    }
    return err;
}

static void explain(const struct addr *at, const char *flag, int err)
{
    char text[ADDR_TEXT_MAX];
    addr_format(at, text);
    if (err == ERR_BUSY)
        log_error("cannot listen on %s: another program uses this port (TCP or UDP); choose another with %s",
                  text, flag);
    else if (err == ERR_PERMISSION)
        log_error("cannot listen on %s: not permitted; choose a port above 1023 with %s", text, flag);
    else
        log_error("cannot listen on %s: %s", text, strerror(errno));
}

int listen_open(const struct addr *at, struct listen_sockets *out)
{
    struct addr wanted = *at;
    if (at->family == 0)
        wanted.family = 6;
    int err = open_pair(&wanted, out);
    if (err == ERR_UNSUPPORTED && at->family == 0) {
        wanted.family = 4;
        err = open_pair(&wanted, out);
    }
    for (int i = 1; err == ERR_BUSY && wanted.port == 0 && i < PORT_TRIES; i++)
        err = open_pair(&wanted, out);
    if (err)
        explain(&out->bound, "-listen", err);
    return err;
}

int listen_open_relay(struct listen_sockets *s, uint16_t port)
{
    struct addr at = s->bound;
    bool beside = port == 0 || port == at.port;
    at.port = beside ? at.port : port;
    int err = udp_open_at(&at, beside ? s->udp : -1, &s->relay);
    s->relays = !err;
    if (err)
        explain(&at, "-relay-port", err == ERR_IO ? err_from_errno(errno) : err);
    return err;
}

void listen_close(struct listen_sockets *s)
{
    if (s->tcp >= 0)
        close(s->tcp);
    if (s->udp >= 0)
        close(s->udp);
    if (s->relays)
        udp_close(&s->relay, 1);
    s->tcp = s->udp = -1;
    s->relays = false;
}
