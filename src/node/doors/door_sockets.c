/* SPDX-License-Identifier: Apache-2.0 */
/* A socket of the mesh is bound to no address: it hears all that the node has there, now and later, and nothing that comes in
 * elsewhere (mesh_side.h). */
#include "node/doors/door_sockets.h"

#include "base/log.h"
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
    for (unsigned i = 0; i < d->target_count; i++)
        d->targets[i].port = to->port;
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
    return 0;
}

static int listen_at(int fd, const struct addr *at)
{
    int err = bind_at(fd, at);
    return err || listen(fd, PLACES_MAX) == 0 ? err : ERR_IO;
}

static int open_socket(unsigned family, int type)
{
    const int on = 1;
    int fd = socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && type == SOCK_STREAM)
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
    out->fd = open_socket(at->family, out->udp ? SOCK_DGRAM : SOCK_STREAM);
    if (out->fd >= 0 && (out->udp ? bind_at(out->fd, at) : listen_at(out->fd, at)) == 0)
        return 0;
    log_error("%s: %s: %s", flag, addr_format(at, text), why());
    return ERR_IO;
}

static int open_forward(const struct config_door *from, struct door *out)
{
    *out = (struct door){.kind = DOOR_FORWARD, .udp = from->udp};
    set_target(out, &from->to);
    return open_local("-forward", &from->at, out);
}

static void set_listen(const struct config_door *from, struct door *out)
{
    *out = (struct door){.kind = DOOR_LISTEN, .at = from->at, .fd = -1};
    set_target(out, &from->to);
}

/* ---- at the mesh ---- */

/* Both families by one, where this machine has both. */
static int open_listener(const struct mesh_side *mesh, uint16_t port, int *out)
{
    const int off = 0, on = 1;
    struct addr any = {.family = 6, .port = port};
    int err = mesh_side_socket(mesh, 6, SOCK_STREAM, out);
    if (err) {
        any.family = 4;
        err = mesh_side_socket(mesh, 4, SOCK_STREAM, out);
    }
    if (err)
        return err;
    (void)setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (any.family == 6)
        (void)setsockopt(*out, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return listen_at(*out, &any);
}

bool door_sockets_listen(struct door_sockets *s, const struct config *config, const struct mesh_side *mesh)
{
    for (unsigned i = 0; i < s->count; i++) {
        uint16_t port = config->listen[i].at.port;
        if (open_listener(mesh, port, &s->at[i].fd)) {
            log_error("-listen: port %u of the mesh: %s", port, why());
            return false;
        }
    }
    return true;
}

void door_sockets_close(struct door_sockets *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->at[i].fd >= 0)
            close(s->at[i].fd);
    s->count = 0;
}

/* ---- all ---- */

int door_sockets_open(const struct config *config, struct door *doors, struct door_sockets *kept)
{
    int count = 0, err = 0;
    kept->count = 0;
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
        kept->at[kept->count++] = (struct door_socket){.door = (unsigned)count, .fd = -1};
        set_listen(&config->listen[i], &doors[count++]);
    }
    return err ? err : count;
}
