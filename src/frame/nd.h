/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Neighbour discovery of IPv6 (RFC 4861) in Ethernet frames, as far as a machine needs it whose device has no link layer.
 * Pure. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ND_FRAME_MAX  86 /* of a solicitation or advertisement with its option */
#define ND_OPTION_LEN 8  /* a link-layer address of Ethernet */

enum nd_type {
    ND_NONE = 0,
    ND_ROUTER_SOLICITATION = 133,
    ND_ROUTER_ADVERTISEMENT = 134,
    ND_SOLICITATION = 135,
    ND_ADVERTISEMENT = 136,
};

/* A neighbour solicitation or advertisement. */
struct nd {
    enum nd_type type;
    struct addr source, destination; /* of the packet */
    struct addr target;
    bool solicited, override; /* an advertisement's; we are no router */
    bool has_link;
    uint8_t link[6]; /* the link-layer address in its option: the sender's own */
};

/* What message of neighbour discovery a frame is, by its first header alone. */
enum nd_type nd_type_of(const uint8_t *frame, size_t len);

/* Whether a frame is a valid solicitation or advertisement of a neighbour (RFC 4861 §7.1), whose option, if there is one,
 * tells the frame's source. */
bool nd_decode(const uint8_t *frame, size_t len, struct nd *out);

/* The frame from src to dst, with its hop limit and checksum; returns its length. */
size_t nd_encode(const struct nd *nd, const uint8_t src[6], const uint8_t dst[6], uint8_t out[ND_FRAME_MAX]);

/* Gives a router's solicitation or advertisement, which lies in cap bytes, the option with its sender's link-layer address,
 * unless it has one, comes from no address, or there is no room. Returns the length from now on. */
size_t nd_add_link(uint8_t *frame, size_t len, size_t cap, const uint8_t mac[6]);
