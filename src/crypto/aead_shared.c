/* SPDX-License-Identifier: Apache-2.0 */
/* Each key has a context that looks like any other, so that whoever seals need not know. */

#include "crypto/aead_shared.h"

#include "crypto/aead_backend.h"
#include <pthread.h>
#include <stdlib.h>

struct borrower {
    struct aead base;
    struct aead_shared *from;
    const uint8_t *key;
    uint32_t bit;
};

struct aead_shared {
    pthread_mutex_t lock;
    struct aead *cipher;
    const uint8_t *key; /* that it has; NULL: none */
    _Atomic uint32_t used;
    struct borrower borrowers[];
};

static struct borrower *borrower(struct aead *a)
{
    return (struct borrower *)a; /* base is the first member */
}

/* Locked; the cipher has the borrower's key, unless that failed. */
static int take(const struct borrower *b)
{
    struct aead_shared *s = b->from;
    pthread_mutex_lock(&s->lock);
    if (s->key == b->key)
        return 0;
    int err = aead_set_key(s->cipher, b->key);
    s->key = err ? NULL : b->key;
    return err;
}

static void give_back(const struct borrower *b, int err)
{
    pthread_mutex_unlock(&b->from->lock);
    if (!err)
        atomic_fetch_or_explicit(&b->from->used, b->bit, memory_order_relaxed);
}

static int shared_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                       size_t aad_len, const struct slice *pieces, size_t count, uint8_t *out)
{
    const struct borrower *b = borrower(a);
    int err = take(b);
    if (!err)
        err = aead_seal(b->from->cipher, nonce, aad, aad_len, pieces, count, out);
    give_back(b, err);
    return err;
}

static int shared_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                       size_t aad_len, uint8_t *data, size_t len)
{
    const struct borrower *b = borrower(a);
    int err = take(b);
    if (!err)
        err = aead_open(b->from->cipher, nonce, aad, aad_len, data, len);
    give_back(b, err);
    return err;
}

static const struct aead_backend shared_backend = {.seal = shared_seal, .open = shared_open};

int aead_shared_new(enum aead_suite suite, unsigned count, struct aead_shared **out)
{
    static const uint8_t none[AEAD_KEY_LEN];
    struct aead_shared *s = calloc(1, sizeof(*s) + count * sizeof(s->borrowers[0]));
    if (!s)
        return ERR_NOMEM;
    int err = aead_new(suite, none, &s->cipher);
    if (err) {
        free(s);
        return err;
    }
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return 0;
}

void aead_shared_free(struct aead_shared *s)
{
    if (!s)
        return;
    aead_free(s->cipher);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct aead *aead_shared_under(struct aead_shared *s, unsigned at, const uint8_t *key, uint32_t bit)
{
    s->borrowers[at] = (struct borrower){{&shared_backend}, s, key, bit};
    return &s->borrowers[at].base;
}

_Atomic uint32_t *aead_shared_used(struct aead_shared *s)
{
    return &s->used;
}
