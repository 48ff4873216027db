/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/upgrade: which requests become an uplink. */

#include "backbone/upgrade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char accept_value[WEBSOCKET_ACCEPT_LEN + 1];

static struct upgrade_request good(void)
{
    return (struct upgrade_request){.upgrade = "websocket",
                                    .connection = "Upgrade",
                                    .key = "dGhlIHNhbXBsZSBub25jZQ==",
                                    .version = "13",
                                    .protocol = "shadowmesh.link.v1"};
}

static void request_for_an_uplink_gets_its_answer(void **state)
{
    (void)state;
    struct upgrade_request r = good();
    assert_null(upgrade_check(&r, accept_value));
    assert_string_equal(accept_value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 §1.3 */
}

static void tokens_are_found_in_lists_of_any_case(void **state)
{
    (void)state;
    struct upgrade_request r = good();
    r.upgrade = "h2c, WebSocket";
    r.connection = "keep-alive,\tupgrade";
    r.protocol = "other, shadowmesh.link.v1";
    assert_null(upgrade_check(&r, accept_value));
}

static void request_that_lacks_anything_is_told_what(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        NULL, "", ",", "websockets", "Upgraded", "1", "shadowmesh.link.v2", "dG8gc2hvcnQ="};
    for (int field = 0; field < 5; field++)
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            struct upgrade_request r = good();
            const char **fields[] = {&r.upgrade, &r.connection, &r.key, &r.version, &r.protocol};
            *fields[field] = wrong[i];
            assert_non_null(upgrade_check(&r, accept_value));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_for_an_uplink_gets_its_answer),
        cmocka_unit_test(tokens_are_found_in_lists_of_any_case),
        cmocka_unit_test(request_that_lacks_anything_is_told_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
