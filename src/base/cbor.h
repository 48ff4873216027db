/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* CBOR (RFC 8949) in the one form that this program writes and accepts: deterministic (§4.2.1: shortest
 * heads, definite lengths, map keys ascending, hence never twice), map keys unsigned integers, no tags. Heads
 * are read and written by libcbor's streaming functions, which allocate nothing, over the cursors of
 * base/bytes.h: after any mistake the cursor stays bad and yields zeros, so a decoder checks once, at its
 * end. Any thread. */

#include "base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_DEPTH_MAX 4  /* of a skipped value */
#define CBOR_PAIRS_MAX 64 /* of any map */

void cbor_put_uint(struct writer *w, uint64_t v);
void cbor_put_bool(struct writer *w, bool v);
void cbor_put_bytes(struct writer *w, const void *data, size_t len);

/* The writer goes bad when text is not text_ok (base/text.h): the other side would refuse it. */
void cbor_put_text(struct writer *w, const char *text);

/* Heads; count items, or pairs with ascending keys, follow. */
void cbor_put_array(struct writer *w, size_t count);
void cbor_put_map(struct writer *w, size_t pairs);

/* At most max, else the cursor goes bad. */
uint64_t cbor_take_uint(struct reader *r, uint64_t max);
bool cbor_take_bool(struct reader *r);

/* A byte string of at most max bytes, borrowed from the input; NULL and length 0 when there is none. */
const uint8_t *cbor_take_bytes(struct reader *r, size_t max, size_t *len);

/* A byte string of exactly len bytes; zeros when it is not. */
void cbor_take_exact(struct reader *r, void *out, size_t len);

/* Text that is text_ok, shorter than cap, with a NUL behind it; empty when it is not. */
void cbor_take_text(struct reader *r, char *out, size_t cap);

/* The number of items of an array that starts here, at most max; 0 when there is none. */
size_t cbor_take_array(struct reader *r, size_t max);

/* Over one value of any kind but tags, at most CBOR_DEPTH_MAX arrays and maps deep. */
void cbor_skip(struct reader *r);

/* Walks a map: after each true, the caller takes or skips exactly the value of *key. False at the end of the
 * map or of what is well-formed. */
struct cbor_map {
    struct reader *r;
    size_t left;
    uint64_t lowest; /* that the next key may be */
};
struct cbor_map cbor_take_map(struct reader *r);
bool cbor_map_next(struct cbor_map *map, uint64_t *key);

/* True when nothing went wrong and nothing is left behind. */
bool cbor_done(const struct reader *r);
