/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/mesh_side.h"

#include "net/broker.h"
#include "net/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int make_inside(int broker, unsigned family, int type, int *out)
{
    errno = EPIPE; /* where no other is set */
    if (broker_socket(broker, family, type, out))
        return ERR_IO;
    (void)fcntl(*out, F_SETFL, O_NONBLOCK);
    return 0;
}

int mesh_side_socket(const struct mesh_side *m, unsigned family, int type, int *out)
{
    errno = ENETDOWN;
    if (m->broker < 0 && !m->interface)
        return ERR_IO; /* unbound it would go anywhere */
    if (m->broker >= 0)
        return make_inside(m->broker, family, type, out);
    int fd = socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (tcp_leave_by(fd, m->interface)) {
        int kept = errno;
        close(fd);
        errno = kept;
        return ERR_IO;
    }
    *out = fd;
    return 0;
}

bool mesh_side_has(const struct mesh_side *m, const struct addr *a)
{
    for (unsigned i = 0; i < m->prefix_count; i++)
        if (addr_in_prefix(a, &m->prefixes[i]))
            return true;
    return false;
}

size_t mesh_side_encode(const struct mesh_side *m, uint8_t out[MESH_SIDE_LEN_MAX])
{
    struct writer w = writer_init(out, MESH_SIDE_LEN_MAX);
    for (unsigned i = 0; i < m->prefix_count; i++) {
        const struct addr_prefix *p = &m->prefixes[i];
        writer_u8(&w, p->addr.family);
        writer_u8(&w, p->bits);
        writer_put(&w, p->addr.ip, p->addr.family == 4 ? 4 : 16);
    }
    return writer_len(&w);
}

static void take_prefix(struct reader *r, struct addr_prefix *out)
{
    *out = (struct addr_prefix){.addr = {.family = reader_u8(r)}, .bits = reader_u8(r)};
    r->bad |= out->addr.family != 4 && out->addr.family != 6;
    r->bad |= out->bits > (out->addr.family == 4 ? 32 : 128);
    reader_copy(r, out->addr.ip, out->addr.family == 4 ? 4 : 16);
}

int mesh_side_decode(struct slice bytes, struct mesh_side *out)
{
    struct reader r = reader_init(bytes.data, bytes.len);
    struct mesh_side m = {.broker = out->broker, .interface = out->interface};
    while (reader_left(&r) && m.prefix_count < MESH_SIDE_PREFIXES_MAX)
        take_prefix(&r, &m.prefixes[m.prefix_count++]);
    if (r.bad || reader_left(&r))
        return ERR_FORMAT;
    *out = m;
    return 0;
}
