/* SPDX-License-Identifier: Apache-2.0 */
/* `shadowmesh run`: which node is meant, and what becomes of one that lies about its namespaces. That it works is a matter of
 * labs (test_rootless.py). */

#include "cli_lab.h"

#define PLAIN(id, name)           OK(NODE_WITH(id, name, SILENT, ",\"rootless\":null"))
#define ROOTLESS(id, name, named) OK(NODE_WITH(id, name, SILENT, named ",\"rootless\":{\"process\":4194305}"))
#define LIAR(id, process)         OK(NODE_WITH(id, "liar", SILENT, ",\"rootless\":{\"process\":" process "}"))

static void assert_fails(const char *rest, int code, const char *words)
{
    char line[256];
    snprintf(line, sizeof(line), "run -run %s %s", dir, rest);
    assert_run(line, code);
    assert_has(err, words);
    assert_string_equal(out, "");
}

static void a_command_is_needed_and_is_nobody_elses(void **state)
{
    (void)state;
    assert_fails("", CLI_USAGE, "run needs a command: shadowmesh run [NODE] -- CMD");
    assert_fails("--", CLI_USAGE, "run needs a command");
    assert_run("status -- true", CLI_USAGE);
    assert_has(err, "status takes no command");
}

static void a_node_of_this_machine_needs_no_run(void **state)
{
    (void)state;
    add_node(ID_A, PLAIN(ID_A, "site-a"), NULL, NULL);
    assert_fails("-- true", CLI_NO_NODE, "is in its network already");
    assert_fails("paris -- true", CLI_NO_NODE, "no node \"paris\" runs here");
}

/* There is no process of that number. */
static void the_one_without_root_is_meant(void **state)
{
    (void)state;
    add_node(ID_A, PLAIN(ID_A, "site-a"), NULL, NULL);
    add_node(ID_C, ROOTLESS(ID_C, "site-c", ",\"network\":{\"name\":\"home\"}"), NULL, NULL);
    assert_fails("-- true", CLI_FAILURE, "its namespaces cannot be opened: No such process");
    assert_fails("home -- true", CLI_FAILURE, "its namespaces cannot be opened: No such process");
    assert_fails("c0ffee -- true", CLI_FAILURE, "its namespaces cannot be opened: No such process");
    assert_fails("site-a -- true", CLI_NO_NODE, "is in its network already");
}

static void of_several_one_is_named(void **state)
{
    (void)state;
    add_node(ID_A, ROOTLESS(ID_A, "site-a", ""), NULL, NULL);
    add_node(ID_C, ROOTLESS(ID_C, "site-c", ""), NULL, NULL);
    assert_fails("-- true", CLI_FAILURE, "2 nodes fit: shadowmesh run NODE -- CMD");
    assert_fails("site-c -- true", CLI_FAILURE, "its namespaces cannot be opened: No such process");
}

static void a_process_that_is_none_is_none(void **state)
{
    (void)state;
    add_node(ID_A, LIAR(ID_A, "-1"), NULL, NULL);
    add_node(ID_C, LIAR(ID_C, "\"1\""), NULL, NULL);
    assert_fails("-- true", CLI_NO_NODE, "is in its network already");
}

static void what_runs_without_root_is_told(void **state)
{
    (void)state;
    add_node(ID_A, ROOTLESS(ID_A, "site-a", ""), NULL, NULL);
    assert_run("status", CLI_OK);
    assert_has(out, "  device    tap0 (without root: `shadowmesh run` is in its network), MTU 1500");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_needed_and_is_nobody_elses), TEST(a_node_of_this_machine_needs_no_run),
        TEST(the_one_without_root_is_meant),           TEST(of_several_one_is_named),
        TEST(a_process_that_is_none_is_none),          TEST(what_runs_without_root_is_told),
    };
    setenv("NO_COLOR", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
