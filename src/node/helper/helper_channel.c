/* SPDX-License-Identifier: Apache-2.0 */
/* One packet is one message: what does not come whole or is too long is none. */
#include "node/helper/helper_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

union rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static void set_file(struct msghdr *m, union rights *rights, int file)
{
    m->msg_control = rights->room;
    m->msg_controllen = CMSG_SPACE(sizeof(file));
    rights->header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(file)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&rights->header), &file, sizeof(file));
}

int helper_channel_send_file(int fd, const struct helper_message *m, int file)
{
    uint8_t bytes[HELPER_MESSAGE_MAX];
    union rights rights = {.room = {0}};
    struct iovec iov = {bytes, 0};
    struct msghdr packet = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;
    int err = helper_message_encode(m, bytes, &iov.iov_len);
    if (err)
        return err;
    if (file >= 0)
        set_file(&packet, &rights, file);
    do
        n = sendmsg(fd, &packet, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS ? ERR_AGAIN : ERR_CLOSED;
    return 0;
}

int helper_channel_send(int fd, const struct helper_message *m)
{
    return helper_channel_send_file(fd, m, -1);
}

/* What more came than the one that there is room for, the kernel has closed. */
static int file_of(const struct msghdr *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int file = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(file)))
        memcpy(&file, CMSG_DATA(c), sizeof(file));
    return file;
}

int helper_channel_receive_file(int fd, struct helper_packet *out, int *file)
{
    union rights rights;
    struct iovec iov = {out->bytes, sizeof(out->bytes)};
    struct msghdr packet = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof(rights.room)};
    ssize_t n;
    *file = -1;
    do
        n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    if (n == 0)
        return ERR_CLOSED;
    int came = file_of(&packet);
    int err = packet.msg_flags & MSG_TRUNC ? ERR_FORMAT
                                           : helper_message_decode(out->bytes, (size_t)n, &out->message);
    if (err && came >= 0)
        close(came);
    *file = err ? -1 : came;
    return err;
}

int helper_channel_receive(int fd, struct helper_packet *out)
{
    int file;
    int err = helper_channel_receive_file(fd, out, &file);
    if (file >= 0)
        close(file); /* of one that has none to send */
    return err;
}
