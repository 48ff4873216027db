/* SPDX-License-Identifier: Apache-2.0 */
/* proto/wire/target: what makes two targets one, and how they read. */

#include "proto/wire/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct target at(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return target_tcp(&a);
}

static void targets_are_the_same_in_kind_and_address_or_not_at_all(void **state)
{
    (void)state;
    struct target list[] = {at("192.0.2.1:8443"),   at("192.0.2.1:8444"),   at("192.0.2.2:8443"),
                            at("[fe80::1%1]:8443"), at("[fe80::1%2]:8443"), at("192.0.2.1:8443")};
    size_t count = sizeof(list) / sizeof(list[0]);
    list[count - 1].kind = (enum target_kind)77; /* of a later version */
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(target_same(&list[i], &list[j]), i == j);
}

static void a_target_reads_as_its_address_and_tcp_leads_to_the_host(void **state)
{
    (void)state;
    char text[TARGET_TEXT_MAX];
    struct target t = at("[2001:db8::1]:8443");
    assert_string_equal(target_format(&t, text), "[2001:db8::1]:8443");
    assert_true(target_is_host(&t));
    t.kind = (enum target_kind)77;
    assert_false(target_is_host(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_the_same_in_kind_and_address_or_not_at_all),
        cmocka_unit_test(a_target_reads_as_its_address_and_tcp_leads_to_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
