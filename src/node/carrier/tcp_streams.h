/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Control streams over TCP on the libuv loop: listening, dialling, bytes both ways. Control thread. */

#include "node/carrier/stream.h"
#include <uv.h>

struct tcp_streams;

/* Listens on port, all addresses, both families. ERR_BUSY when the port is in use, ERR_PERMISSION, ERR_IO
 * (errno). */
int tcp_streams_new(uv_loop_t *loop, uint16_t port, struct streams *all, struct tcp_streams **out) must_check;

/* Stops listening and closes every stream; memory goes when the loop has closed the handles, a second later at most. */
void tcp_streams_close(struct tcp_streams *s);

void tcp_streams_dial(struct tcp_streams *s, uint64_t conn, const struct addr *to);

/* Ends the streams whose local address is no longer one of the machine's: they would hang until a time-out. */
void tcp_streams_drop_homeless(struct tcp_streams *s);
