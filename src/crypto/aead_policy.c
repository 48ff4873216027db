/* SPDX-License-Identifier: Apache-2.0 */
/* What a node says of AEADs in its HELLO. Any thread. docs/PROTOCOL.md §4. */

#include "crypto/aead_policy.h"

enum aead_suite aead_policy_first(enum aead_policy policy)
{
    switch (policy) {
    case AEAD_AUTO:
        break;
    case AEAD_AES_ALONE:
        return AEAD_AES_256_GCM;
    case AEAD_CHACHA_ALONE:
        return AEAD_CHACHA20_POLY1305;
    }
    return aead_cpu_has_aes() ? AEAD_AES_256_GCM : AEAD_CHACHA20_POLY1305;
}

size_t aead_policy_offer(enum aead_policy policy, uint8_t out[AEAD_OFFER_MAX])
{
    enum aead_suite first = aead_policy_first(policy);
    out[0] = (uint8_t)first;
    if (policy != AEAD_AUTO)
        return 1;
    out[1] = first == AEAD_AES_256_GCM ? AEAD_CHACHA20_POLY1305 : AEAD_AES_256_GCM;
    return 2;
}

const char *aead_policy_reason(enum aead_policy policy)
{
    switch (policy) {
    case AEAD_AUTO:
        break;
    case AEAD_AES_ALONE:
        return "-aead aes";
    case AEAD_CHACHA_ALONE:
        return "-aead chacha20";
    }
    return aead_cpu_has_aes() ? "this CPU has AES instructions" : "this CPU has no AES instructions";
}
