/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/peer/kept_record.h"

#include <stdlib.h>

struct kept_record *kept_record_new(uint64_t seq, uint64_t expiry_s, const struct record_bytes *bytes)
{
    struct kept_record *k = malloc(sizeof(*k) + bytes->data.len);
    if (!k)
        return NULL;
    k->seq = seq;
    k->expiry_s = expiry_s;
    k->data_len = bytes->data.len;
    memcpy(k->data, bytes->data.data, bytes->data.len);
    memcpy(k->signature, bytes->signature.data, sizeof(k->signature));
    return k;
}

struct record_bytes kept_record_bytes(const struct kept_record *k)
{
    return (struct record_bytes){{k->data, k->data_len}, {k->signature, sizeof(k->signature)}};
}

size_t kept_record_size(const struct kept_record *k)
{
    return sizeof(*k) + k->data_len;
}
