/* SPDX-License-Identifier: Apache-2.0 */
/* base/flags_edit: what becomes of a file's lines, and which change cannot be written. */

#include "base/flags_edit.h"

#include "base/flags_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void assert_becomes(const char *text, const char *word, const char *wanted)
{
    char name[32];
    struct flags_edit edit;
    assert_null(flags_edit_read(word, name, sizeof(name), &edit));
    char *out = flags_edit_apply(&edit, text);
    assert_non_null(out);
    assert_string_equal(out, wanted);
    free(out);
}

static void a_value_is_set_and_all_else_stays(void **state)
{
    (void)state;
    assert_becomes("# mine\n\n  port  =  1   # why\r\nname = a", "port=2",
                   "# mine\n\n  port  =  2   # why\r\nname = a");
    assert_becomes("port: 1\nport = 3\nname = port\n", "port=2", "port: 2\nname = port\n");
    assert_becomes("port =\n", "port=2", "port =2\n");
    assert_becomes("port = # none\n", "port=2", "port =2 # none\n");
    assert_becomes("name = a#b;c ; d\n", "name=e f", "name = e f ; d\n");
}

static void a_flag_that_is_not_there_comes_to_the_end(void **state)
{
    (void)state;
    assert_becomes("", "port=2", "port = 2\n");
    assert_becomes("# port = 1\nports = 1", "port=2", "# port = 1\nports = 1\nport = 2\n");
    assert_becomes("name = a\n", "allow+=b", "name = a\nallow = b\n");
}

static void one_more_comes_behind_the_last_of_its_name(void **state)
{
    (void)state;
    assert_becomes("allow = a\nallow = b # b\n\nname = x\n", "allow+=c",
                   "allow = a\nallow = b # b\nallow = c\n\nname = x\n");
    assert_becomes("allow = a", "allow+=c", "allow = a\nallow = c\n");
}

static void lines_are_removed_by_value_or_all(void **state)
{
    static const char text[] = "allow = a # first\nname = a\nallow = b\nallow=a\n";
    (void)state;
    assert_becomes(text, "allow-=a", "name = a\nallow = b\n");
    assert_becomes(text, "allow-=c", text);
    assert_becomes(text, "allow-=", "name = a\n");
    assert_becomes("tap-mtu = 1\n", "tap-mtu-=1", "");
}

static void the_mark_of_an_editor_is_no_part_of_a_name(void **state)
{
    (void)state;
    assert_becomes("\xef\xbb\xbfport = 1\n", "port=2", "\xef\xbb\xbfport = 2\n");
}

#define REFUSED(word) assert_non_null(flags_edit_read(word, name, sizeof(name), &edit))

static void what_is_no_change_or_would_be_read_otherwise_is_refused(void **state)
{
    char name[8], word[FLAGS_FILE_LINE_MAX + 16] = "port=";
    struct flags_edit edit;
    (void)state;
    REFUSED("");
    REFUSED("port");
    REFUSED("=1");
    REFUSED("-=1");
    REFUSED("po rt=1");
    REFUSED("Port=1");
    REFUSED("port+1");
    REFUSED("port=");
    REFUSED("port+=");
    REFUSED("longer-than-it=1");
    REFUSED("port= 1");
    REFUSED("port=1 ");
    REFUSED("port=#1");
    REFUSED("port=1 # 2");
    REFUSED("port=1 ;2");
    REFUSED("port=1\nallow = x");
    memset(word + 5, 'a', FLAGS_FILE_LINE_MAX);
    REFUSED(word);
    assert_null(flags_edit_read("port=a#b = c", name, sizeof(name), &edit));
    assert_string_equal(name, "port");
    assert_string_equal(edit.value, "a#b = c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_set_and_all_else_stays),
        cmocka_unit_test(a_flag_that_is_not_there_comes_to_the_end),
        cmocka_unit_test(one_more_comes_behind_the_last_of_its_name),
        cmocka_unit_test(lines_are_removed_by_value_or_all),
        cmocka_unit_test(the_mark_of_an_editor_is_no_part_of_a_name),
        cmocka_unit_test(what_is_no_change_or_would_be_read_otherwise_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
