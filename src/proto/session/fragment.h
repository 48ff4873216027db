/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames (or control messages) larger than a datagram: cut into equal parts, rebuilt at the other end.
 * docs/PROTOCOL.md §5. One reassembly per worker and one in the control thread; bounded slots, each with a
 * deadline; allocated once. */

#include "base/bytes.h"
#include "base/err.h"
#include "proto/wire/drop.h"
#include "proto/wire/wire.h"
#include <stdbool.h>
#include <stdint.h>

#define FRAGMENT_TIMEOUT_US 500000ull
#define FRAGMENT_SLOTS      64
#define FRAGMENT_PARTS_MAX  64

/* Into how many equal parts a frame of len bytes is cut when each may have at most room bytes, and their
 * size; the last may be shorter. 0 when it would take more than FRAGMENT_PARTS_MAX, or len is 0 or over
 * WIRE_FRAME_MAX: it cannot be sent. */
unsigned fragment_plan(size_t len, size_t room, size_t *part);

struct fragment_table;

/* slots frames may be in the making at once (FRAGMENT_SLOTS); about 9 KB each, allocated here. */
int fragment_table_new(unsigned slots, struct fragment_table **out) must_check;
void fragment_table_free(struct fragment_table *t);

/* Incomplete frames given up during one call: counted as DROP_FRAGMENT_TIMEOUT and DROP_FRAGMENT_SPACE. */
struct fragment_lost {
    unsigned timeout; /* their other parts never came in time */
    unsigned space;   /* made room for a newer frame */
};

/* Adds one part of a frame from the session lane named by (session rx index, lane). On DROP_NONE, *frame is
 * NULL while parts are missing, else the whole frame, which the caller may change, valid until the next call;
 * in describes it too, apart from its fragment fields. Parts come in any order; repeated ones are ignored.
 * DROP_FRAGMENT: the part contradicts the others, and the whole frame is discarded, with what may still come
 * of it. *lost is always set. */
enum drop fragment_add(struct fragment_table *t, uint32_t receiver, uint8_t lane, const struct wire_inner *in,
                       const uint8_t *part, size_t len, uint64_t now_us, uint8_t **frame, size_t *frame_len,
                       struct fragment_lost *lost) must_check;
