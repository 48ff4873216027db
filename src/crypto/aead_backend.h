/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an AEAD implementation gives to aead.c. Callers see only aead.h; tests reach every backend through here. */

#include "crypto/aead.h"

struct aead_backend {
    /* The library and its version, "OpenSSL 3.5.1"; valid for ever. */
    const char *(*name)(void);
    /* True when it has the suite and this machine can run it. */
    bool (*serves)(enum aead_suite suite);
    /* As the functions of aead.h; guards are done, the backend serves the suite. */
    int (*create)(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out);
    int (*set_key)(struct aead *a, const uint8_t key[AEAD_KEY_LEN]);
    void (*destroy)(struct aead *a);
    int (*seal)(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                const struct slice *pieces, size_t count, uint8_t *out);
    /* May leave data in any state when it fails: aead_open zeroes it. */
    int (*open)(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                uint8_t *data, size_t len);
};

/* First member of every backend's own struct. */
struct aead {
    const struct aead_backend *backend;
};

/* Those of this build, NULL at the end. The first, OpenSSL's, is the reference. */
extern const struct aead_backend *const aead_backends[];

/* OpenSSL's EVP: every suite that the protocol names, every machine. */
extern const struct aead_backend aead_evp_backend;
/* intel-ipsec-mb: AES-256-GCM on x86-64, in builds that found the library. */
extern const struct aead_backend aead_imb_backend;
/* No cipher at all, in benchmark builds (meson -Dbench_null=true). */
extern const struct aead_backend aead_null_backend;

/* As aead_new, by this backend. ERR_UNSUPPORTED when it does not serve the suite. */
int aead_new_with(const struct aead_backend *backend, enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN],
                  struct aead **out) must_check;
