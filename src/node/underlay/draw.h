/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Many fresh sockets that each send one datagram to a peer's NAT, and wait for the peer to meet one of them. docs/PROTOCOL.md §19,
 * "Birthday". For one peer at a time. Control thread. */

#include "base/err.h"
#include "net/udp.h"
#include <stdbool.h>
#include <uv.h>

struct draw_config {
    uv_loop_t *loop;
    /* A datagram came to one of them, to be opened in place. True: that socket is the callee's now, and the others are closed. */
    bool (*met)(void *context, uint32_t slot, const struct udp_socket *socket, const struct udp_message *m);
    void *context;
};

struct draw;
int draw_new(const struct draw_config *config, struct draw **out) must_check;

/* Opens as many as there may be, in the place of those before, for the peer in slot: each sends data to that address, no further
 * than hops. They wait for BIRTHDAY_OPEN_US (proto/punch/birthday.h). */
void draw_begin(struct draw *d, uint32_t slot, const struct addr *to, uint8_t hops, const uint8_t *data,
                size_t len);

/* met is not called any more; the memory goes once the loop has closed its handles. NULL is allowed. */
void draw_close(struct draw *d);
