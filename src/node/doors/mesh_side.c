/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/mesh_side.h"

#include "net/tcp.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int mesh_side_socket(const struct mesh_side *m, unsigned family, int type, int *out)
{
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
