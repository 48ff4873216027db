/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which flow a frame belongs to, as far as the TAP's queues are concerned. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same for both directions of a flow, on every machine: a hash over the sums of source and destination
 * addresses and of TCP or UDP ports; 0 for what is not IP. The tun driver learns for each of its flows the
 * queue that the last frame was written to, and hands out the flow's other direction there. So frames that
 * are one flow to the kernel (skb_get_hash_symmetric) must be one here: ports count in unfragmented packets
 * without IPv6 extension headers only, and lengths are not judged, since small frames are padded. Pure. */
uint32_t flow_hash(const uint8_t *frame, size_t len);

/* Whether the frame begins a TCP connection, in either direction: it has the flag SYN, and is no longer than such are. */
bool flow_begins(const uint8_t *frame, size_t len);
