/* SPDX-License-Identifier: Apache-2.0 */
/* AEAD contexts: the suites, and which implementation serves them. One thread at a time per context.
 * docs/PROTOCOL.md, "Data plane". */

#include "crypto/aead.h"

#include "crypto/aead_backend.h"
#include "crypto/secret.h"
#include <limits.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

const char *aead_suite_name(enum aead_suite suite)
{
    switch (suite) {
    case AEAD_AES_256_GCM:
        return "AES-256-GCM";
    case AEAD_CHACHA20_POLY1305:
        return "ChaCha20-Poly1305";
    }
    return "unknown";
}

bool aead_cpu_has_aes(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    unsigned long caps = getauxval(AT_HWCAP);

    return (caps & HWCAP_AES) && (caps & HWCAP_PMULL);
#else
    return false;
#endif
}

int aead_new(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out)
{
    switch (suite) {
    case AEAD_AES_256_GCM:
    case AEAD_CHACHA20_POLY1305:
        return aead_evp_backend.create(suite, key, out);
    }
    return ERR_UNSUPPORTED;
}

void aead_free(struct aead *a)
{
    if (a)
        a->backend->destroy(a);
}

int aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
              const struct slice *pieces, size_t count, uint8_t *out)
{
    return a->backend->seal(a, nonce, aad, aad_len, pieces, count, out);
}

int aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
              uint8_t *data, size_t len)
{
    int err;

    if (len < AEAD_TAG_LEN || len > INT_MAX)
        return ERR_CRYPTO;
    err = a->backend->open(a, nonce, aad, aad_len, data, len);
    if (err)
        secret_wipe(data, len);
    return err;
}
