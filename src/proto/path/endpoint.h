/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a datagram goes: how it travels, from which address of ours, to which of the peer's. What a path is made of, and
 * what a datagram is sent to. A value, and pure. */

#include "base/addr.h"
#include "proto/wire/candidate.h"
#include <stdbool.h>

enum carrier {
    CARRIER_NONE, /* there is no way */
    CARRIER_UDP,  /* straight to the remote address */
};

/* What a carrier may need in front of each datagram: whoever makes one leaves so many bytes free. */
#define ENDPOINT_ENVELOPE_MAX 8

struct endpoint {
    enum carrier carrier;
    struct addr local; /* leaves from there; without family: where the kernel likes. Its port is 0 */
    struct addr remote;
};

/* "direct", as in status --json. */
const char *carrier_name(enum carrier carrier);

/* What carries to a candidate of this kind. */
enum carrier carrier_for(enum candidate_kind kind);

/* Over UDP, from where the kernel likes. */
struct endpoint endpoint_udp(const struct addr *remote);

bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* "direct 192.0.2.1:9443", "direct 192.0.2.1:9443 from 198.51.100.2". Returns out. */
#define ENDPOINT_TEXT_MAX (2 * ADDR_TEXT_MAX + 16)
char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX]);
