/* SPDX-License-Identifier: Apache-2.0 */
/* Stateless challenges on a clock of the test's own. */

#include "backbone/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW 1800000000ull

static struct challenge_keys key;

static int setup(void **state)
{
    (void)state;
    challenge_keys_init(&key, NOW);
    return 0;
}

static void fresh_challenge_is_known_until_it_expires(void **state)
{
    (void)state;
    uint8_t c[RECORD_CHALLENGE_LEN];
    assert_int_equal(challenge_make(&key, NOW, c), 0);
    assert_int_equal(challenge_check(&key, NOW, c), 0);
    assert_int_equal(challenge_check(&key, NOW + CHALLENGE_LIFETIME_S, c), 0);
    assert_int_equal(challenge_check(&key, NOW + CHALLENGE_LIFETIME_S + 1, c), ERR_NOT_FOUND);
}

/* Clocks of two instances are never the same. */
static void challenge_from_the_future_is_known_as_far_as_clocks_may_differ(void **state)
{
    (void)state;
    uint8_t c[RECORD_CHALLENGE_LEN];
    assert_int_equal(challenge_make(&key, NOW + CHALLENGE_SKEW_S, c), 0);
    assert_int_equal(challenge_check(&key, NOW, c), 0);
    assert_int_equal(challenge_make(&key, NOW + CHALLENGE_SKEW_S + 1, c), 0);
    assert_int_equal(challenge_check(&key, NOW, c), ERR_NOT_FOUND);
}

/* NOW is the first second of an hour. */
static void key_serves_beyond_its_hour_and_no_longer(void **state)
{
    (void)state;
    struct challenge_keys turned = key;
    uint8_t c[RECORD_CHALLENGE_LEN];
    assert_int_equal(NOW % 3600, 0);
    assert_int_equal(challenge_make(&key, NOW + 3599, c), 0);
    challenge_keys_turn(&turned, NOW + 3600);
    assert_int_equal(turned.hour, key.hour + 1);
    assert_int_equal(challenge_check(&turned, NOW + 3601, c), 0);
    challenge_keys_turn(&turned, NOW + 2 * 3600);
    challenge_keys_turn(&turned, NOW + 3 * 3600);
    assert_int_equal(challenge_check(&turned, NOW + 3601, c), ERR_NOT_FOUND);
    uint8_t zero[STORE_KEY_LEN] = {0};
    for (unsigned i = 0; i < STORE_KEYS; i++)
        assert_memory_not_equal(turned.keys[i], zero, sizeof(zero));
}

static void challenge_of_another_key_is_unknown(void **state)
{
    (void)state;
    struct challenge_keys other;
    uint8_t c[RECORD_CHALLENGE_LEN];
    challenge_keys_init(&other, NOW);
    assert_int_equal(challenge_make(&other, NOW, c), 0);
    assert_int_equal(challenge_check(&key, NOW, c), ERR_NOT_FOUND);
}

static void every_altered_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t c[RECORD_CHALLENGE_LEN];
    assert_int_equal(challenge_make(&key, NOW, c), 0);
    for (unsigned bit = 0; bit < 8 * sizeof(c); bit++) {
        c[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(challenge_check(&key, NOW, c), ERR_NOT_FOUND);
        c[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(challenge_check(&key, NOW, c), 0);
}

static void challenges_of_one_second_differ(void **state)
{
    (void)state;
    uint8_t a[RECORD_CHALLENGE_LEN], b[RECORD_CHALLENGE_LEN];
    assert_int_equal(challenge_make(&key, NOW, a), 0);
    assert_int_equal(challenge_make(&key, NOW, b), 0);
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_challenge_is_known_until_it_expires),
        cmocka_unit_test(challenge_from_the_future_is_known_as_far_as_clocks_may_differ),
        cmocka_unit_test(key_serves_beyond_its_hour_and_no_longer),
        cmocka_unit_test(challenge_of_another_key_is_unknown),
        cmocka_unit_test(every_altered_bit_is_noticed),
        cmocka_unit_test(challenges_of_one_second_differ),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
