/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ARP for IPv4 on Ethernet (RFC 826, RFC 5227) as values. Pure. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARP_FRAME_LEN 42 /* with the Ethernet header; the wire's padding is no matter of a tunnel */

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

/* Addresses are IPv4's; sender 0.0.0.0 is a probe's. */
struct arp {
    enum arp_operation operation;
    uint8_t sender_mac[6], target_mac[6];
    struct addr sender, target;
};

/* Whether a frame is an ARP request or reply of IPv4 on Ethernet, whose sender is the frame's. Who speaks for another is
 * not believed: the switch judges the frame's source alone. */
bool arp_decode(const uint8_t *frame, size_t len, struct arp *out);

/* The frame from a's sender to dst. */
void arp_encode(const struct arp *a, const uint8_t dst[6], uint8_t out[ARP_FRAME_LEN]);
