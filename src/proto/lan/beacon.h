/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node says on its local network, to one peer in each: that it is here. docs/PROTOCOL.md §20. Pure.
 *
 *    0  magic (4): "SMLN"
 *    4  kind (1): 1 SEEK, 2 HERE;  zero (1)
 *    6  control port (2)
 *    8  time (8): microseconds since 1970, later in each beacon of a node
 *   16  hint (8): of key, sender and quarter of an hour: by it the peer knows who speaks, and others do not
 *   24  mac (16): HMAC-SHA-384 under the pair's key, over all before it, its first 16 bytes
 */

#include "base/err.h"
#include "base/id.h"
#include "crypto/kdf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BEACON_LEN     40
#define BEACON_EPOCH_S 900

enum beacon_kind {
    BEACON_SEEK = 1, /* dial me, or tell me where you are */
    BEACON_HERE = 2, /* dial me */
};

struct beacon {
    enum beacon_kind kind;
    uint16_t control_port; /* the sender's */
    uint64_t time_us, hint;
};

/* What two nodes have in common on a local network, in either order: no secret, but known only to whoever knows both ids.
 * Errors as kdf_hash. */
int beacon_key(const struct node_id *a, const struct node_id *b, uint8_t out[KDF_LEN]) must_check;

/* The hint of what sender says to the other one in an epoch of BEACON_EPOCH_S since 1970. Errors as kdf_extract. */
int beacon_hint(const uint8_t key[KDF_LEN], const struct node_id *sender, uint64_t epoch,
                uint64_t *out) must_check;

/* Errors as kdf_extract. */
int beacon_encode(const struct beacon *b, const uint8_t key[KDF_LEN], uint8_t out[BEACON_LEN]) must_check;

/* ERR_FORMAT. What it says holds once beacon_verify has agreed. */
int beacon_decode(const uint8_t *data, size_t len, struct beacon *out) must_check;

/* Whether whoever made it knows both ids. */
bool beacon_verify(const uint8_t data[BEACON_LEN], const uint8_t key[KDF_LEN]) must_check;
