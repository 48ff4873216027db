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

static struct target by_uplink(unsigned backbone, uint8_t id)
{
    return target_uplink(backbone, &(struct node_id){{id}});
}

static struct target over_session(uint8_t id)
{
    return target_session(&(struct node_id){{id}});
}

static void targets_are_the_same_in_every_part_or_not_at_all(void **state)
{
    (void)state;
    struct target list[] = {at("192.0.2.1:8443"),   at("192.0.2.1:8444"),   at("192.0.2.2:8443"),
                            at("[fe80::1%1]:8443"), at("[fe80::1%2]:8443"), by_uplink(0, 1),
                            by_uplink(0, 2),        by_uplink(1, 1),        over_session(1),
                            over_session(2),        at("192.0.2.1:8443")};
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

static void an_uplink_reads_as_its_backbone_and_leads_to_no_host(void **state)
{
    (void)state;
    char text[TARGET_TEXT_MAX];
    struct target first = by_uplink(0, 1), third = by_uplink(2, 1);
    assert_string_equal(target_format(&first, text), "the backbone");
    assert_string_equal(target_format(&third, text), "backbone 3");
    assert_false(target_is_host(&first));
}

static void a_session_leads_to_no_host(void **state)
{
    (void)state;
    char text[TARGET_TEXT_MAX];
    struct target t = over_session(1);
    assert_string_equal(target_format(&t, text), "the session");
    assert_false(target_is_host(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_the_same_in_every_part_or_not_at_all),
        cmocka_unit_test(a_target_reads_as_its_address_and_tcp_leads_to_the_host),
        cmocka_unit_test(a_session_leads_to_no_host),
        cmocka_unit_test(an_uplink_reads_as_its_backbone_and_leads_to_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
