/* SPDX-License-Identifier: Apache-2.0 */
/* TAP devices: creating, attaching, the offloads the kernel takes, and one frame in or out. Opening and
 * closing belong to the control thread, each queue to its worker. The virtio header on every frame is the
 * 10-byte struct virtio_net_hdr in host byte order. */

#include "net/tap.h"

#include "frame/offload.h"
#include "net/tap_impl.h"
#include "net/tap_owner.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Newer than some distributions' headers. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TUN_DEVICE "/dev/net/tun"

static int close_keeping_errno(int fd, int err)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

/* A name the kernel would take literally: '%' asks it to number the device. */
static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isgraph((unsigned char)name[i]) || strchr("/:%", name[i]))
            return false;
    return true;
}

/* One more descriptor bound to the interface name, which is rewritten with what the kernel chose. */
static int queue_open(char name[IFNAMSIZ], int flags, int *out)
{
    int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    struct ifreq ifr = {.ifr_flags = (short)(IFF_NO_PI | flags)};
    memcpy(ifr.ifr_name, name, IFNAMSIZ);
    int header = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return close_keeping_errno(fd, err_from_errno(errno));
    if (flags & IFF_VNET_HDR && ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
        return close_keeping_errno(fd, ERR_IO);
    memcpy(name, ifr.ifr_name, IFNAMSIZ);
    *out = fd;
    return 0;
}

/* ---- offloads ---- */

static unsigned tun_features(unsigned offloads)
{
    unsigned f = 0;
    if (offloads & OFFLOAD_CSUM)
        f |= TUN_F_CSUM;
    if (offloads & OFFLOAD_TSO)
        f |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (offloads & OFFLOAD_USO)
        f |= TUN_F_USO4 | TUN_F_USO6;
    return f;
}

/* The smallest super-frame of two segments, from 127.0.0.1 to itself and sent to a group address that no
 * bridge forwards, from its byte at on: a device that is up discards it, one that is down answers EIO once the header has
 * been accepted. */
static bool accepts_write(int fd, size_t at, uint8_t gso_type, uint8_t protocol, size_t l4_len,
                          uint16_t csum_offset)
{
    uint8_t frame[14 + 20 + 20 + 2] = {0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00};
    size_t len = 14 + 20 + l4_len + 2;
    uint8_t *ip = frame + 14, *l4 = ip + 20;
    ip[0] = 0x45;
    ip[3] = (uint8_t)(len - 14);
    ip[8] = 1;
    ip[9] = protocol;
    memcpy(ip + 12, (uint8_t[]){127, 0, 0, 1, 127, 0, 0, 1}, 8);
    if (protocol == IPPROTO_TCP)
        l4[12] = 5 << 4;
    else
        l4[5] = (uint8_t)(l4_len + 2);
    struct virtio_net_hdr vnet = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = gso_type,
        .hdr_len = (uint16_t)(14 + 20 + l4_len - at),
        .gso_size = gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : 1,
        .csum_start = (uint16_t)(14 + 20 - at),
        .csum_offset = csum_offset,
    };
    struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {frame + at, len - at}};
    return writev(fd, iov, 2) >= 0 || errno != EINVAL;
}

/* What this kernel takes on writes of the offloads in wanted. */
static unsigned probe_writes(const struct tap *tap, unsigned wanted)
{
    int fd = tap->queues[0];
    size_t at = tap->layer == TAP_IP ? 14 : 0;
    if (!accepts_write(fd, at, VIRTIO_NET_HDR_GSO_NONE, IPPROTO_TCP, 20, 16))
        return 0;
    if (!accepts_write(fd, at, VIRTIO_NET_HDR_GSO_TCPV4, IPPROTO_TCP, 20, 16))
        wanted &= ~(unsigned)(OFFLOAD_TSO | OFFLOAD_USO);
    if ((wanted & OFFLOAD_USO) && !accepts_write(fd, at, VIRTIO_NET_HDR_GSO_UDP_L4, IPPROTO_UDP, 8, 6))
        wanted &= ~(unsigned)OFFLOAD_USO;
    return wanted;
}

int tap_probe_offloads(struct tap *tap)
{
    static const unsigned steps[] = {OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO, OFFLOAD_CSUM | OFFLOAD_TSO,
                                     OFFLOAD_CSUM, 0};
    int fd = tap->queues[0];
    unsigned writable = probe_writes(tap, steps[0]);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if ((steps[i] & writable) != steps[i])
            continue;
        if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)tun_features(steps[i])) == 0) {
            tap->offloads = steps[i];
            return 0;
        }
    }
    return ERR_IO;
}

/* ---- opening ---- */

static int add_queues(struct tap *tap, unsigned queues, int flags)
{
    while (tap->queue_count < queues) {
        int err = queue_open(tap->name, flags, &tap->queues[tap->queue_count]);
        if (err)
            return err;
        tap->queue_count++;
    }
    return 0;
}

static int finish_open(struct tap *tap, unsigned queues, int flags)
{
    int err = add_queues(tap, queues, flags);
    if (err)
        return err;
    tap->ifindex = if_nametoindex(tap->name);
    if (!tap->ifindex)
        return ERR_IO;
    return tap->plain ? 0 : tap_probe_offloads(tap);
}

static int fail_open(struct tap *tap, int err)
{
    int saved = errno;
    tap_close(tap);
    errno = saved;
    return err;
}

/* For every queue of a device. */
static int flags_of(enum tap_layer layer, unsigned queues)
{
    return (layer == TAP_IP ? IFF_TUN : IFF_TAP) | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
}

static bool is_refused(int err)
{
    return err == ERR_IO && errno == EINVAL;
}

/* Such a kernel makes no name of a pattern. */
static void find_free_name(struct tap *tap)
{
    for (unsigned i = 0; i == 0 || if_nametoindex(tap->name); i++)
        snprintf(tap->name, sizeof(tap->name), "%s%u", tap->layer == TAP_IP ? "tun" : "tap", i);
}

/* Not every kernel knows the flags: gVisor's refuses IFF_TUN_EXCL, IFF_VNET_HDR and IFF_MULTI_QUEUE. Without the first it would
 * let us into a device that is there. */
static int create_simply(struct tap *tap, bool is_named, int *flags)
{
    if (is_named && if_nametoindex(tap->name))
        return ERR_EXISTS;
    if (!is_named)
        find_free_name(tap);
    int err = queue_open(tap->name, *flags, &tap->queues[0]);
    if (!is_refused(err))
        return err;
    tap->plain = true;
    *flags &= ~(IFF_VNET_HDR | IFF_MULTI_QUEUE);
    return queue_open(tap->name, *flags, &tap->queues[0]);
}

int tap_create(const char *name, enum tap_layer layer, unsigned queues, struct tap *out)
{
    struct tap tap = {.layer = layer};
    if (queues == 0 || queues > TAP_QUEUES_MAX || (name && !name_is_valid(name)))
        return ERR_ARGUMENT;
    snprintf(tap.name, sizeof(tap.name), "%s", name ? name : layer == TAP_IP ? "tun%d" : "tap%d");
    int flags = flags_of(layer, queues);
    int err = queue_open(tap.name, flags | IFF_TUN_EXCL, &tap.queues[0]);
    if (is_refused(err))
        err = create_simply(&tap, name, &flags);
    if (err)
        return err == ERR_BUSY ? ERR_EXISTS : err;
    tap.queue_count = 1;
    err = finish_open(&tap, tap.plain ? 1 : queues, flags);
    if (err)
        return fail_open(&tap, err);
    *out = tap;
    return 0;
}

/* The first queue of an existing TAP. A device made with one queue cannot be attached as a multi-queue one,
 * nor the reverse: *flags returns which it is. */
static int attach_first(struct tap *tap, int *flags)
{
    int err = queue_open(tap->name, *flags, &tap->queues[0]);
    if (is_refused(err)) {
        *flags ^= IFF_MULTI_QUEUE;
        err = queue_open(tap->name, *flags, &tap->queues[0]);
    }
    if (is_refused(err))
        return ERR_UNSUPPORTED;
    if (err == ERR_IO && errno == E2BIG)
        return ERR_BUSY;
    if (!err)
        tap->queue_count = 1;
    return err;
}

int tap_attach(const char *name, enum tap_layer layer, unsigned queues, struct tap *out)
{
    struct tap tap = {.layer = layer, .attached = true};
    pid_t pid;
    if (queues == 0 || queues > TAP_QUEUES_MAX)
        return ERR_ARGUMENT;
    unsigned before = name_is_valid(name) ? if_nametoindex(name) : 0;
    if (!before)
        return ERR_NOT_FOUND;
    /* A multi-queue device would let us in beside its owner, and each would lose frames to the other. */
    if (tap_find_owner(name, false, &pid) == 0)
        return ERR_BUSY;
    snprintf(tap.name, sizeof(tap.name), "%s", name);
    int flags = flags_of(layer, queues);
    int err = attach_first(&tap, &flags);
    if (err)
        return err;
    if (!(flags & IFF_MULTI_QUEUE))
        queues = 1;
    /* It vanished in between and the kernel made a new one, which goes with its descriptor. */
    if (if_nametoindex(tap.name) != before)
        return fail_open(&tap, ERR_NOT_FOUND);
    err = finish_open(&tap, queues, flags);
    if (err)
        return fail_open(&tap, err);
    *out = tap;
    return 0;
}

void tap_close(struct tap *tap)
{
    /* Offloads outlive us on a persistent device; its next user may not know super-frames. */
    if (tap->attached && tap->queue_count && !tap->plain)
        (void)ioctl(tap->queues[0], TUNSETOFFLOAD, 0ul);
    for (unsigned i = 0; i < tap->queue_count; i++)
        close(tap->queues[i]);
    tap->queue_count = 0;
}

/* ---- frames ---- */

ssize_t tap_read(int queue, struct virtio_net_hdr *vnet, uint8_t *frame, size_t size)
{
    ssize_t n, header = vnet ? sizeof(*vnet) : 0;
    struct iovec iov[2] = {{vnet, (size_t)header}, {frame, size}};
    do
        n = readv(queue, iov, 2);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_IO;
    if (n < header || n == 0) {
        errno = EPROTO;
        return ERR_IO;
    }
    return n - header;
}

int tap_write(int queue, const struct iovec *iov, int count)
{
    ssize_t n;
    do
        n = writev(queue, iov, count);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_IO;
    return 0;
}
