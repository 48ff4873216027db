/* SPDX-License-Identifier: Apache-2.0 */
/* Which implementation serves a suite. Once per process, on whichever thread asks first.
 *
 * The rule: the last of the table that runs on this CPU and agrees with OpenSSL. ipsec-mb has the same instructions to
 * work with and is called directly, so that a small datagram costs it less than half of what it costs through EVP
 * (docs/BENCHMARKS.md); a clock at the start would decide the same, but for a machine that is busy at that moment.
 * docs/SECURITY.md says why another implementation is trusted with keys at all. */

#include "crypto/aead_choice.h"

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
    return aead_seal(a, trial_nonce, trial_aad, sizeof(trial_aad), pieces, count, out);
}

static int trial_open(struct aead *a, uint8_t *data, size_t len)
{
    return aead_open(a, trial_nonce, trial_aad, sizeof(trial_aad), data, len + AEAD_TAG_LEN);
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
    size_t altered = len * 31 % (len + AEAD_TAG_LEN); /* of the text, or of the tag */
    t->one[altered] ^= 1;
    memcpy(t->other, t->one, len + AEAD_TAG_LEN);
    if (trial_open(b, t->other, len) == 0)
        return false;
    t->one[altered] ^= 1;
    return trial_open(b, t->one, len) == 0 && memcmp(t->one, t->plain, len) == 0;
}

static bool agree_everywhere(struct aead *a, struct aead *b)
{
    static const size_t lengths[] = {0,   1,   15,  16,  17,  31,  48,  63,   64,   65,   127,  128,
                                     129, 255, 256, 257, 511, 767, 769, 1024, 1400, 1514, 4097, TRIAL_MAX};
    struct trial *t = malloc(sizeof(*t));
    bool same = t != NULL;

    for (size_t i = 0; t && i < sizeof(t->plain); i++)
        t->plain[i] = (uint8_t)(i * 167 + i / 251);
    for (size_t i = 0; same && i < sizeof(lengths) / sizeof(lengths[0]); i++)
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

/* ---- AEAD_MEASURED ---- */

#define ROUNDS    16
#define PER_ROUND 32

/* Nanoseconds in which a seals and opens PER_ROUND full and as many small datagrams; TIME_NEVER when it
 * fails. */
static uint64_t time_round(struct aead *a)
{
    uint8_t plain[1400] = {0}, sealed[sizeof(plain) + AEAD_TAG_LEN];
    const struct slice full = {plain, sizeof(plain)}, small = {plain, 64};
    bool failed = false;
    uint64_t begin = clock_thread_ns();

    for (int i = 0; i < PER_ROUND; i++) {
        failed |= trial_seal(a, &full, 1, sealed) || trial_open(a, sealed, full.len);
        failed |= trial_seal(a, &small, 1, sealed) || trial_open(a, sealed, small.len);
    }
    return failed ? TIME_NEVER : clock_thread_ns() - begin;
}

/* By their best rounds, those that nothing else disturbed; in turns, so that neither has the worse moment. A
 * near tie goes to the candidate, so that starts do not differ by chance (under valgrind it is one). */
static bool is_worth_it(const struct aead_backend *candidate, const struct aead_backend *than,
                        enum aead_suite suite)
{
    uint64_t one_best = TIME_NEVER, other_best = TIME_NEVER;
    struct aead *one = NULL, *other = NULL;

    if (aead_new_with(candidate, suite, trial_key, &one) || aead_new_with(than, suite, trial_key, &other))
        goto out;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t one_ns = time_round(one), other_ns = time_round(other);

        one_best = one_ns < one_best ? one_ns : one_best;
        other_best = other_ns < other_best ? other_ns : other_best;
    }
out:
    aead_free(one);
    aead_free(other);
    return one_best != TIME_NEVER && one_best / 5 < other_best / 4;
}

/* ---- the choice ---- */

static enum aead_choice choice = AEAD_BY_RULE;

void aead_choose_by(enum aead_choice how)
{
    choice = how;
}

static bool is_better(const struct aead_backend *candidate, const struct aead_backend *than,
                      enum aead_suite suite)
{
    return choice != AEAD_OPENSSL_ALONE && aead_agree(than, candidate, suite) &&
           (choice == AEAD_BY_RULE || is_worth_it(candidate, than, suite));
}

static const struct aead_backend *best_of(enum aead_suite suite)
{
    const struct aead_backend *best = NULL;

    for (size_t i = 0; aead_backends[i]; i++) {
        const struct aead_backend *candidate = aead_backends[i];

        if (candidate->serves(suite) && (!best || is_better(candidate, best, suite)))
            best = candidate;
    }
    return best;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct aead_backend *chosen[UINT8_MAX + 1]; /* by the suite's number */

static void choose(void)
{
    for (unsigned number = 0; number <= UINT8_MAX; number++)
        if (aead_suite_known(number))
            chosen[number] = best_of((enum aead_suite)number);
}

const struct aead_backend *aead_choose(enum aead_suite suite)
{
    pthread_once(&once, choose);
    return (unsigned)suite <= UINT8_MAX ? chosen[suite] : NULL;
}
