/* SPDX-License-Identifier: Apache-2.0 */
/* Ids as people type them. */

#include "base/id.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define TEXT "00ff10a55a0123456789abcdefdeadbeef00c0de"

static void forty_digits_of_either_case_are_an_id(void **state)
{
    struct node_id lower, upper;
    char out[ID_TEXT_MAX];

    (void)state;
    assert_int_equal(id_parse(TEXT, &lower), 0);
    assert_int_equal(id_parse("00FF10A55A0123456789ABCDEFDEADBEEF00C0DE", &upper), 0);
    assert_int_equal(id_compare(&lower, &upper), 0);
    assert_int_equal(lower.bytes[1], 0xff);
    assert_int_equal(lower.bytes[ID_LEN - 1], 0xde);
    assert_ptr_equal(id_format(&upper, out), out);
    assert_string_equal(out, TEXT);
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    static const char *const bad[] = {"",
                                      "00ff",
                                      "00ff10a55a0123456789abcdefdeadbeef00c0d",
                                      TEXT "0",
                                      "g0ff10a55a0123456789abcdefdeadbeef00c0de",
                                      "00ff10a55a0123456789abcdefdeadbeef00c0d ",
                                      "0x0ff10a55a0123456789abcdefdeadbeef00c0de",
                                      "00ff10a55a0123456789abcdefdeadbeef00c0\xc3\xa9"};
    struct node_id id = {{1}}, before = id;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(id_parse(bad[i], &id), ERR_ARGUMENT);
        assert_memory_equal(&id, &before, sizeof(id));
    }
}

static void order_is_that_of_the_bytes(void **state)
{
    struct node_id a = {{0x7f}}, b = {{0x80}};

    (void)state;
    assert_true(id_compare(&a, &b) < 0);
    assert_true(id_compare(&b, &a) > 0);
    b = a;
    b.bytes[ID_LEN - 1] = 1;
    assert_true(id_compare(&a, &b) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_digits_of_either_case_are_an_id),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
        cmocka_unit_test(order_is_that_of_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
