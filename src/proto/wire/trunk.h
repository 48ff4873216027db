/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Batches on a trunk, a TCP connection that carries the datagrams of one peer: docs/PROTOCOL.md §18. Pure.
 *
 *    0  TRUNK_MARK plus the ECN field
 *    1  segment (2)
 *    3  length of the datagrams (2)
 *    5  datagrams
 */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUNK_MARK      0x30 /* tells a trunk from TLS, whose records begin with 20 to 24 */
#define TRUNK_HEAD_LEN  5
#define TRUNK_DATAGRAMS 64    /* of one batch, … */
#define TRUNK_DATA_MAX  65507 /* … and their bytes */
#define TRUNK_BATCH_MAX (TRUNK_HEAD_LEN + TRUNK_DATA_MAX)
#define TRUNK_FIRST_MAX 1200 /* of the first batch's only datagram */

struct trunk_batch {
    uint8_t ecn;      /* 0 to 3 */
    uint16_t segment; /* bytes of each datagram, the last of which may be shorter */
    uint16_t len;     /* of all */
};

/* Whether a connection that begins with this byte is one. */
bool trunk_begins(uint8_t first);

void trunk_encode(const struct trunk_batch *b, uint8_t out[TRUNK_HEAD_LEN]);

/* What a stream goes on with: 1 when a batch lies there whole (its datagrams behind TRUNK_HEAD_LEN), 0 when more must
 * come, ERR_FORMAT. */
int trunk_decode(const uint8_t *data, size_t len, struct trunk_batch *out) must_check;

/* As trunk_decode, for the first batch of all. */
int trunk_decode_first(const uint8_t *data, size_t len, struct trunk_batch *out) must_check;
