/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh reload: which node is asked, what people are told of its answer, and the exit code. */

#include "cli_lab.h"

#define STATUS_OF(id, name, file) OK(NODE_WITH(id, name, PEER(ID_C, "site-c"), ",\"config\":[\"" file "\"]"))
#define RESULT(changes, restart, warnings)                                                                   \
    OK("{\"files\":[],\"changes\":[" changes "],\"restart\":[" restart "],\"warnings\":[" warnings "]}")
#define OFFICE "/etc/shadowmesh/office/node.conf"

static void node_is_found_by_its_file_before_its_name(void **state)
{
    (void)state;
    struct node *other = add_node(ID_A, STATUS_OF(ID_A, "office", "/x"), "reload", RESULT("", "", ""));
    struct node *meant = add_node(ID_B, STATUS_OF(ID_B, "site-b", OFFICE), "reload", RESULT("", "", ""));
    assert_run("reload office", CLI_OK);
    assert_string_equal(out, "nothing has changed\n");
    assert_run("reload /etc/shadowmesh/office/node.conf", CLI_OK);
    assert_run("reload site-b", CLI_OK);
    assert_int_equal(meant->asked[1], 3);
    assert_int_equal(other->asked[1], 0);
    assert_run("reload a1b2c3", CLI_OK);
    assert_int_equal(other->asked[1], 1);
}

static void folder_of_all_files_may_be_another(void **state)
{
    (void)state;
    struct node *n =
        add_node(ID_A, STATUS_OF(ID_A, "site-a", "/x/office/node.conf"), "reload", RESULT("", "", ""));
    assert_run("reload office -etc /x", CLI_OK);
    assert_run("reload office", CLI_NO_NODE);
    assert_int_equal(n->asked[1], 1);
    n = add_node(ID_B, STATUS_OF(ID_B, "site-b", "/usr/x/office/node.conf"), "reload", RESULT("", "", ""));
    assert_int_equal(chdir("/usr"), 0);
    assert_run("reload office -etc x", CLI_OK);
    assert_int_equal(n->asked[1], 1);
}

static void node_that_does_not_run_or_is_not_one_is_named(void **state)
{
    (void)state;
    assert_run("reload office", CLI_NO_NODE);
    add_node(ID_A, STATUS_OF(ID_A, "site", "/x"), "reload", NULL);
    add_node(ID_B, STATUS_OF(ID_B, "site", "/y"), "reload", NULL);
    assert_run("reload office", CLI_NO_NODE);
    assert_one_complaint("reload office: no node that runs here has this name, nor its file");
    assert_run("reload site", CLI_FAILURE);
    assert_one_complaint("several nodes have this name");
    assert_run("reload", CLI_USAGE);
}

static void changes_and_what_needs_a_restart_are_listed(void **state)
{
    (void)state;
    add_node(ID_A, STATUS_OF(ID_A, "site-a", OFFICE), "reload",
             RESULT("{\"flag\":\"allow\",\"id\":\"" ID_C "\",\"change\":\"added\"},"
                    "{\"flag\":\"v\\u001b\",\"change\":\"removed\"}",
                    "\"port\",\"tap-mtu\"", "\"-connect x: what is odd\""));
    assert_run("reload office", CLI_OK);
    assert_string_equal(out,
                        "-allow " ID_C ": added\n-v?: removed\n-port: needs a restart\n-tap-mtu: needs a "
                        "restart\n");
    assert_one_complaint("reload: -connect x: what is odd");
    assert_run("reload office --json", CLI_OK);
    json_t *told = json_out();
    assert_int_equal(json_array_size(json_object_get(told, "changes")), 2);
    json_decref(told);
}

static void what_is_wrong_is_a_failure_with_its_words(void **state)
{
    (void)state;
    add_node(ID_A, STATUS_OF(ID_A, "site-a", OFFICE), "reload",
             REFUSED("-config " OFFICE ": line 3: unknown flag x"));
    assert_run("reload office", CLI_FAILURE);
    assert_string_equal(out, "");
    assert_one_complaint("reload office: nothing has changed: -config " OFFICE ": line 3: unknown flag x");
}

static void nonsense_of_a_node_is_survived(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS_OF(ID_A, "site-a", OFFICE), "reload",
                              OK("{\"changes\":[1,{}],\"restart\":[2],\"warnings\":[{}]}"));
    assert_run("reload office", CLI_OK);
    n->answers[1].line = OK("7");
    assert_run("reload office", CLI_OK);
    n->answers[1].line = NULL;
    assert_run("reload office", CLI_FAILURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(node_is_found_by_its_file_before_its_name),
        TEST(folder_of_all_files_may_be_another),
        TEST(node_that_does_not_run_or_is_not_one_is_named),
        TEST(changes_and_what_needs_a_restart_are_listed),
        TEST(what_is_wrong_is_a_failure_with_its_words),
        TEST(nonsense_of_a_node_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
