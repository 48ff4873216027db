/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A bounded queue of byte records between two threads: one writes, one reads, neither waits. Records are
 * contiguous and 16-byte aligned, so the reader may use and change them in place. */

#include "base/err.h"
#include <stddef.h>

struct ring;

/* size: bytes, a power of two. The caller frees *out when both threads are done with it. */
int ring_new(size_t size, struct ring **out) must_check;
void ring_free(struct ring *r);

/* Writer: room for a record of len bytes, or NULL when it does not fit now. It becomes visible by
 * ring_commit; a second ring_reserve without ring_commit takes the first one back. */
void *ring_reserve(struct ring *r, size_t len);
void ring_commit(struct ring *r);

/* Writer: how many bytes wait for the reader, at most. */
size_t ring_used(struct ring *r);

/* Reader: the oldest record, or NULL; it stays until ring_release. */
void *ring_peek(struct ring *r, size_t *len);
void ring_release(struct ring *r);
