/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel events by netlink (netlink(7), NETLINK_KOBJECT_UEVENT). Control thread. */

#include "net/uevent.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KERNEL_GROUP 1
#define MESSAGE_MAX  8192
#define READS        64 /* per call, so that a storm of events cannot hold the thread */

/* Lets "change@…" through: what comes with each device that appears or goes wakes nobody. */
static int attach_filter(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6368616e, 0, 3), /* "chan" */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x6e676540, 0, 1), /* "nge@" */
        BPF_STMT(BPF_RET | BPF_K, MESSAGE_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int uevent_open(int *fd)
{
    const struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    if (s < 0)
        return ERR_IO;
    if (attach_filter(s) != 0 || bind(s, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
        int saved = errno;
        close(s);
        errno = saved;
        return ERR_IO;
    }
    *fd = s;
    return 0;
}

bool uevent_is_new_machine(const uint8_t *message, size_t len)
{
    static const char wanted[] = "NEW_VMGENID=1";
    while (len > 0) {
        const uint8_t *end = memchr(message, '\0', len);
        if (!end)
            return false;
        size_t text = (size_t)(end - message) + 1;
        if (text == sizeof(wanted) && memcmp(message, wanted, text) == 0)
            return true;
        message += text;
        len -= text;
    }
    return false;
}

/* What another process sent has its number; the kernel has none. */
static bool is_kernels(const struct sockaddr_nl *from, socklen_t len)
{
    return len >= sizeof(*from) && from->nl_family == AF_NETLINK && from->nl_pid == 0;
}

bool uevent_drain(int fd)
{
    uint8_t message[MESSAGE_MAX];
    bool is_new = false;
    for (int i = 0; i < READS; i++) {
        struct sockaddr_nl from = {0};
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0 && (errno == EINTR || errno == ENOBUFS))
            continue;
        if (n < 0)
            break;
        is_new |= is_kernels(&from, from_len) && uevent_is_new_machine(message, (size_t)n);
    }
    return is_new;
}
