/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* TAP devices with IFF_VNET_HDR and offloads, one queue per worker (Linux:
 * Documentation/networking/tuntap.rst); and TUN devices, which have no Ethernet header: what is said of frames is then
 * said of IP packets. */

#include "base/err.h"
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define TAP_QUEUES_MAX 9

enum tap_layer { TAP_ETHERNET, TAP_IP };

struct tap {
    char name[IFNAMSIZ];
    enum tap_layer layer;
    unsigned ifindex;
    unsigned queue_count;
    int queues[TAP_QUEUES_MAX]; /* non-blocking */
    unsigned offloads;          /* enum offload, those that the kernel took: what reads may hold */
    bool attached;              /* existed before us and stays */
    int given;                  /* the descriptor that somebody else opened (tap_adopt); 0: we did … */
    bool assumed;               /* … and its flags could not be read */
    bool plain;                 /* frames have no virtio header, and there are no offloads */
};

/* Creates a TAP or a TUN, which is down: name, or the first free tap0, tap1 … or tun0, tun1 … when NULL. Where the kernel
 * knows less of such devices, as gVisor's does, it is plain and has one queue. ERR_EXISTS when name is taken
 * by another interface, ERR_PERMISSION (no CAP_NET_ADMIN), ERR_NOT_FOUND (no /dev/net/tun), ERR_ARGUMENT (not
 * a name for an interface), ERR_IO (errno). */
int tap_create(const char *name, enum tap_layer layer, unsigned queues, struct tap *out) must_check;

/* Attaches to an existing TAP, never makes one. One that was made with a single queue yields one, whatever
 * was asked: queue_count tells. ERR_NOT_FOUND when there is no such interface (or no /dev/net/tun),
 * ERR_UNSUPPORTED when it is none of that layer, ERR_BUSY when another process holds it (tap_owner tells which),
 * ERR_PERMISSION, ERR_IO. */
int tap_attach(const char *name, enum tap_layer layer, unsigned queues, struct tap *out) must_check;

/* Takes a TUN that somebody else opened: one queue, as that one is, and no right is needed. What is no such device
 * but keeps packets apart, or tells no flags, is taken to pass plain IP packets; its name is empty. On an error fd stays
 * the caller's. */
enum tap_refusal {
    TAP_TAKEN,
    TAP_NOT_OPEN, /* no open descriptor, or none for both directions */
    TAP_NO_PACKETS, /* neither a device nor a socket that keeps packets apart: a file, a pipe, a stream, a terminal */
    TAP_NO_DEVICE,   /* /dev/net/tun, but no interface: TUNSETIFF is missing, or its queue was detached */
    TAP_IS_ETHERNET, /* a TAP */
    TAP_PACKET_INFO, /* without IFF_NO_PI; before Linux 5.1 also one that is down */
    TAP_FAILED,      /* errno */
};
enum tap_refusal tap_adopt(int fd, struct tap *out) must_check;

/* Writes TAP_KNOCKS packets that every kernel drops, to a device that is no socket: so its interface is the one that counts as
 * many. False: they say nothing. */
#define TAP_KNOCKS 8
bool tap_knock(const struct tap *tap);

/* A TAP that we created disappears; one that we attached to stays, its offloads switched off. */
void tap_close(struct tap *tap);

/* Finds the process that holds the TAP name open (/proc/<pid>/fdinfo), first among those in our network
 * namespace. ERR_NOT_FOUND when none can be seen. */
int tap_owner(const char *name, pid_t *pid, char *program, size_t program_size) must_check;

/* One frame or super-frame: virtio header (struct virtio_net_hdr, 10 bytes, host order), then Ethernet. vnet is NULL for
 * a plain device's. Returns the frame's length (without the header), ERR_AGAIN when there is none, ERR_IO. The kernel cuts
 * silently what size does not hold: it is at least OFFLOAD_FRAME_MAX. */
ssize_t tap_read(int queue, struct virtio_net_hdr *vnet, uint8_t *frame, size_t size);

/* Writes one frame; iov[0] is the virtio header, but not for a plain device. 0, ERR_AGAIN, ERR_IO. */
int tap_write(int queue, const struct iovec *iov, int count) must_check;
