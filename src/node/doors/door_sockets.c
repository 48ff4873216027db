/* SPDX-License-Identifier: Apache-2.0 */
/* A socket of the mesh is bound to the device and to no address: it hears all that the node has there, now and later, and nothing
 * that comes in elsewhere. */
#include "node/doors/door_sockets.h"

#include "base/log.h"
#include "net/tcp.h"
#include "node/doors/places.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TRIES 20 /* a node that was killed: its helpers end within a second */
#define BUSY_NS    100000000

/* A name is looked up for each connection. */
static void set_target(struct door *d, const struct config_host *to)
{
    static const struct addr local[] = {{.family = 4, .ip = {127, 0, 0, 1}}, {.family = 6, .ip = {[15] = 1}}};
    d->port = to->port;
    if (strcmp(to->name, CONFIG_LOCALHOST) == 0) {
        memcpy(d->targets, local, sizeof(local));
        d->target_count = DOOR_TARGETS_MAX;
    } else if (addr_parse(to->name, 0, &d->targets[0]) == 0) {
        d->target_count = 1;
    } else {
        strcpy(d->name, to->name);
    }
}

/* ---- on this machine ---- */

static int bind_at(int fd, const struct addr *at)
{
    const struct timespec pause = {0, BUSY_NS};
    struct sockaddr_storage where;
    socklen_t len = addr_to_sockaddr(at, false, &where);
    for (unsigned tries = 0; bind(fd, (struct sockaddr *)&where, len) != 0; tries++) {
        if (errno != EADDRINUSE || tries == BUSY_TRIES)
            return ERR_IO;
        nanosleep(&pause, NULL);
    }
    return listen(fd, PLACES_MAX) == 0 ? 0 : ERR_IO;
}

static int open_socket(unsigned family)
{
    const int on = 1;
    int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return fd;
}

static const char *why(void)
{
    return errno == EADDRINUSE ? "in use by another program"
           : errno == EACCES   ? "a port below 1024 wants CAP_NET_BIND_SERVICE"
                               : strerror(errno);
}

static int open_local(const char *flag, const struct addr *at, struct door *out)
{
    char text[ADDR_TEXT_MAX];
    out->at = *at;
    out->fd = open_socket(at->family);
    if (out->fd >= 0 && bind_at(out->fd, at) == 0)
        return 0;
    log_error("%s: %s: %s", flag, addr_format(at, text), why());
    return ERR_IO;
}

static int open_forward(const struct config_door *from, struct door *out)
{
    *out = (struct door){.kind = DOOR_FORWARD};
    set_target(out, &from->to);
    return open_local("-forward", &from->at, out);
}

/* ---- at the mesh ---- */

/* Both families by one, where this machine has both. */
static int open_listen(const struct config_door *from, struct door *out, int *kept)
{
    int fd = open_socket(6);
    if (fd < 0)
        fd = open_socket(4);
    *out = (struct door){.kind = DOOR_LISTEN, .at = from->at, .fd = fd};
    set_target(out, &from->to);
    *kept = fd < 0 ? -1 : dup(fd);
    if (*kept >= 0)
        return 0;
    log_error("-listen: port %u of the mesh: %s", from->at.port, why());
    return ERR_IO;
}

static int bind_mesh(int fd, uint16_t port, uint32_t interface)
{
    const int off = 0;
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    struct addr any = {.port = port};
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return ERR_IO;
    any.family = own.ss_family == AF_INET6 ? 6 : 4;
    if (any.family == 6 && setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
        return ERR_IO;
    return tcp_leave_by(fd, interface) == 0 ? bind_at(fd, &any) : ERR_IO;
}

bool door_sockets_bind(struct door_sockets *kept, const struct config *config, uint32_t interface)
{
    bool ok = true;
    for (unsigned i = 0; i < kept->count; i++) {
        uint16_t port = config->listen[i].at.port;
        if (ok && bind_mesh(kept->fds[i], port, interface)) {
            log_error("-listen: port %u of the mesh: %s", port, why());
            ok = false;
        }
        close(kept->fds[i]);
    }
    kept->count = 0;
    return ok;
}

/* ---- all ---- */

int door_sockets_open(const struct config *config, struct door *doors, struct door_sockets *kept)
{
    int count = 0, err = 0;
    *kept = DOOR_SOCKETS_NONE;
    for (unsigned i = 0; !err && i < config->forward_count; i++)
        err = open_forward(&config->forward[i], &doors[count++]);
    if (!err && config->socks.family) {
        doors[count] = (struct door){.kind = DOOR_SOCKS};
        err = open_local("-socks", &config->socks, &doors[count++]);
    }
    if (!err && config->http_proxy.family) {
        doors[count] = (struct door){.kind = DOOR_HTTP};
        err = open_local("-http-proxy", &config->http_proxy, &doors[count++]);
    }
    for (unsigned i = 0; !err && i < config->listen_count; i++) {
        err = open_listen(&config->listen[i], &doors[count++], &kept->fds[i]);
        kept->count += !err;
    }
    return err ? err : count;
}
