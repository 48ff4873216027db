/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Messages through one end of a node's and a helper's SOCK_SEQPACKET pair. */

#include "node/helper/helper_message.h"

struct helper_packet {
    struct helper_message message; /* its data and signature lie in bytes */
    uint8_t bytes[HELPER_MESSAGE_MAX];
};

/* The one end stays in the node, whose descriptor does not block; the other goes to the helper. ERR_IO with errno
 * set. */
int helper_channel_open(int *node, int *helper) must_check;

/* ERR_AGAIN when the other side takes too little, ERR_CLOSED when it is gone, and as helper_message_encode. */
int helper_channel_send(int fd, const struct helper_message *m) must_check;

/* Likewise, with a descriptor that stays the caller's. */
int helper_channel_send_file(int fd, const struct helper_message *m, int file) must_check;

/* ERR_AGAIN when nothing waits on a descriptor that does not block, ERR_CLOSED when the other side is gone, ERR_FORMAT
 * for bytes that are no message. */
int helper_channel_receive(int fd, struct helper_packet *out) must_check;

/* Likewise; file is the descriptor that came with it, for the caller to close, or -1, as on each error. */
int helper_channel_receive_file(int fd, struct helper_packet *out, int *file) must_check;
