/* SPDX-License-Identifier: Apache-2.0 */
/* Options, for whoever opens a TCP socket. */

#include "net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define SEGMENT_MAX 1180 /* bytes of payload: 1280 - 40 (IPv6) - 20 (TCP) - 40 (options) */

void tcp_limit_segments(int fd)
{
    int size = SEGMENT_MAX;
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &size, sizeof(size));
}

int tcp_leave_by(int fd, uint32_t interface)
{
    const int index = (int)interface;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) < 0 ? ERR_IO : 0;
}
