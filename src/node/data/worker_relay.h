/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node that relays passes on: between two of its peers, whole trains, in the worker at whose socket they arrive. The worker's
 * thread. docs/PROTOCOL.md §17. */

#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udp_message;
struct worker;

/* A datagram in an envelope: passed on, or dropped, with those behind it of the same message that go the same way. Then *len is how many
 * bytes that were, and *drop the reason; drops of all but the first are counted. False when its channel is none of ours. */
bool worker_relay_pass(struct worker *w, const struct udp_message *m, uint8_t *data, size_t *len,
                       enum drop *drop);
