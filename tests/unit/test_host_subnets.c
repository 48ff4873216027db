/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine has, from the kernel's text: every table, and nothing that is no prefix. */

#include "cli/host_subnets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const char trie[] = "Id 52:\n"
                           "  |-- 100.64.0.0\n"
                           "     /10 universe UNICAST\n"
                           "Main:\n"
                           "  +-- 0.0.0.0/0 3 0 5\n"
                           "     |-- 0.0.0.0\n"
                           "        /0 universe UNICAST\n"
                           "     +-- 10.0.0.0/9 2 0 2\n"
                           "        |-- 10.8.0.0\n"
                           "           /16 universe UNICAST\n"
                           "           /24 link UNICAST\n"
                           "Local:\n"
                           "     |-- 10.8.0.1\n"
                           "        /32 host LOCAL\n";

static size_t read_text(const char *text, struct addr_prefix *out, size_t cap)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    size_t count = host_subnets_read(file, out, cap);
    fclose(file);
    return count;
}

static void every_prefix_of_every_table_is_read(void **state)
{
    static const char *const expected[] = {"100.64.0.0/10", "0.0.0.0/0", "10.8.0.0/16", "10.8.0.0/24",
                                           "10.8.0.1/32"};
    struct addr_prefix out[8];
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(read_text(trie, out, 8), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(addr_prefix_format(&out[i], text), expected[i]);
    assert_int_equal(read_text(trie, out, 2), 2);
}

static void other_text_has_none(void **state)
{
    struct addr_prefix out[8];
    (void)state;
    assert_int_equal(read_text("/24 link\n |-- nonsense\n /24 link\n |-- 10.0.0.0\n /33 link\n /x\n", out, 8),
                     0);
}

static void this_machine_has_loopback(void **state)
{
    static struct addr_prefix out[HOST_SUBNETS_MAX];
    struct addr loopback;
    bool found = false;
    (void)state;
    assert_int_equal(addr_parse("127.0.0.1", 0, &loopback), 0);
    size_t count = host_subnets_list(out, HOST_SUBNETS_MAX);
    for (size_t i = 0; i < count; i++)
        found |= out[i].bits > 0 && addr_in_prefix(&loopback, &out[i]);
    if (!count)
        skip(); /* a namespace without an interface that is up */
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_of_every_table_is_read),
        cmocka_unit_test(other_text_has_none),
        cmocka_unit_test(this_machine_has_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
