/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text that is not ours: from peers, the backbone, the network. What may be taken, and what it becomes before a
 * person sees it. The one place that knows which characters are unsafe. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the character of well-formed UTF-8 (RFC 3629) that begins at text, and its code point; 0 when it is
 * malformed or longer than len, which is at least 1. */
size_t text_decode(const char *text, size_t len, uint32_t *code);

/* True when len bytes are well-formed UTF-8 without anything that a terminal obeys: C0 and C1 controls, DEL,
 * line and paragraph separators, marks and overrides of direction. What arrives otherwise is refused. */
bool text_ok(const char *text, size_t len);

/* Makes text fit to be shown, in place: '?' for each character that is not text_ok or cannot be seen (of zero
 * width, fillers, tags, variation selectors), and for each byte of malformed UTF-8. Returns the new length, which is never greater; there
 * is no NUL behind it unless the caller puts one. */
size_t text_clean(char *text, size_t len);
