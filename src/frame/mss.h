/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the frame that begins a TCP connection says of the segments that its sender takes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSS_LEAST_V4 536  /* what every path carries (RFC 9293 §3.7.1) … */
#define MSS_LEAST_V6 1220 /* … in 1,280 bytes of IPv6 (RFC 8200 §5) */

/* Lowers the maximum segment size that a frame with SYN announces (RFC 9293 §3.7.1), so that what comes back fits into
 * frames of room bytes; not below the least that every host takes. The checksum is kept right, also where it is partial.
 * False when nothing was changed: no SYN, no such option or a small one, options that are signed (RFC 5925) or
 * contradict themselves. Pure. */
bool mss_limit(uint8_t *frame, size_t len, size_t room, bool partial);
