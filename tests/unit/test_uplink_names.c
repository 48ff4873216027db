/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/uplink_names: which proofs were made for this backbone. */

#include "backbone/uplink_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static bool have(const struct uplink_names *n, const char *host)
{
    return uplink_names_have(n, (struct slice){(const uint8_t *)host, strlen(host)});
}

static void without_names_any_counts(void **state)
{
    (void)state;
    const struct uplink_names n = {0};
    assert_true(have(&n, "backbone.example"));
}

static void name_counts_with_any_port_unless_it_has_one(void **state)
{
    (void)state;
    struct uplink_names n = {0};
    assert_null(uplink_names_add(&n, "Backbone.Example"));
    assert_null(uplink_names_add(&n, "other.example:8080"));
    assert_null(uplink_names_add(&n, "[2001:db8::1]"));
    assert_true(have(&n, "backbone.example") && have(&n, "backbone.example:8443"));
    assert_true(have(&n, "other.example:8080") && have(&n, "[2001:db8::1]:80") && have(&n, "[2001:db8::1]"));
    assert_false(have(&n, "other.example"));
    assert_false(have(&n, "other.example:80801"));
    assert_false(have(&n, "other.example:8080:1"));
    assert_false(have(&n, "backbone.example.evil.example"));
    assert_false(have(&n, "backbone.exampl"));
    assert_false(have(&n, "[2001:db8::2]"));
}

static void what_is_no_host_is_refused(void **state)
{
    (void)state;
    struct uplink_names n = {0};
    static char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    assert_non_null(uplink_names_add(&n, "https://backbone.example"));
    assert_non_null(uplink_names_add(&n, "backbone.example/path"));
    assert_non_null(uplink_names_add(&n, ""));
    assert_non_null(uplink_names_add(&n, longest));
    for (int i = 0; i < UPLINK_NAMES_MAX; i++)
        assert_null(uplink_names_add(&n, "a"));
    assert_non_null(uplink_names_add(&n, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_names_any_counts),
        cmocka_unit_test(name_counts_with_any_port_unless_it_has_one),
        cmocka_unit_test(what_is_no_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
