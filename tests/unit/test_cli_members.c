/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh members and revoke: what people are told, and what the node is asked for. */

#include "cli_lab.h"

#define MEMBER(id, name, rest) "{\"id\":\"" id "\",\"name\":\"" name "\"," rest "}"
#define HERE                                                                                                 \
    "\"addresses\":[\"10.7.3.65\",\"fd00::41\"],\"roles\":[\"issuer\",\"relay\"],\"expires\":4000000000,"    \
    "\"self\":true,\"state\":\"self\",\"seen_age_s\":0,\"path\":null"
#define THERE                                                                                                \
    "\"addresses\":[\"10.7.3.66\"],\"roles\":[],\"expires\":4000000000,\"self\":false,"                      \
    "\"state\":\"connected\",\"seen_age_s\":0,\"path\":" PATH
#define NEWER                                                                                                \
    THERE ",\"issued\":1000000000,\"version\":\"9.8.7\",\"clock_ahead_s\":-172800,"                          \
          "\"features\":{\"lacks\":[\"punching\",\"trunks\"],\"has\":[\"bit-40\"]}"
#define AWAY                                                                                                 \
    "\"addresses\":[],\"roles\":[],\"expires\":1000000000,\"self\":false,\"state\":\"backoff\","             \
    "\"seen_age_s\":134,\"path\":null"
#define NEVER                                                                                                \
    "\"addresses\":[],\"roles\":[],\"expires\":4000000000,\"self\":false,\"state\":\"unknown\","             \
    "\"seen_age_s\":null,\"path\":null"
#define ENTRIES(list) OK("{\"entries\":[" list "]}")

static void members_are_listed_with_what_is_known_of_them(void **state)
{
    (void)state;
    add_node(
        ID_A, STATUS(ID_A, "site-a"), "members",
        ENTRIES(MEMBER(ID_A, "site-a", HERE) "," MEMBER(ID_B, "site-b", THERE) "," MEMBER(ID_C, "", AWAY)));
    assert_run("members", CLI_OK);
    static const char *const lines[] = {
        "MEMBER",  "10.7.3.65, fd00::41", "issuer, relay", "this node", "direct 203.0.113.7:9443",
        "expired", "2 min 14 s ago",      "backoff"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_non_null(strstr(out, lines[i]));
    assert_string_equal(err, "");
}

static void what_a_member_runs_and_can_is_told(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "members", ENTRIES(MEMBER(ID_B, "site-b", NEWER)));
    assert_run("members", CLI_OK);
    static const char *const lines[] = {"ISSUED", "VERSION", "9.8.7", " ago",
                                        "lacks punching, trunks; has bit-40; its clock is 2 d 0 h behind"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_non_null(strstr(out, lines[i]));
}

static void member_that_was_never_seen_has_no_time(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "members", ENTRIES(MEMBER(ID_B, "site-b", NEVER)));
    assert_run("members", CLI_OK);
    assert_null(strstr(out, "ago"));
    assert_null(strstr(out, " now "));
    assert_non_null(strstr(out, "unknown"));
}

static void members_are_json_for_scripts(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "members", ENTRIES(MEMBER(ID_B, "site-b", THERE)));
    assert_run("members --json", CLI_OK);
    json_t *list = json_out();
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "name")), "site-b");
    json_decref(list);
}

static void network_without_a_roster_says_so(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "members", ENTRIES(""));
    assert_run("members", CLI_OK);
    assert_non_null(strstr(out, "no roster has come yet"));
}

static void node_without_a_network_is_told(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "members", REFUSED("members: this node is in no network"));
    assert_run("members", CLI_FAILURE);
    assert_non_null(strstr(err, "in no network"));
}

static void revoke_hands_the_name_on_and_tells_what_was_done(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "revoke",
                              OK("{\"member\":\"site-b\",\"id\":\"" ID_B "\",\"number\":2}"));
    assert_run("revoke site-b", CLI_OK);
    assert_non_null(strstr(n->requests[0], "\"member\""));
    assert_non_null(strstr(n->requests[0], "site-b"));
    assert_string_equal(out, "revoke site-b: " ID_B
                             " is shut out; its sessions end everywhere, and its key never comes back\n");
    assert_run("revoke site-b site-c --json", CLI_OK);
    assert_int_equal(n->asked[1], 3);
    json_t *done = json_out();
    assert_int_equal(json_array_size(done), 2);
    json_decref(done);
}

static void revoke_elsewhere_than_at_an_issuer_says_where(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "revoke",
                              REFUSED("revoke: this node is no issuer: do it at one, which is berlin"));
    assert_run("revoke site-b site-c", CLI_FAILURE);
    assert_int_equal(n->asked[1], 1); /* and the rest is left */
    assert_one_complaint("do it at one, which is berlin");
    assert_string_equal(out, "");
}

static void revoke_takes_one_of_several_nodes(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), NULL, NULL);
    struct node *n = add_node(ID_C, STATUS(ID_C, "site-c"), "revoke", OK("{\"id\":\"" ID_B "\"}"));
    assert_run("revoke site-b", CLI_FAILURE);
    assert_one_complaint("choose one with -n NAME");
    assert_int_equal(n->asked[1], 0);
    assert_run("revoke site-b -n site-c", CLI_OK);
    assert_int_equal(n->asked[1], 1);
}

static void revoke_needs_somebody(void **state)
{
    (void)state;
    assert_run("revoke", CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_listed_with_what_is_known_of_them),
        TEST(what_a_member_runs_and_can_is_told),
        TEST(member_that_was_never_seen_has_no_time),
        TEST(members_are_json_for_scripts),
        TEST(network_without_a_roster_says_so),
        TEST(node_without_a_network_is_told),
        TEST(revoke_hands_the_name_on_and_tells_what_was_done),
        TEST(revoke_elsewhere_than_at_an_issuer_says_where),
        TEST(revoke_takes_one_of_several_nodes),
        TEST(revoke_needs_somebody),
    };
    setenv("NO_COLOR", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
