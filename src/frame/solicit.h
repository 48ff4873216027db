/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames by which a machine asks everybody who has an address. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The address that an untagged frame to a group asks for: an ARP request for IPv4 (RFC 826), or a neighbour
 * solicitation (RFC 4861 §4.3). False for anything else, also where the asker has no address yet, or asks for its own:
 * then it looks for a twin, or tells its own address (RFC 5227, RFC 4862), which is for everybody to hear. Checksums are
 * not looked at. Pure. */
bool solicit_target(const uint8_t *frame, size_t len, struct addr *out);
