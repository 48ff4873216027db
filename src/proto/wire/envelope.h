/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What stands in front of a datagram that a relay passes on: docs/PROTOCOL.md §17. Fixed-size and pure.
 *
 *   0        1        2        4
 *   +--------+--------+--------+--------+--------+--------+--------+--------+
 *   | 0x23   | kind   | zero            | channel                           |  then the datagram, unchanged
 *   +--------+--------+-----------------+-----------------------------------+
 */

#include "proto/wire/drop.h"
#include "proto/wire/wire.h"
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_LEN       8
#define ENVELOPE_TOKEN_LEN 32 /* what an end of a channel shares with its relay */

enum envelope_kind {
    ENVELOPE_DATAGRAM = 0,
    ENVELOPE_MESSAGE = 1, /* between an end and its relay (proto/relay/relay_message.h) */
};

struct envelope {
    enum envelope_kind kind;
    uint32_t channel; /* not 0 */
};

void envelope_encode(const struct envelope *e, uint8_t out[ENVELOPE_LEN]);

/* DROP_NONE, DROP_SHORT (nothing is behind it), DROP_TYPE, DROP_RESERVED for all else that envelope_encode does not make, or
 * DROP_RELAY for a datagram that is in an envelope itself: nothing goes round. */
enum drop envelope_decode(const uint8_t *data, size_t len, struct envelope *out) must_check;
