/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A signed record that was verified, kept to be passed on. A value in one piece of memory. */

#include "proto/message/record.h"

struct kept_record {
    uint64_t seq, expiry_s;
    size_t data_len;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    uint8_t data[];
};

/* NULL when memory is short; for free(3). */
struct kept_record *kept_record_new(uint64_t seq, uint64_t expiry_s, const struct record_bytes *bytes);

/* Borrows k. */
struct record_bytes kept_record_bytes(const struct kept_record *k);

/* How much memory it takes. */
size_t kept_record_size(const struct kept_record *k);
