/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/uplink_channel.h"

#include "node/helper/helper_channel.h"
#include "proto/wire/wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(1 + HELPER_MESSAGE_MAX <= UPLINK_MESSAGE_MAX, "what is told fits a packet");

/* The kernel counts what waits against its sender. */
static void widen(int fd)
{
    int size = UPLINK_CHANNEL_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
        (void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int uplink_channel_open(int *node, int *helper)
{
    int err = helper_channel_open(node, helper);
    if (err)
        return err;
    if (fcntl(*helper, F_SETFL, O_NONBLOCK) != 0) {
        close(*node);
        close(*helper);
        return ERR_IO;
    }
    widen(*node);
    widen(*helper);
    return 0;
}

int uplink_channel_send(int fd, const struct iovec *pieces, unsigned count)
{
    const struct msghdr m = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? ERR_AGAIN : ERR_CLOSED;
    return 0;
}

int uplink_channel_tell(int fd, const struct helper_message *m)
{
    static const uint8_t mark = 0;
    uint8_t bytes[HELPER_MESSAGE_MAX];
    size_t len;
    int err = helper_message_encode(m, bytes, &len);
    const struct iovec pieces[] = {{(void *)&mark, 1}, {bytes, len}};
    return err ? err : uplink_channel_send(fd, pieces, 2);
}

ssize_t uplink_channel_receive(int fd, uint8_t out[UPLINK_MESSAGE_MAX])
{
    ssize_t n;
    do
        n = recv(fd, out, UPLINK_MESSAGE_MAX, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    return n <= UPLINK_MESSAGE_MAX ? n : ERR_FORMAT;
}

unsigned uplink_channel_worker(const uint8_t *datagrams, size_t len, unsigned workers)
{
    struct wire_header head;
    if (wire_header_decode(datagrams, len, &head) != DROP_NONE || head.type != WIRE_DATA)
        return 0;
    return wire_worker(head.lane, head.receiver, workers);
}

int uplink_channel_read(const uint8_t *packet, size_t len, struct helper_message *out)
{
    return helper_message_decode(packet + 1, len - 1, out);
}
