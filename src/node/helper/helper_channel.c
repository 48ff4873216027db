/* SPDX-License-Identifier: Apache-2.0 */
/* One packet is one message: what does not come whole or is too long is none. */
#include "node/helper/helper_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int helper_channel_open(int *node, int *helper)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR_IO;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        close(ends[0]);
        close(ends[1]);
        return ERR_IO;
    }
    *node = ends[0];
    *helper = ends[1];
    return 0;
}

int helper_channel_send(int fd, const struct helper_message *m)
{
    uint8_t bytes[HELPER_MESSAGE_MAX];
    size_t len;
    ssize_t n;
    int err = helper_message_encode(m, bytes, &len);
    if (err)
        return err;
    do
        n = send(fd, bytes, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS ? ERR_AGAIN : ERR_CLOSED;
    return 0;
}

int helper_channel_receive(int fd, struct helper_packet *out)
{
    ssize_t n;
    do
        n = recv(fd, out->bytes, sizeof(out->bytes), MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    if (n == 0)
        return ERR_CLOSED;
    return (size_t)n <= sizeof(out->bytes) ? helper_message_decode(out->bytes, (size_t)n, &out->message)
                                           : ERR_FORMAT;
}
