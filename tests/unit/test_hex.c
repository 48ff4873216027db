/* SPDX-License-Identifier: Apache-2.0 */
/* base/hex: digits of either case, exactly as many as asked for. */

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void bytes_survive_the_way_to_text_and_back(void **state)
{
    (void)state;
    uint8_t all[256], back[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_ptr_equal(hex_encode(all, 256, text), text);
    assert_memory_equal(text, "000102", 6);
    assert_string_equal(text + 506, "fdfeff");
    assert_int_equal(hex_decode(text, back, 256), 0);
    assert_memory_equal(back, all, 256);
}

static void both_cases_are_read(void **state)
{
    (void)state;
    uint8_t out[3];
    assert_int_equal(hex_decode("aBcDeF", out, 3), 0);
    assert_memory_equal(out, "\xab\xcd\xef", 3);
}

static void other_lengths_and_characters_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "0",    "012",  "01234", "012g",
                                      "0 12", " 012", "+1-2", "0x12",  "01\n2"};
    uint8_t out[2] = {7, 7};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(hex_decode(bad[i], out, 2), ERR_ARGUMENT);
    assert_memory_equal(out, "\7\7", 2);
}

static void a_mac_address_has_colons(void **state)
{
    (void)state;
    char text[MAC_TEXT_MAX];
    assert_string_equal(mac_format((const uint8_t[6]){2, 0x1f, 0xab, 0, 0x9c, 0xff}, text),
                        "02:1f:ab:00:9c:ff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_survive_the_way_to_text_and_back),
        cmocka_unit_test(both_cases_are_read),
        cmocka_unit_test(other_lengths_and_characters_are_refused),
        cmocka_unit_test(a_mac_address_has_colons),
    };
    return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
