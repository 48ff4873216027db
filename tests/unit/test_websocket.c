/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/websocket: the example of RFC 6455, section 1.3. */

#include "crypto/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_answer_to_the_key_of_the_rfc_is_its_own(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    assert_int_equal(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void another_key_has_another_answer(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    assert_int_equal(websocket_accept("dGhlIHNhbXBsZSBub25jZg==", accept), 0);
    assert_string_not_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_to_the_key_of_the_rfc_is_its_own),
        cmocka_unit_test(another_key_has_another_answer),
    };
    return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}
