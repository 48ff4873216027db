/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The sockets of the backbone: TCP for HTTP and UDP for reflection, on one port number, and the relay's. */

#include "base/addr.h"
#include "base/err.h"
#include "net/udp.h"
#include <stdbool.h>

struct listen_sockets {
    int tcp, udp;      /* -1: not open */
    struct addr bound; /* as they are bound; the address is unspecified (:: or 0.0.0.0) for every address */
    bool relays;       /* the next one is open */
    struct udp_socket relay;
};

/* Binds both; family 0 in `at` means every address, port 0 lets the kernel choose. On failure one log line
 * has said why and nothing stays open: ERR_BUSY (port in use), ERR_PERMISSION, ERR_IO. */
int listen_open(const struct addr *at, struct listen_sockets *out) must_check;
/* The relay's, on a UDP port of its own, or, with port 0, on that of reflection, with which it shares it. Otherwise as above. */
int listen_open_relay(struct listen_sockets *s, uint16_t port) must_check;
void listen_close(struct listen_sockets *s);
