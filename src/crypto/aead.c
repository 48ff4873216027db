/* SPDX-License-Identifier: Apache-2.0 */
/* AEAD contexts: the suites, and the way to whichever implementation serves them. One thread at a time per
 * context. docs/PROTOCOL.md §4. */

#include "crypto/aead.h"

#include "crypto/aead_backend.h"
#include "crypto/aead_choice.h"
#include "crypto/secret.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Of OpenSSL's arm_arch.h. */
#define ARMCAP_AES   (1U << 2)
#define ARMCAP_PMULL (1U << 5)

const char *aead_suite_name(enum aead_suite suite)
{
    switch (suite) {
    case AEAD_AES_256_GCM:
        return "AES-256-GCM";
    case AEAD_CHACHA20_POLY1305:
        return "ChaCha20-Poly1305";
#ifdef SHADOWMESH_BENCH_NULL
    case AEAD_NULL:
        return "NO ENCRYPTION (benchmark)";
#endif
    }
    return "unknown";
}

bool aead_suite_known(unsigned number)
{
    switch ((enum aead_suite)number) {
    case AEAD_AES_256_GCM:
    case AEAD_CHACHA20_POLY1305:
#ifdef SHADOWMESH_BENCH_NULL
    case AEAD_NULL:
#endif
        return true;
    }
    return false;
}

static bool offers(const uint8_t *list, size_t count, unsigned number)
{
    return count && memchr(list, (int)number, count);
}

enum aead_suite aead_common(const uint8_t *ours, size_t our_count, const uint8_t *theirs, size_t their_count)
{
    bool slow = (our_count && ours[0] == AEAD_CHACHA20_POLY1305) ||
                (their_count && theirs[0] == AEAD_CHACHA20_POLY1305);
    enum aead_suite found = 0;

    for (size_t i = 0; i < their_count; i++) {
        enum aead_suite suite = theirs[i];

        if (!aead_suite_known(suite) || !offers(ours, our_count, suite))
            continue;
        if (!found || (suite == AEAD_CHACHA20_POLY1305) == slow)
            found = suite;
    }
    return found;
}

const char *aead_backend_name(enum aead_suite suite)
{
    const struct aead_backend *backend = aead_choose(suite);

    return backend ? backend->name() : "none";
}

/* What OpenSSL takes on ARM, "OPENSSL_armcap=0xbd": of the CPU, or of the environment's variable of that name. */
bool aead_armcap_has_aes(const char *settings)
{
    static const char label[] = "OPENSSL_armcap=";
    const char *at = settings ? strstr(settings, label) : NULL;
    unsigned long caps = at ? strtoul(at + sizeof(label) - 1, NULL, 16) : 0;
    return (caps & ARMCAP_AES) && (caps & ARMCAP_PMULL);
}

bool aead_cpu_has_aes(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    return aead_armcap_has_aes(OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS));
#else
    return false;
#endif
}

int aead_new_with(const struct aead_backend *backend, enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN],
                  struct aead **out)
{
    int err;

    if (!backend->serves(suite))
        return ERR_UNSUPPORTED;
    err = backend->create(suite, key, out);
    if (!err)
        (*out)->backend = backend;
    return err;
}

int aead_new(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out)
{
    const struct aead_backend *backend = aead_choose(suite);

    return backend ? aead_new_with(backend, suite, key, out) : ERR_UNSUPPORTED;
}

int aead_set_key(struct aead *a, const uint8_t key[AEAD_KEY_LEN])
{
    return a->backend->set_key(a, key);
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
