/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* TCP sockets of the control channel and of HTTP. */

#include "base/err.h"
#include <stdint.h>

/* Limits the socket's segments to what every path carries (IPv6's 1,280 less headers and options), so that a
 * path that hides its ICMP loses nothing: larger segments would be lost for ever. Before connect or listen;
 * accepted sockets inherit it. A kernel that refuses leaves its own choice. Any thread. */
void tcp_limit_segments(int fd);

/* It leaves by this interface, whatever the kernel would choose, and only what comes in there is taken. Before connect. ERR_IO: it
 * cannot, as where there is no such interface. Any thread. */
int tcp_leave_by(int fd, uint32_t interface) must_check;
