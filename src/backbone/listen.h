/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two sockets of the backbone: TCP for HTTP and UDP for reflection, on one port number. */

#include "base/addr.h"
#include "base/err.h"

struct listen_sockets {
    int tcp, udp;      /* -1: not open */
    struct addr bound; /* as they are bound; the address is unspecified (:: or 0.0.0.0) for every address */
};

/* Binds both; family 0 in `at` means every address, port 0 lets the kernel choose. On failure one log line
 * has said why and nothing stays open: ERR_BUSY (port in use), ERR_PERMISSION, ERR_IO. */
int listen_open(const struct addr *at, struct listen_sockets *out) must_check;
void listen_close(struct listen_sockets *s);
