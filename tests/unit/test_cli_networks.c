/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh up, join, leave: which files are there afterwards, what people are told, and that nothing is half made. The node
 * is a script, and answers as the test says. */

#include "crypto/cert_chain.h"
#include "crypto/keyfile.h"
#include "crypto/token.h"

#include "cli_networks_lab.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

/* This node's certificate, judged by the other two. */
static void read_member(struct cert *ca, struct cert *issuer, struct cert *member)
{
    uint8_t der[3][CERT_MAX], *spki;
    struct identity *key;
    char path[256];
    uint64_t now = (uint64_t)time(NULL);
    struct slice c = read_cert("home", CERTFILE_CA, der[0]);
    assert_int_equal(cert_decode(c.data, c.len, ca), 0);
    assert_int_equal(cert_chain_ca(c, &ca->id, now, ca), CERT_OK);
    c = read_cert("home/state", CERTFILE_OWN_ISSUER, der[1]);
    assert_int_equal(cert_chain_issuer(ca, c, now, issuer), CERT_OK);
    snprintf(path, sizeof(path), "%s/home/state", etc);
    assert_int_equal(identity_load(path, &key), 0);
    spki = (uint8_t *)(uintptr_t)identity_spki(key);
    c = read_cert("home/state", CERTFILE_MEMBER, der[2]);
    assert_int_equal(cert_chain_member(ca, issuer, c, spki, now, member), CERT_OK);
    identity_free(key);
}

static int entries_of_etc(void)
{
    char command[128];
    snprintf(command, sizeof(command), "[ -z \"$(/bin/ls -A %s 2>/dev/null)\" ]", etc);
    return system(command) != 0;
}

/* ---- up ---- */

static void up_makes_a_network_that_holds(void **state)
{
    struct cert ca, issuer, member;
    char text[ADDR_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    assert_verb("up home -name berlin -backbone http://192.0.2.1:8080 -backbone http://192.0.2.2:8080",
                CLI_OK);
    read_member(&ca, &issuer, &member);
    assert_string_equal(member.name, "berlin");
    assert_string_equal(member.network, "home");
    assert_int_equal(ca.ranges[0].bits, 24);
    assert_int_equal(ca.ranges[0].addr.ip[0], 10);
    assert_has(out, addr_format(&member.addresses[0], text));
    assert_has(out, addr_format(&member.addresses[1], text));
    assert_int_equal(mode_of("home"), 0755);
    assert_int_equal(mode_of("home/ca.key"), 0600);
    assert_int_equal(mode_of("home/state"), 0700);
    assert_int_equal(mode_of("home/state/node.key"), 0600);
    assert_int_equal(mode_of("home/node.conf"), 0644);
    const char *conf = read_text("home/node.conf");
    assert_has(conf, "\nnetwork = home\n");
    assert_has(conf, "\nbackbone = http://192.0.2.1:8080\nbackbone = http://192.0.2.2:8080\n");
}

static void last_line_of_up_tells_how_the_next_site_comes_in(void **state)
{
    (void)state;
    add_node(ID_A, IS_MEMBER, "invite", OK("{\"token\":\"sm1:secret\"}"));
    assert_verb("up home", CLI_OK);
    assert_string_equal(err, "");
    size_t end = strlen(out) - 1;
    assert_int_equal(out[end], '\n');
    out[end] = '\0';
    const char *last = strrchr(out, '\n');
    assert_string_equal(last ? last + 1 : "", "shadowmesh join sm1:secret");
}

static void chosen_addresses_are_taken(void **state)
{
    struct cert ca, issuer, member;
    char text[ADDR_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    assert_verb("up home -range 172.20.0.0/16 -range fd00:1:2:3::/64 -tap-ip 172.20.1.7 -ip 192.0.2.9",
                CLI_OK);
    read_member(&ca, &issuer, &member);
    assert_string_equal(addr_prefix_format(&ca.ranges[0], text), "172.20.0.0/16");
    assert_string_equal(addr_prefix_format(&ca.ranges[1], text), "fd00:1:2:3::/64");
    assert_string_equal(addr_format(&member.addresses[0], text), "172.20.1.7");
    assert_has(read_text("home/node.conf"), "\nip = 192.0.2.9\n");
}

static void address_alone_chooses_the_range(void **state)
{
    struct cert ca, issuer, member;
    char text[ADDR_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    assert_verb("up home -tap-ip 192.168.77.5", CLI_OK);
    read_member(&ca, &issuer, &member);
    assert_string_equal(addr_prefix_format(&ca.ranges[0], text), "192.168.77.0/24");
    assert_string_equal(addr_format(&member.addresses[0], text), "192.168.77.5");
}

static void wrong_value_makes_nothing(void **state)
{
    static const char *const lines[] = {
        "up Home",
        "up ../home",
        "up home -name Berlin",
        "up home -range 10.0.0.0",
        "up home -range 10.0.0.0/29",
        "up home -range 10.0.0.1/24",
        "up home -range 10.0.0.0/24 -range 10.0.1.0/24",
        "up home -tap-ip nowhere",
        "up home -range 10.0.0.0/24 -tap-ip 10.0.1.1",
        "up home -range 10.0.0.0/24 -tap-ip 10.0.0.200",
        "up home -range 10.0.0.0/24 -ip 10.0.0.1",
        "join nonsense",
        "join sm1:abc",
        "join sm2:abc",
    };
    char line[256];
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        snprintf(line, sizeof(line), "%s -etc %s", lines[i], etc);
        int code = run(line);
        if (code != CLI_USAGE && code != CLI_FAILURE)
            fail_msg("%s: exit code %d", lines[i], code);
        assert_one_complaint(": ");
        assert_false(entries_of_etc());
    }
}

static void value_that_the_node_refuses_makes_nothing(void **state)
{
    (void)state;
    node_is("echo 'shadowmesh-l2: -backbone x: no URL' >&2; exit 2");
    assert_verb("up home -backbone x", CLI_FAILURE);
    assert_false(entries_of_etc());
}

static void existing_network_starts_again_and_stays_as_it_is(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, IS_MEMBER, NULL, NULL);
    assert_verb("up home", CLI_OK);
    char *before = strdup(read_text("home/ca.pem"));
    assert_verb("up home", CLI_OK);
    assert_has(out, "runs already");
    assert_verb("up home -range 10.0.0.0/24", CLI_USAGE);
    assert_one_complaint("is there already");
    assert_string_equal(read_text("home/ca.pem"), before);
    assert_true(n->asked[0] >= 2);
    free(before);
}

static void node_that_ends_is_told_with_its_last_words(void **state)
{
    (void)state;
    node_is("echo 'no right to make a device' >&2; exit 1");
    assert_verb("up home", CLI_FAILURE);
    assert_one_complaint("no right to make a device");
    assert_int_equal(mode_of("home/ca.key"), 0600); /* what was made is whole, and `up` starts it again */
}

static void full_disk_leaves_nothing(void **state)
{
    struct rlimit before, limit;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 1000; room <= 10000; room += 9000) { /* of a key, of a certificate */
        limit = (struct rlimit){room, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_verb("up home", CLI_FAILURE);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_one_complaint(strerror(EFBIG));
        assert_false(entries_of_etc());
    }
    signal(SIGXFSZ, SIG_DFL);
}

/* ---- status ---- */

static void status_tells_of_the_network(void **state)
{
    static const struct {
        const char *answer, *said;
    } cases[] = {
        {WITH_NETWORK("", "\"state\":\"member\",\"issuer\":true,\"not_after\":1798623903"),
         "  network   home, member until 2026-12-30, an issuer\n"},
        {WITH_NETWORK("", "\"state\":\"joining\",\"step\":\"searching\",\"text\":\"\""),
         "  network   home, joining: looks for an issuer\n"},
        {WITH_NETWORK("",
                      "\"state\":\"refused\",\"step\":\"proving\",\"text\":\"the token was \\u001bused\""),
         "  network   home, refused: the token was ?used\n"},
    };
    (void)state;
    struct node *n = add_node(ID_A, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n->answers[0].line = cases[i].answer;
        assert_run("status", CLI_OK);
        assert_has(out, cases[i].said);
    }
}

/* ---- leave ---- */

static void leave_removes_all_but_asks_first(void **state)
{
    (void)state;
    node_is("exit 1");
    assert_verb("up home", CLI_FAILURE);
    (void)!freopen("/dev/null", "r", stdin);
    assert_verb("leave home", CLI_FAILURE);
    assert_one_complaint("-yes");
    assert_int_equal(mode_of("home/ca.key"), 0600);
    assert_verb("leave home -yes", CLI_OK);
    assert_false(entries_of_etc());
    assert_verb("leave home -yes", CLI_NO_NODE);
    assert_verb("down home", CLI_NO_NODE);
}

/* ---- join ---- */

static void make_token(char text[TOKEN_TEXT_MAX])
{
    struct token t = {.name = "home", .place_count = 2};
    memset(t.seed, 7, sizeof(t.seed));
    strcpy(t.places[0].url, "http://192.0.2.1:8080");
    assert_int_equal(addr_parse("192.0.2.5:8443", 0, &t.places[1].addr), 0);
    assert_int_equal(token_encode(&t, text), 0);
}

static int join_by_word(char *word)
{
    char name[] = "shadowmesh", verb[] = "join", run_flag[] = "-run", etc_flag[] = "-etc",
         name_flag[] = "-name", paris[] = "paris";
    char *args[] = {name, verb, word, run_flag, dir, etc_flag, etc, name_flag, paris, NULL};
    return run_args(9, args);
}

static void join_keeps_the_token_for_the_node_alone(void **state)
{
    char token[TOKEN_TEXT_MAX], word[TOKEN_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    make_token(token);
    strcpy(word, token);
    assert_int_equal(join_by_word(word), CLI_OK);
    assert_int_equal(strspn(word, "*"), strlen(token)); /* as ps(1) shows it */
    assert_string_equal(read_text("home/state/join.token"), token);
    assert_int_equal(mode_of("home/state/join.token"), 0600);
    const char *conf = read_text("home/node.conf");
    assert_has(conf, "\nnetwork = home\n");
    assert_has(conf, "\nname = paris\n");
    assert_has(conf, "\nbackbone = http://192.0.2.1:8080\n");
    assert_null(strstr(conf, token));
    assert_null(strstr(out, token));
}

static int join_by_input(const char *text)
{
    char line[256];
    input(text);
    snprintf(line, sizeof(line), "join -etc %s", etc);
    return run(line);
}

static void token_is_read_from_standard_input(void **state)
{
    char token[TOKEN_TEXT_MAX], text[2 * TOKEN_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    make_token(token);
    snprintf(text, sizeof(text), "  shadowmesh join %s \n", token);
    assert_int_equal(join_by_input(text), CLI_OK);
    assert_string_equal(read_text("home/state/join.token"), token);
}

static void each_step_is_told_until_a_peer_answers(void **state)
{
    char token[TOKEN_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    make_token(token);
    assert_int_equal(join_by_word(token), CLI_OK);
    assert_string_equal(out, "✓ the node runs\n"
                             "✓ an issuer of the network is reached\n"
                             "✓ it has proven that it is one, by the fingerprint in the token\n"
                             "✓ joined home as berlin: 10.10.10.3/24\n"
                             "✓ paris answers in 0.4 ms\n");
}

static void refusal_is_told_in_the_nodes_words(void **state)
{
    char token[TOKEN_TEXT_MAX];
    (void)state;
    add_node(
        ID_A,
        WITH_NETWORK(
            "",
            "\"state\":\"refused\",\"step\":\"proving\",\"text\":\"the token was used\\u001b[m already\""),
        NULL, NULL);
    make_token(token);
    assert_int_equal(join_by_word(token), CLI_FAILURE);
    assert_has(out, "✗ the token was used?[m already\n");
    assert_null(strstr(out, "joined"));
}

static void unfinished_join_gives_way_to_a_new_token(void **state)
{
    char token[TOKEN_TEXT_MAX], word[TOKEN_TEXT_MAX];
    (void)state;
    make_token(token);
    node_is("exit 1");
    strcpy(word, token);
    assert_int_equal(join_by_word(word), CLI_FAILURE); /* it does not run */
    strcpy(word, token);
    assert_int_equal(join_by_word(word), CLI_FAILURE);
    assert_has(err, "the node of home ended");
}

static void member_joins_no_second_time(void **state)
{
    char token[TOKEN_TEXT_MAX];
    (void)state;
    node_is("exit 1");
    assert_verb("up home", CLI_FAILURE);
    make_token(token);
    assert_int_equal(join_by_word(token), CLI_FAILURE);
    assert_one_complaint("already");
    assert_int_equal(mode_of("home/ca.key"), 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(up_makes_a_network_that_holds),
        TEST(last_line_of_up_tells_how_the_next_site_comes_in),
        TEST(chosen_addresses_are_taken),
        TEST(address_alone_chooses_the_range),
        TEST(wrong_value_makes_nothing),
        TEST(value_that_the_node_refuses_makes_nothing),
        TEST(existing_network_starts_again_and_stays_as_it_is),
        TEST(node_that_ends_is_told_with_its_last_words),
        TEST(full_disk_leaves_nothing),
        TEST(status_tells_of_the_network),
        TEST(leave_removes_all_but_asks_first),
        TEST(join_keeps_the_token_for_the_node_alone),
        TEST(token_is_read_from_standard_input),
        TEST(each_step_is_told_until_a_peer_answers),
        TEST(refusal_is_told_in_the_nodes_words),
        TEST(unfinished_join_gives_way_to_a_new_token),
        TEST(member_joins_no_second_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
