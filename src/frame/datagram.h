/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A UDP datagram inside a frame. */

#include <stddef.h>
#include <stdint.h>

/* Where the payload begins of a UDP datagram that was sent from this port, or of its super-frame; 0 for anything
 * else: other protocols, IPv6 with extension headers, later fragments. The payload may be empty. Pure. */
size_t datagram_payload(const uint8_t *frame, size_t len, uint16_t source_port);
