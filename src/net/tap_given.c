/* SPDX-License-Identifier: Apache-2.0 */
/* A TUN that another process opened and passed on, as Android's VpnService does and a parent that has CAP_NET_ADMIN: what is to be
 * known of it has to be read back. TUNGETIFF tells all but IFF_NO_PI, whose bit it also sets for IFF_NOFILTER. Control thread,
 * before the device has a worker. */

#include "net/tap_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#define PACKET_INFO_LEN sizeof(struct tun_pi)

#define TUN_MAJOR 10 /* of /dev/net/tun, by whatever name */
#define TUN_MINOR 200

/* The version of an IP packet is nowhere 0: without packet information it is refused, with it it is a packet of protocol 0,
 * which nobody takes. 0, or an errno. */
static int write_nothing(const struct tap *tap)
{
    static struct virtio_net_hdr vnet;
    static uint8_t packet[PACKET_INFO_LEN + 4];
    const struct iovec iov[2] = {{&vnet, tap->plain ? 0 : sizeof(vnet)}, {packet, sizeof(packet)}};
    return writev(tap->queues[0], iov, 2) < 0 ? errno : 0;
}

static bool is_tun(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(TUN_MAJOR, TUN_MINOR);
}

bool tap_knock(const struct tap *tap)
{
    bool dropped = is_tun(tap->queues[0]);
    for (unsigned i = 0; dropped && i < TAP_KNOCKS; i++)
        dropped = write_nothing(tap) == EINVAL;
    return dropped;
}

static bool is_open_for_both(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* Of this machine alone: on another socket packets would leave it as they are. */
static bool keeps_packets_apart(int fd)
{
    int type = socket_option(fd, SO_TYPE);
    return socket_option(fd, SO_DOMAIN) == AF_UNIX && (type == SOCK_DGRAM || type == SOCK_SEQPACKET);
}

/* Other kernels that have TUNGETIFF, such as gVisor's, do not refuse the packet. */
static bool is_linux(int fd)
{
    unsigned features;
    return ioctl(fd, TUNGETFEATURES, &features) == 0;
}

static enum tap_refusal check_flags(const struct tap *tap, int flags)
{
    int fd = tap->queues[0];
    if (flags & IFF_TAP)
        return TAP_IS_ETHERNET;
    if (flags & IFF_DETACH_QUEUE)
        return TAP_NO_DEVICE;
    if (!is_linux(fd))
        return TAP_TAKEN;
    int err = write_nothing(tap);
    return err == 0 || err == EIO ? TAP_PACKET_INFO : TAP_TAKEN;
}

static enum tap_refusal set_header(int fd)
{
    int header = sizeof(struct virtio_net_hdr);
    return ioctl(fd, TUNSETVNETHDRSZ, &header) == 0 ? TAP_TAKEN : TAP_FAILED;
}

/* Offloads that somebody set on a device without headers would bring us super-frames of which nothing tells. */
static enum tap_refusal set_offloads(struct tap *tap)
{
    if (!tap->plain)
        return tap_probe_offloads(tap) ? TAP_FAILED : TAP_TAKEN;
    (void)ioctl(tap->queues[0], TUNSETOFFLOAD, 0ul);
    return TAP_TAKEN;
}

static enum tap_refusal read_back(struct tap *tap)
{
    struct ifreq ifr = {0};
    int fd = tap->queues[0];
    if (ioctl(fd, TUNGETIFF, &ifr) < 0) {
        tap->plain = tap->assumed = true;
        if (errno == EBADFD)
            return TAP_NO_DEVICE;
        return is_tun(fd) || keeps_packets_apart(fd) ? TAP_TAKEN : TAP_NO_PACKETS;
    }
    memcpy(tap->name, ifr.ifr_name, sizeof(tap->name) - 1);
    tap->plain = !(ifr.ifr_flags & IFF_VNET_HDR);
    enum tap_refusal refusal = tap->plain ? TAP_TAKEN : set_header(fd);
    if (!refusal)
        refusal = check_flags(tap, ifr.ifr_flags);
    return refusal ? refusal : set_offloads(tap);
}

static bool set_descriptor(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

enum tap_refusal tap_adopt(int fd, struct tap *out)
{
    struct tap tap = {.layer = TAP_IP, .attached = true, .given = fd, .queue_count = 1, .queues = {[0] = fd}};
    if (!is_open_for_both(fd))
        return TAP_NOT_OPEN;
    enum tap_refusal refusal = read_back(&tap);
    if (!refusal && !set_descriptor(fd))
        refusal = TAP_FAILED;
    if (!refusal)
        *out = tap;
    return refusal;
}
