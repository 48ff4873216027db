/* SPDX-License-Identifier: Apache-2.0 */
/* Receiver indices when they are scarce: of the random numbers that they are made from, all but four bits are
 * zero (the linker puts __wrap_secret_random in the place of secret_random). What is one in many millions there
 * happens all the time here. Times are virtual. */

#include "base/clock.h"
#include "crypto/secret.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC
#define ROUNDS 40

void __real_secret_random(void *out, size_t len);
void __wrap_secret_random(void *out, size_t len);

void __wrap_secret_random(void *out, size_t len)
{
    static const uint32_t few = 0xf00;
    uint32_t value;
    __real_secret_random(out, len);
    if (len != sizeof(value))
        return;
    memcpy(&value, out, len);
    value &= few;
    memcpy(out, &value, len);
}

static void exchange(void *context)
{
    struct sim_node **pair = context;
    sim_send_frame(pair[0], pair[1], 100);
    sim_send_frame(pair[1], pair[0], 100);
}

/* Both dial, so that each promises two indices at once. */
static void a_promised_index_is_not_promised_again(void **state)
{
    (void)state;
    static const struct sim_weather fair = {.delay_us = 5000};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct sim *sim = sim_new(round, &fair);
        sim_let_indices_collide(sim);
        struct sim_node *pair[] = {sim_add(sim, true, 4 * SECOND, 60 * SECOND),
                                   sim_add(sim, true, 4 * SECOND, 60 * SECOND)};
        sim_connect(pair[0], pair[1], NULL);
        sim_connect(pair[1], pair[0], NULL);
        sim_run(sim, 1 * SECOND, NULL, NULL);
        sim_run(sim, 10 * SECOND, exchange, pair);
        sim_run(sim, 1 * SECOND, NULL, NULL);
        for (unsigned i = 0; i < 2; i++) {
            assert_true(pair[i]->frames_sent >= 999);
            assert_int_equal(pair[1 - i]->frames_received, pair[i]->frames_sent);
            assert_int_equal(pair[i]->drops[DROP_AUTH] + pair[i]->drops[DROP_RECEIVER], 0);
        }
        sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_promised_index_is_not_promised_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
