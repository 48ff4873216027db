/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* DER (ITU-T X.690) over cursors, as much as certificates need. Elements are below 64 KiB and tags are one byte.
 * Reading accepts only minimal lengths. Any thread. docs/PROTOCOL.md §22. */

#include "base/bytes.h"

#define DER_BOOLEAN          0x01
#define DER_INTEGER          0x02
#define DER_BIT_STRING       0x03
#define DER_OCTET_STRING     0x04
#define DER_OID              0x06
#define DER_UTF8_STRING      0x0c
#define DER_SEQUENCE         0x30
#define DER_SET              0x31
#define DER_IMPLICIT(number) (0x80 + (number)) /* context-specific, primitive */
#define DER_CONTEXT(number)  (0xa0 + (number)) /* context-specific, constructed */
#define DER_TIME_MAX         253402300799      /* 9999-12-31 23:59:59 UTC, the last that has a form */

/* Begins an element whose content follows. Returns where it began, for der_close; elements close innermost first.
 * It takes up to two bytes more than it needs until then. */
size_t der_open(struct writer *w, uint8_t tag);
void der_close(struct writer *w, size_t opened);

/* A whole element. */
void der_put(struct writer *w, uint8_t tag, const void *content, size_t len);
void der_put_uint(struct writer *w, uint32_t value);

/* Seconds since 1970 as RFC 5280 §4.1.2.5 has them: UTCTime up to 2049, then GeneralizedTime. After DER_TIME_MAX the
 * writer is bad. */
void der_put_time(struct writer *w, uint64_t seconds);

/* The content of the next element. With another tag, or when it is malformed, r and the content are bad. */
struct reader der_take(struct reader *r, uint8_t tag);

/* INTEGER from 0 to 2³²−1, with at most five bytes. Others make r bad. */
uint32_t der_take_uint(struct reader *r);

/* Either form of a time. Its digits are not judged: who has to know whether it is one writes it again and compares. */
uint64_t der_take_time(struct reader *r);

/* True when the next element has this tag. */
bool der_next_is(const struct reader *r, uint8_t tag);
