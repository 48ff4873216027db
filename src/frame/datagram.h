/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A UDP datagram inside a frame. */

#include <stddef.h>
#include <stdint.h>

/* Where the payload begins of a UDP datagram, or of a super-frame of some, and from which port it was sent; 0 for
 * anything else: other protocols, IPv6 with extension headers, later fragments. The payload may be empty. Pure. */
size_t datagram_payload(const uint8_t *frame, size_t len, uint16_t *source_port);
