/* SPDX-License-Identifier: Apache-2.0 */
/* Which overlay addresses of two nodes meet. */
#include "node/report/subnets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "10.0.0.1/24 fd00::1/64" */
static unsigned read_list(const char *text, struct addr_prefix out[4])
{
    char copy[128], *rest = copy, *word;
    unsigned count = 0;
    strcpy(copy, text);
    while ((word = strsep(&rest, " ")) && *word) {
        char *slash = strchr(word, '/');
        assert_non_null(slash);
        *slash = '\0';
        assert_int_equal(addr_parse(word, 0, &out[count].addr), 0);
        out[count++].bits = (uint8_t)atoi(slash + 1);
    }
    return count;
}

static enum subnets compare(const char *ours, const char *theirs, unsigned family)
{
    struct addr_prefix a[4], b[4];
    struct subnets_pair pair = {NULL, NULL};
    unsigned n = read_list(ours, a), m = read_list(theirs, b);
    enum subnets fit = subnets_compare(a, n, b, m, family, &pair);
    if (fit != SUBNETS_MEET) {
        assert_true(pair.ours >= a && pair.ours < a + n && pair.ours->addr.family == family);
        assert_true(pair.theirs >= b && pair.theirs < b + m && pair.theirs->addr.family == family);
    }
    return fit;
}

static void one_subnet_in_common_is_enough(void **state)
{
    (void)state;
    assert_int_equal(compare("10.0.0.1/24", "10.0.0.2/24", 4), SUBNETS_MEET);
    assert_int_equal(compare("10.0.0.1/24 10.7.0.1/16", "10.0.0.2/16 10.7.0.2/16", 4), SUBNETS_MEET);
    assert_int_equal(compare("fd00::1/64", "fd00::2/64", 6), SUBNETS_MEET);
}

static void who_has_no_address_of_the_family_contradicts_nobody(void **state)
{
    (void)state;
    assert_int_equal(compare("", "10.0.0.2/24", 4), SUBNETS_MEET);
    assert_int_equal(compare("10.0.0.1/24", "", 4), SUBNETS_MEET);
    assert_int_equal(compare("10.0.0.1/24", "fd00::2/64", 4), SUBNETS_MEET);
    assert_int_equal(compare("10.0.0.1/24", "10.9.0.2/24 fd00::2/64", 6), SUBNETS_MEET);
}

static void different_masks_of_one_network_are_told_apart_from_different_networks(void **state)
{
    (void)state;
    assert_int_equal(compare("10.0.0.1/24", "10.0.0.2/16", 4), SUBNETS_MASKS_DIFFER);
    assert_int_equal(compare("10.0.0.1/16", "10.0.9.2/24", 4), SUBNETS_MASKS_DIFFER);
    assert_int_equal(compare("10.0.0.1/24", "10.0.1.2/24", 4), SUBNETS_APART);
    assert_int_equal(compare("fd00::1/64", "fd01::2/64", 6), SUBNETS_APART);
    assert_int_equal(compare("10.0.0.1/24 fd00::1/64", "10.0.0.2/24 fd01::2/64", 6), SUBNETS_APART);
    assert_int_equal(compare("10.0.0.1/24 10.2.0.1/24", "10.2.0.2/25 10.9.0.2/24", 4), SUBNETS_MASKS_DIFFER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_subnet_in_common_is_enough),
        cmocka_unit_test(who_has_no_address_of_the_family_contradicts_nobody),
        cmocka_unit_test(different_masks_of_one_network_are_told_apart_from_different_networks),
    };
    return cmocka_run_group_tests_name("subnets", tests, NULL, NULL);
}
