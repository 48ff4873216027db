/* SPDX-License-Identifier: Apache-2.0 */
/* No cipher: pieces are copied, the tag is zeros, nothing is verified. Compiled into benchmark builds alone
 * (meson -Dbench_null=true), to find what the tunnel costs without cryptography. */

#include "crypto/aead_backend.h"

#include <stdlib.h>
#include <string.h>

static const char *null_name(void)
{
    return "none";
}

static bool null_serves(enum aead_suite suite)
{
    return suite == AEAD_NULL;
}

static int null_create(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out)
{
    (void)suite;
    (void)key;
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

static int null_set_key(struct aead *a, const uint8_t key[AEAD_KEY_LEN])
{
    (void)a;
    (void)key;
    return 0;
}

static void null_destroy(struct aead *a)
{
    free(a);
}

static int null_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                     const struct slice *pieces, size_t count, uint8_t *out)
{
    (void)a;
    (void)nonce;
    (void)aad;
    (void)aad_len;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(out, pieces[i].data, pieces[i].len);
        out += pieces[i].len;
    }
    memset(out, 0, AEAD_TAG_LEN);
    return 0;
}

static int null_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                     uint8_t *data, size_t len)
{
    (void)a;
    (void)nonce;
    (void)aad;
    (void)aad_len;
    (void)data;
    (void)len;
    return 0;
}

const struct aead_backend aead_null_backend = {.name = null_name,
                                               .serves = null_serves,
                                               .create = null_create,
                                               .set_key = null_set_key,
                                               .destroy = null_destroy,
                                               .seal = null_seal,
                                               .open = null_open};
