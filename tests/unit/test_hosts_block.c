/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/hosts_block: a person's lines stay, byte for byte. */

#include "node/helper/hosts_block.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BEGIN "# shadowmesh lab: begin\n"
#define END   "# shadowmesh lab: end\n"
#define BLOCK                                                                                                \
    BEGIN "10.0.0.1\tparis.lab.internal\nfd00::1\tparis.lab.internal\n10.0.0.2\trome.lab.internal\n" END

static const struct hosts_name names[] = {
    {"paris", 2, {{.family = 4, .ip = {10, 0, 0, 1}}, {.family = 6, .ip = {0xfd, [15] = 1}}}},
    {"rome", 1, {{.family = 4, .ip = {10, 0, 0, 2}}}},
};

static void becomes(const char *text, size_t count, const char *expected)
{
    size_t len;
    char *got = hosts_block_put(text, strlen(text), "lab", names, count, &len);
    assert_non_null(got);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(got, expected, len);
    free(got);
}

static void block_comes_behind_all_else(void **state)
{
    (void)state;
    becomes("127.0.0.1 localhost\n", 2, "127.0.0.1 localhost\n" BLOCK);
    becomes("", 2, BLOCK);
    becomes("127.0.0.1 localhost", 2, "127.0.0.1 localhost\n" BLOCK);
}

static void block_is_replaced_and_goes(void **state)
{
    (void)state;
    becomes("a b\n" BEGIN "1.2.3.4 old\n" END "c d\n", 2, "a b\nc d\n" BLOCK);
    becomes("a b\n" BLOCK "c d\n", 0, "a b\nc d\n");
    becomes("a b\n" BLOCK BLOCK, 0, "a b\n");
    becomes("a b\n", 0, "a b\n");
}

static void block_of_another_network_stays(void **state)
{
    (void)state;
    becomes("# shadowmesh labs: begin\n1.2.3.4 x\n# shadowmesh labs: end\n", 0,
            "# shadowmesh labs: begin\n1.2.3.4 x\n# shadowmesh labs: end\n");
}

static void block_without_its_end_takes_no_line_of_a_persons(void **state)
{
    (void)state;
    becomes(BEGIN "1.2.3.4 mine\n", 0, "1.2.3.4 mine\n");
    becomes(END "1.2.3.4 mine\n" BEGIN, 0, END "1.2.3.4 mine\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_comes_behind_all_else),
        cmocka_unit_test(block_is_replaced_and_goes),
        cmocka_unit_test(block_of_another_network_stays),
        cmocka_unit_test(block_without_its_end_takes_no_line_of_a_persons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
