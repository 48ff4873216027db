/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM of intel-ipsec-mb, through its direct interface: no jobs, no queues, one call for a datagram.
 * x86-64. One thread at a time per context. docs/PROTOCOL.md §4.
 *
 * Each call of the library writes an error number that all threads share. On two cores that could not be
 * measured beside 400 ns of cipher. */

#include "crypto/aead_backend.h"

#include "base/vault.h"
#include "crypto/aead_gather.h"
#include "crypto/secret.h"
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>

/* Measured: below this, copying a piece and one call on the whole beat a call for each part. */
#define BULK_MIN  768
#define BLOCK_LEN 128 /* what its bulk code takes at once */

struct aead_imb {
    struct aead base;
    struct gcm_context_data ctx; /* of the datagram at hand */
    uint8_t tag[AEAD_TAG_LEN];   /* as ctx: on the stack it would be guarded each time */
    alignas(64) struct gcm_key_data key;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char name[40];
static bool usable;

/* The library's code for this CPU. Its manager, 200 KB for queues of jobs, is not kept. */
static struct {
    aes_gcm_pre_t pre;
    aes_gcm_enc_dec_t enc, dec;
    aes_gcm_init_var_iv_t init;
    aes_gcm_enc_dec_update_t update;
    aes_gcm_enc_dec_finalize_t finalize;
} gcm;

/* Its AES-GCM for VAES on 256-bit registers, from 1.5 on. The library takes it only where the CPU also has
 * GFNI, which other ciphers of that kind need and GCM does not: AMD's Zen 3 and many virtual machines have none.
 * Exported but not in its header, so the names may be gone (NULL then) in another version. */
#define VAES __attribute__((weak))
VAES void aes_gcm_pre_256_vaes_avx2(const void *, struct gcm_key_data *);
VAES void aes_gcm_enc_256_vaes_avx2(const struct gcm_key_data *, struct gcm_context_data *, uint8_t *,
                                    const uint8_t *, uint64_t, const uint8_t *, const uint8_t *, uint64_t,
                                    uint8_t *, uint64_t);
VAES void aes_gcm_dec_256_vaes_avx2(const struct gcm_key_data *, struct gcm_context_data *, uint8_t *,
                                    const uint8_t *, uint64_t, const uint8_t *, const uint8_t *, uint64_t,
                                    uint8_t *, uint64_t);
VAES void aes_gcm_init_var_iv_256_vaes_avx2(const struct gcm_key_data *, struct gcm_context_data *,
                                            const uint8_t *, const uint64_t, const uint8_t *, const uint64_t);
VAES void aes_gcm_enc_256_update_vaes_avx2(const struct gcm_key_data *, struct gcm_context_data *, uint8_t *,
                                           const uint8_t *, uint64_t);
VAES void aes_gcm_enc_256_finalize_vaes_avx2(const struct gcm_key_data *, struct gcm_context_data *,
                                             uint8_t *, uint64_t);

/* aead_choice.c tries it against OpenSSL's, as it does whatever the library chose. */
static void prefer_vaes(const IMB_MGR *m)
{
    const uint64_t needed = IMB_FEATURE_AVX2 | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

    if ((m->features & needed) != needed || m->features & IMB_FEATURE_GFNI || imb_get_version() >> 16 != 2 ||
        !aes_gcm_pre_256_vaes_avx2 || !aes_gcm_enc_256_vaes_avx2 || !aes_gcm_dec_256_vaes_avx2 ||
        !aes_gcm_init_var_iv_256_vaes_avx2 || !aes_gcm_enc_256_update_vaes_avx2 ||
        !aes_gcm_enc_256_finalize_vaes_avx2)
        return;
    gcm.pre = aes_gcm_pre_256_vaes_avx2;
    gcm.enc = aes_gcm_enc_256_vaes_avx2;
    gcm.dec = aes_gcm_dec_256_vaes_avx2;
    gcm.init = aes_gcm_init_var_iv_256_vaes_avx2;
    gcm.update = aes_gcm_enc_256_update_vaes_avx2;
    gcm.finalize = aes_gcm_enc_256_finalize_vaes_avx2;
}

static void load(void)
{
    const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SELF_TEST_PASS;
    IMB_MGR *m = alloc_mb_mgr(0);

    snprintf(name, sizeof(name), "ipsec-mb %s", imb_get_version_str());
    if (!m)
        return;
    init_mb_mgr_auto(m, NULL);
    usable = imb_get_errno(m) == 0 && (m->features & needed) == needed;
    gcm.pre = m->gcm256_pre;
    gcm.enc = m->gcm256_enc;
    gcm.dec = m->gcm256_dec;
    gcm.init = m->gcm256_init_var_iv;
    gcm.update = m->gcm256_enc_update;
    gcm.finalize = m->gcm256_enc_finalize;
    if (usable)
        prefer_vaes(m);
    free_mb_mgr(m);
}

static const char *imb_name(void)
{
    pthread_once(&once, load);
    return name;
}

static bool imb_serves(enum aead_suite suite)
{
    pthread_once(&once, load);
    return usable && suite == AEAD_AES_256_GCM;
}

static struct aead_imb *imb(struct aead *a)
{
    return (struct aead_imb *)a; /* base is the first member */
}

static int imb_create(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out)
{
    struct aead_imb *a = vault_alloc(sizeof(*a));

    (void)suite;
    if (!a)
        return ERR_NOMEM;
    gcm.pre(key, &a->key);
    *out = &a->base;
    return 0;
}

static int imb_set_key(struct aead *base, const uint8_t key[AEAD_KEY_LEN])
{
    gcm.pre(key, &imb(base)->key);
    return 0;
}

static void imb_destroy(struct aead *base)
{
    vault_free(imb(base));
}

static int imb_seal(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, const struct slice *pieces, size_t count, uint8_t *out)
{
    struct aead_gather g = {
        .pieces = pieces, .count = count, .out = out, .bulk_min = BULK_MIN, .block = BLOCK_LEN};
    struct aead_imb *a = imb(base);
    struct aead_run run;

    aead_gather_next(&g, &run);
    if (!g.count) {
        gcm.enc(&a->key, &a->ctx, run.out, run.in, run.len, nonce, aad, aad_len, g.out, AEAD_TAG_LEN);
        return 0;
    }
    gcm.init(&a->key, &a->ctx, nonce, AEAD_NONCE_LEN, aad, aad_len);
    do
        gcm.update(&a->key, &a->ctx, run.out, run.in, run.len);
    while (aead_gather_next(&g, &run));
    gcm.finalize(&a->key, &a->ctx, g.out, AEAD_TAG_LEN);
    return 0;
}

static int imb_open(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, uint8_t *data, size_t len)
{
    struct aead_imb *a = imb(base);
    size_t body = len - AEAD_TAG_LEN;

    gcm.dec(&a->key, &a->ctx, data, data, body, nonce, aad, aad_len, a->tag, sizeof(a->tag));
    if (secret_equal(a->tag, data + body, sizeof(a->tag)))
        return 0;
    secret_wipe(a->tag, sizeof(a->tag)); /* the right one for what a stranger sent */
    return ERR_CRYPTO;
}

const struct aead_backend aead_imb_backend = {.name = imb_name,
                                              .serves = imb_serves,
                                              .create = imb_create,
                                              .set_key = imb_set_key,
                                              .destroy = imb_destroy,
                                              .seal = imb_seal,
                                              .open = imb_open};
