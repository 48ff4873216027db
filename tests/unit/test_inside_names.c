/* SPDX-License-Identifier: Apache-2.0 */
/* cli/inside_names: which resolv.conf(5) a node's status makes, also one that a stranger wrote. */

#include "cli/inside_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static char text[INSIDE_NAMES_MAX];

static bool made(const char *status)
{
    json_t *node = json_loads(status, 0, NULL);
    assert_non_null(node);
    memset(text, 'x', sizeof(text));
    bool ok = inside_names_text(node, text);
    json_decref(node);
    return ok;
}

static void it_names_the_node_at_its_addresses(void **state)
{
    (void)state;
    assert_true(made("{\"addresses\": [\"10.1.2.3/24\", \"fd00::3/64\"],"
                     " \"network\": {\"name\": \"home\", \"names\": {\"mode\": \"off\"}}}"));
    assert_string_equal(text, "nameserver 10.1.2.3\nnameserver fd00::3\n"
                              "search home.internal\noptions timeout:2\n");
}

static void at_most_three_servers_are_named(void **state)
{
    (void)state;
    assert_true(made("{\"addresses\": [\"10.1.2.3/24\", \"10.1.2.4/24\", \"10.1.2.5/24\", \"10.1.2.6/24\"],"
                     " \"network\": {\"name\": \"home\", \"names\": {}}}"));
    assert_non_null(strstr(text, "10.1.2.5"));
    assert_null(strstr(text, "10.1.2.6"));
}

static void without_names_or_addresses_there_is_none(void **state)
{
    (void)state;
    assert_false(made("{\"addresses\": [\"10.1.2.3/24\"], \"network\": null}"));
    assert_false(
        made("{\"addresses\": [\"10.1.2.3/24\"], \"network\": {\"name\": \"home\", \"names\": null}}"));
    assert_false(made("{\"addresses\": [], \"network\": {\"name\": \"home\", \"names\": {}}}"));
    assert_false(made("{\"addresses\": [7, \"\", \"x\\nnameserver 6.6.6.6\"],"
                      " \"network\": {\"name\": \"home\", \"names\": {}}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_names_the_node_at_its_addresses),
        cmocka_unit_test(at_most_three_servers_are_named),
        cmocka_unit_test(without_names_or_addresses_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
