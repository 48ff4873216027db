/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an AEAD implementation gives to aead.c, which alone chooses among them; callers see only aead.h. */

#include "crypto/aead.h"

struct aead_backend {
    /* As the functions of aead.h; guards are done, the chosen backend supports the suite. */
    int (*create)(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out);
    void (*destroy)(struct aead *a);
    int (*seal)(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                const struct slice *pieces, size_t count, uint8_t *out);
    int (*open)(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                uint8_t *data, size_t len);
};

/* First member of every backend's own struct. */
struct aead {
    const struct aead_backend *backend;
};

/* OpenSSL's EVP: every suite, every machine. */
extern const struct aead_backend aead_evp_backend;
