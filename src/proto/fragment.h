/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames (or control messages) larger than a datagram: cut into equal parts, rebuilt at the other end.
 * docs/PROTOCOL.md §5. One reassembly per worker and one in the control thread; bounded slots, each with a
 * deadline; allocated once. */

#include "base/bytes.h"
#include "base/err.h"
#include "proto/drop.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stdint.h>

#define FRAGMENT_TIMEOUT_US 500000ull
#define FRAGMENT_SLOTS      64

/* Into how many equal parts a frame of len bytes is cut when each may have at most room bytes, and their
 * size; the last may be shorter. */
unsigned fragment_plan(size_t len, size_t room, size_t *part);

struct fragment_table;

/* slots frames may be in the making at once. */
int fragment_table_new(unsigned slots, struct fragment_table **out) must_check;
void fragment_table_free(struct fragment_table *t);

/* Adds one part of a frame from the session lane named by (session rx index, lane). On DROP_NONE, *frame is
 * NULL while parts are missing, else the whole frame, valid until the next call. *evicted is set to how many
 * incomplete frames were given up for age or space in this call. */
enum drop fragment_add(struct fragment_table *t, uint32_t receiver, uint8_t lane, const struct wire_inner *in,
                       const uint8_t *part, size_t len, uint64_t now_us, const uint8_t **frame,
                       size_t *frame_len, unsigned *evicted) must_check;
