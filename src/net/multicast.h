/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Sockets of a multicast group that goes no further than the link: what is sent reaches other machines alone, what is
 * received came by an interface at which the group was joined. Needs no right. One thread. */

#include "base/addr.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* A socket of the group's family and port, which others on this machine may have, too. ERR_UNSUPPORTED without that family,
 * ERR_IO (errno). */
int multicast_open(const struct addr *group, int *fd) must_check;

/* At one interface more, or no longer. Joined already, or not joined: no error. ERR_IO (errno). */
int multicast_join(int fd, const struct addr *group, uint32_t interface) must_check;
void multicast_leave(int fd, const struct addr *group, uint32_t interface);

/* One datagram by an interface. ERR_AGAIN, ERR_IO (no address there, and the like; errno). */
int multicast_send(int fd, const struct addr *group, uint32_t interface, const uint8_t *data,
                   size_t len) must_check;

/* One datagram that is there: *len bytes, cut at cap, and its sender. ERR_AGAIN when there is none, ERR_IO. */
int multicast_receive(int fd, uint8_t *data, size_t cap, size_t *len, struct addr *from) must_check;
