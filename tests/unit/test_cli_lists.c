/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh allow, disallow, connect, disconnect: what the node is asked for, what people are told of it, and that nothing
 * is asked for when something is wrong. */

#include "cli_lab.h"

#include <pwd.h>
#include <sys/stat.h>

#define DONE(lasting, note) OK("{\"id\":\"" ID_B "\",\"lasting\":" lasting ",\"note\":\"" note "\"}")
#define HINT                "it is among its flags"

static void assert_request(const struct node *n, unsigned i, const char *text)
{
    assert_true(i < n->asked[1]);
    json_t *is = json_loads(n->requests[i], 0, NULL), *should_be = json_loads(text, 0, NULL);
    assert_non_null(should_be);
    if (!json_equal(is, should_be))
        fail_msg("request %u is %s", i, n->requests[i]);
    json_decref(is);
    json_decref(should_be);
}

static void each_verb_asks_its_node_and_tells_what_was_done(void **state)
{
    static const char *const verbs[] = {"allow", "disallow", "connect", "disconnect"};
    char line[128], request[128], told[160];
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), NULL, DONE("true", HINT));
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        n->answers[1].command = verbs[i];
        snprintf(line, sizeof(line), "%s " ID_B, verbs[i]);
        assert_run(line, CLI_OK);
        snprintf(request, sizeof(request), "{\"cmd\":\"%s\",\"id\":\"" ID_B "\"}", verbs[i]);
        assert_request(n, i, request);
        snprintf(told, sizeof(told), "%s " ID_B ": done; " HINT "\n", verbs[i]);
        assert_string_equal(out, told);
        assert_string_equal(err, "");
    }
}

static void change_that_a_restart_undoes_says_so(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "allow", DONE("false", "-allow " ID_B " makes it last"));
    assert_run("allow " ID_B, CLI_OK);
    assert_string_equal(out, "allow " ID_B ": done until the node stops; -allow " ID_B " makes it last\n");
}

static void connect_hands_the_host_on(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "connect", DONE("false", HINT));
    assert_run("connect " ID_B "@192.0.2.7:8443", CLI_OK);
    assert_request(n, 0, "{\"cmd\":\"connect\",\"id\":\"" ID_B "\",\"addresses\":[\"192.0.2.7:8443\"]}");
    assert_run("connect " ID_B "@[2001:db8::1]:8443", CLI_OK);
    assert_request(n, 1, "{\"cmd\":\"connect\",\"id\":\"" ID_B "\",\"addresses\":[\"[2001:db8::1]:8443\"]}");
}

static void ids_are_asked_for_in_turn(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "allow", DONE("true", HINT));
    assert_run("allow " ID_B " " ID_C " --json", CLI_OK);
    assert_int_equal(n->asked[1], 2);
    assert_request(n, 0, "{\"cmd\":\"allow\",\"id\":\"" ID_B "\"}");
    assert_request(n, 1, "{\"cmd\":\"allow\",\"id\":\"" ID_C "\"}");
    json_t *done = json_out();
    assert_int_equal(json_array_size(done), 2);
    assert_true(json_is_true(json_object_get(json_array_get(done, 1), "lasting")));
    json_decref(done);
}

static void refusal_ends_the_run_with_what_was_done(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "connect", REFUSED("this node has no room"));
    assert_run("connect " ID_B " " ID_C, CLI_FAILURE);
    assert_one_complaint("this node has no room");
    assert_string_equal(out, "");
    assert_int_equal(n->asked[1], 1);
    assert_run("connect " ID_B " --json", CLI_FAILURE);
    assert_string_equal(out, "[]\n");
}

static void node_that_is_gone_before_it_answers_is_told(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "disallow", NULL);
    assert_run("disallow " ID_B, CLI_FAILURE);
    assert_one_complaint(ID_A);
    assert_string_equal(out, "");
}

static void wrong_word_is_exit_2_and_nothing_is_asked_for(void **state)
{
    static const char *const lines[][2] = {
        {"allow", "allow"},
        {"allow 1234", "all 40 hex digits"},
        {"allow " ID_B "0", "all 40 hex digits"},
        {"allow " ID_B " zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "all 40 hex digits"},
        {"allow " ID_B "@192.0.2.7", "only connect takes a host"},
        {"disconnect " ID_B "@192.0.2.7", "only connect takes a host"},
        {"connect @192.0.2.7", "all 40 hex digits"},
        {"connect " ID_B " bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@192.0.2.7", "all 40 hex digits"},
    };
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "allow", DONE("true", HINT));
    n->answers[2] = (struct answer){"connect", DONE("true", HINT)};
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_run(lines[i][0], CLI_USAGE);
        assert_one_complaint(lines[i][1]);
        assert_string_equal(out, "");
    }
    assert_int_equal(n->asked[1] + n->asked[2], 0);
}

static void one_of_several_nodes_has_to_be_chosen(void **state)
{
    (void)state;
    struct node *a = add_node(ID_A, STATUS(ID_A, "site-a"), "allow", DONE("true", HINT));
    struct node *c = add_node(ID_C, STATUS(ID_C, "site-c"), "allow", DONE("true", HINT));
    assert_run("allow " ID_B, CLI_FAILURE);
    assert_one_complaint("2 nodes run here: choose one with -n NAME");
    assert_int_equal(a->asked[1] + c->asked[1], 0);
    assert_run("allow " ID_B " -n site-c", CLI_OK);
    assert_int_equal(a->asked[1], 0);
    assert_int_equal(c->asked[1], 1);
}

static void change_without_a_node_is_exit_3(void **state)
{
    (void)state;
    assert_run("allow " ID_B, CLI_NO_NODE);
    assert_one_complaint("no node runs here");
}

/* Root may connect anywhere. */
static int run_as_reader(const char *line, const char *full)
{
    const struct passwd *nobody = getpwnam("nobody");
    assert_int_equal(chmod(full, 0), 0);
    if (geteuid() != 0)
        return run(line);
    assert_non_null(nobody);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(seteuid(nobody->pw_uid), 0);
    int code = run(line);
    assert_int_equal(seteuid(0), 0);
    return code;
}

static void who_may_only_read_is_told_what_to_do(void **state)
{
    (void)state;
    struct node *full = add_node(ID_A, STATUS(ID_A, "site-a"), "allow", DONE("true", HINT));
    struct node *reads = add_socket(ID_A, ".ro.sock", STATUS(ID_A, "site-a"), NULL, NULL);
    assert_int_equal(chmod(reads->path, 0666), 0);
    assert_int_equal(run_as_reader("allow " ID_B, full->path), CLI_FAILURE);
    assert_one_complaint("only root and the user that runs the node may change it: try sudo");
    assert_int_equal(full->asked[1], 0);
    assert_int_equal(reads->asked[0], 1);
}

static void what_a_node_says_cannot_reach_the_terminal(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "allow",
             OK("{\"id\":\"a\\u001b]0;owned\\u0007\",\"lasting\":true,\"note\":\"\\u001b[2J\\u202e\"}"));
    assert_run("allow " ID_B, CLI_OK);
    assert_string_equal(out, "allow a?]0;owned?: done; ?[2J?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_verb_asks_its_node_and_tells_what_was_done),
        TEST(change_that_a_restart_undoes_says_so),
        TEST(connect_hands_the_host_on),
        TEST(ids_are_asked_for_in_turn),
        TEST(refusal_ends_the_run_with_what_was_done),
        TEST(node_that_is_gone_before_it_answers_is_told),
        TEST(wrong_word_is_exit_2_and_nothing_is_asked_for),
        TEST(one_of_several_nodes_has_to_be_chosen),
        TEST(change_without_a_node_is_exit_3),
        TEST(who_may_only_read_is_told_what_to_do),
        TEST(what_a_node_says_cannot_reach_the_terminal),
    };
    setenv("NO_COLOR", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
