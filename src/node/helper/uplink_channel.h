/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SOCK_SEQPACKET pairs between a node and the helper that keeps its uplink. A packet is one message of the uplink
 * (proto/uplink/uplink_message.h), as it is; or, behind a byte of zero, which no message begins with, one that the two say
 * to each other (helper_message.h). Neither end blocks. Sending is safe from any thread. */

#include "base/bytes.h"
#include "node/helper/helper_message.h"
#include "proto/uplink/uplink_message.h"
#include <sys/types.h>
#include <sys/uio.h>

#define UPLINK_CHANNEL_BUFFER (4 << 20) /* bytes that may wait each way, where the system allows so much */

/* ERR_IO with errno set. */
int uplink_channel_open(int *node, int *helper) must_check;

/* One message of the uplink, in pieces. ERR_AGAIN when the other side takes too little, ERR_CLOSED when it is gone. */
int uplink_channel_send(int fd, const struct iovec *pieces, unsigned count) must_check;

/* ERR_AGAIN and ERR_CLOSED as above, and as helper_message_encode. */
int uplink_channel_tell(int fd, const struct helper_message *m) must_check;

/* The length of a packet, not 0; ERR_AGAIN, ERR_CLOSED; ERR_FORMAT for one that is longer than any message. */
ssize_t uplink_channel_receive(int fd, uint8_t out[UPLINK_MESSAGE_MAX]) must_check;

/* Which of so many workers takes a batch that begins with these datagrams: the one to which the kernel would steer them,
 * had they come over UDP (net/udp.h), so that a lane stays with one worker. */
unsigned uplink_channel_worker(const uint8_t *datagrams, size_t len, unsigned workers);

/* Whether a packet is one of helper_message.h. */
static inline bool uplink_channel_is_told(const uint8_t *packet)
{
    return packet[0] == 0;
}

/* Of one that is: ERR_FORMAT. */
int uplink_channel_read(const uint8_t *packet, size_t len, struct helper_message *out) must_check;
