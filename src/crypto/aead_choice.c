/* SPDX-License-Identifier: Apache-2.0 */
/* Which implementation serves a suite: of those that run on this machine and agree with OpenSSL, the fastest,
 * by a measurement of about a millisecond. Once per process, on whichever thread asks first. docs/SECURITY.md
 * says why another implementation is trusted with keys at all. */

#include "crypto/aead_backend.h"

#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const struct aead_backend *const aead_backends[] = {
    &aead_evp_backend,
#ifdef HAVE_IPSEC_MB
    &aead_imb_backend,
#endif
#ifdef SHADOWMESH_BENCH_NULL
    &aead_null_backend,
#endif
    NULL,
};

#define TRIAL_MAX 9000

/* Fixed, so that the trial is the same on every start. */
static const uint8_t trial_key[AEAD_KEY_LEN] = "a key only to try the ciphers";
static const uint8_t trial_nonce[AEAD_NONCE_LEN] = "trial nonce", trial_aad[16] = "trial header";

struct trial {
    uint8_t plain[TRIAL_MAX], one[TRIAL_MAX + AEAD_TAG_LEN], other[TRIAL_MAX + AEAD_TAG_LEN];
};

static int trial_seal(struct aead *a, const struct slice *pieces, size_t count, uint8_t *out)
{
    return aead_seal(a, trial_nonce, trial_aad, sizeof trial_aad, pieces, count, out);
}

static int trial_open(struct aead *a, uint8_t *data, size_t len)
{
    return aead_open(a, trial_nonce, trial_aad, sizeof trial_aad, data, len + AEAD_TAG_LEN);
}

/* Both seal len bytes, cut as a worker cuts them; each opens what the other made. */
static bool agree_at(struct aead *a, struct aead *b, struct trial *t, size_t len)
{
    size_t inner = len < 16 ? len : 16, head = len - inner < 54 ? len - inner : 54;
    const struct slice whole = {t->plain, len};
    const struct slice pieces[] = {
        {t->plain, inner}, {t->plain + inner, head}, {t->plain + inner + head, len - inner - head}};

    if (trial_seal(a, &whole, 1, t->one) || trial_seal(b, pieces, 3, t->other) ||
        memcmp(t->one, t->other, len + AEAD_TAG_LEN) != 0)
        return false;
    if (trial_seal(b, &whole, 1, t->other) || memcmp(t->one, t->other, len + AEAD_TAG_LEN) != 0)
        return false;
    if (trial_open(a, t->other, len) || memcmp(t->other, t->plain, len) != 0)
        return false;
    t->one[len] ^= 1; /* the first byte of the tag */
    memcpy(t->other, t->one, len + AEAD_TAG_LEN);
    if (trial_open(b, t->other, len) == 0)
        return false;
    t->one[len] ^= 1;
    return trial_open(b, t->one, len) == 0 && memcmp(t->one, t->plain, len) == 0;
}

static bool agree_everywhere(struct aead *a, struct aead *b)
{
    static const size_t lengths[] = {0,   1,   15,  16,  17,  31,  48,  63,   64,   65,   127,  128,
                                     129, 255, 256, 257, 511, 767, 769, 1024, 1400, 1514, 4097, TRIAL_MAX};
    struct trial *t = malloc(sizeof *t);
    bool same = t != NULL;

    for (size_t i = 0; t && i < sizeof t->plain; i++)
        t->plain[i] = (uint8_t)(i * 167 + i / 251);
    for (size_t i = 0; same && i < sizeof lengths / sizeof lengths[0]; i++)
        same = agree_at(a, b, t, lengths[i]);
    free(t);
    return same;
}

bool aead_agree(const struct aead_backend *a, const struct aead_backend *b, enum aead_suite suite)
{
    struct aead *one = NULL, *other = NULL;
    bool same = aead_new_with(a, suite, trial_key, &one) == 0 &&
                aead_new_with(b, suite, trial_key, &other) == 0 && agree_everywhere(one, other);

    aead_free(one);
    aead_free(other);
    return same;
}

#define ROUNDS    8
#define PER_ROUND 32

/* Microseconds of the best round, each sealing and opening a full and a small datagram PER_ROUND times; the
 * best one is the one that nothing else disturbed. */
static uint64_t measure(const struct aead_backend *backend, enum aead_suite suite)
{
    uint8_t plain[1400] = {0}, sealed[sizeof plain + AEAD_TAG_LEN];
    const struct slice full = {plain, sizeof plain}, small = {plain, 64};
    uint64_t best = UINT64_MAX;
    struct aead *a;
    bool failed = false;

    if (aead_new_with(backend, suite, trial_key, &a))
        return UINT64_MAX;
    for (int round = 0; round < ROUNDS && !failed; round++) {
        uint64_t begin = clock_monotonic_us();

        for (int i = 0; i < PER_ROUND; i++) {
            failed |= trial_seal(a, &full, 1, sealed) || trial_open(a, sealed, full.len);
            failed |= trial_seal(a, &small, 1, sealed) || trial_open(a, sealed, small.len);
        }
        uint64_t took = clock_monotonic_us() - begin;
        best = took < best ? took : best;
    }
    aead_free(a);
    return failed ? UINT64_MAX : best;
}

static const struct aead_backend *fastest(enum aead_suite suite)
{
    const struct aead_backend *best = NULL;
    uint64_t best_us = UINT64_MAX;

    for (size_t i = 0; aead_backends[i]; i++) {
        const struct aead_backend *candidate = aead_backends[i];

        if (!candidate->serves(suite))
            continue;
        if (!best) {
            best = candidate;
            continue;
        }
        if (!aead_agree(best, candidate, suite))
            continue;
        if (best_us == UINT64_MAX)
            best_us = measure(best, suite);
        uint64_t took_us = measure(candidate, suite);
        if (took_us < best_us) {
            best = candidate;
            best_us = took_us;
        }
    }
    return best;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct aead_backend *chosen[UINT8_MAX + 1]; /* by the suite's number */

static void choose(void)
{
    for (unsigned number = 0; number <= UINT8_MAX; number++)
        if (aead_suite_known(number))
            chosen[number] = fastest((enum aead_suite)number);
}

const struct aead_backend *aead_choose(enum aead_suite suite)
{
    pthread_once(&once, choose);
    return (unsigned)suite <= UINT8_MAX ? chosen[suite] : NULL;
}
