/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `shadowmesh` that read, and its usage. */

#include "cli_lab.h"

/* ---- reading ---- */

static void status_shows_node_and_peers(void **state)
{
    (void)state;
    add_node(ID_A,
             OK(NODE_WITH(ID_A, "site-a", PEER(ID_B, "site-b") "," SILENT,
                          ",\"backbone\":{\"url\":\"http://192.0.2.1:8080\",\"reachable\":true},"
                          "\"reflexive\":\"198.51.100.9:9443\",\"sandbox\":{\"capabilities\":[\"net_admin\"],"
                          "\"no_new_privileges\":true,\"seccomp\":true,\"landlock\":6}")),
             NULL, NULL);
    assert_run("status", CLI_OK);
    assert_has(out, "site-a  a1b2c3d4e5  10.10.10.3/24  up 2 h 05 min\n");
    assert_has(out, "  device    tap0, MTU 1500, 2 workers, AES-256-GCM\n");
    assert_has(out, "  backbone  http://192.0.2.1:8080, reached, sees us as 198.51.100.9:9443\n");
    assert_has(out, "  frames    12 345 sent (1.2 MB), 11 020 received (340 MB)\n");
    assert_has(out, "  drops     replay 3, no_peer 17\n");
    assert_has(out, "caps net_admin, no new privileges, seccomp, landlock 6\n");
    assert_has(out, "0.4 ms  0.0 %  rx 1.2 GB  tx 340 MB\n");
    assert_has(out, "backoff\n      no answer from 192.0.2.7\n");
    assert_string_equal(err, "");
}

static void status_shows_what_routers_map_or_why_they_do_not(void **state)
{
    (void)state;
    add_node(ID_A,
             OK(NODE_WITH(
                 ID_A, "site-a", SILENT,
                 ",\"port_mappings\":[{\"gateway\":\"10.0.0.1\",\"external\":\"198.51.100.9:9443\","
                 "\"control\":null,\"announced\":true,\"lifetime_s\":1200,\"protocol\":\"PCP\"},"
                 "{\"gateway\":\"10.0.0.2\",\"external\":\"100.64.0.9:9443\",\"control\":null,"
                 "\"announced\":false,\"lifetime_s\":60,\"protocol\":\"UPnP\"},"
                 "{\"gateway\":\"fe80::1%2\",\"external\":null,\"error\":\"does not \\u001b[31manswer\"}]")),
             NULL, NULL);
    assert_run("status", CLI_OK);
    assert_has(out, "  mapping   198.51.100.9:9443, by PCP of 10.0.0.1 for 1200 s\n");
    assert_has(out, "  mapping   100.64.0.9:9443, by UPnP of 10.0.0.2 for 60 s: no public address, another "
                    "NAT is beyond\n");
    assert_has(out, "  mapping   none: the router fe80::1%2 does not ?[31manswer\n");
}

static void json_is_what_the_nodes_say(void **state)
{
    (void)state;
    add_node(ID_C, STATUS(ID_C, "site-c"), NULL, NULL);
    add_node(ID_A, STATUS(ID_A, "site-a"), NULL, NULL);
    assert_run("status --json", CLI_OK);
    json_t *list = json_out(), *node = json_loads(NODE(ID_A, "site-a", PEER(ID_B, "site-b")), 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_equal(json_array_get(list, 0), node));
    json_decref(node);
    json_decref(list);
    assert_run("peers --json", CLI_OK);
    list = json_out();
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "node")), ID_C);
    json_decref(list);
}

static void peers_are_sorted_and_whole_with_l(void **state)
{
    (void)state;
    add_node(ID_A, OK(NODE(ID_A, "site-a", PEER(ID_C, "z") "," PEER(ID_B, "a"))), NULL, NULL);
    assert_run("peers", CLI_OK);
    assert_int_equal(strncmp(out, "PEER", 4), 0);
    assert_true(strstr(out, "\na ") < strstr(out, "\nz "));
    assert_has(out, "1 h 02 min");
    assert_null(strstr(out, "probing"));
    assert_run("peers -l", CLI_OK);
    assert_has(out, ID_B);
    assert_has(out, "SUITE");
    assert_has(out, "direct 192.0.2.9:9443, probing: no answer yet");
}

/* A peer that a list admits has none. */
static void the_end_of_a_members_certificate_is_shown_with_l(void **state)
{
    (void)state;
    add_node(ID_A,
             OK(NODE(ID_A, "site-a",
                     "{\"id\":\"" ID_B "\",\"name\":\"b\",\"state\":\"refused\",\"certificate\":"
                     "{\"name\":\"b\",\"issuer\":\"" ID_C "\",\"not_before\":1789913600,"
                     "\"not_after\":1792505600}}," PEER(ID_C, "z"))),
             NULL, NULL);
    assert_run("peers", CLI_OK);
    assert_null(strstr(out, "certificate"));
    assert_run("peers -l", CLI_OK);
    char *line = strstr(out, "certificate: until 2026-10-20 14:13:20 UTC");
    assert_non_null(line);
    assert_null(strstr(line + 1, "certificate:"));
}

static void node_is_picked_by_name_or_id(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), NULL, NULL);
    add_node(ID_C, STATUS(ID_C, "site-c"), NULL, NULL);
    assert_run("id -n site-c", CLI_OK);
    assert_string_equal(out, ID_C "\n");
    assert_run("id -n A1B2", CLI_OK);
    assert_string_equal(out, ID_A "\n");
    assert_run("id -json", CLI_OK);
    assert_has(out, "\"name\": \"site-c\"");
    assert_run("status -n elsewhere", CLI_NO_NODE);
    assert_one_complaint("elsewhere");
    assert_run("status -n c0", CLI_NO_NODE);
    assert_run("status", CLI_OK);
    assert_has(out, "\n\nsite-c  ");
}

static void nodes_of_one_name_are_not_guessed_between(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "twin"), NULL, NULL);
    add_node(ID_C, STATUS(ID_C, "twin"), NULL, NULL);
    assert_run("status -n twin", CLI_FAILURE);
    assert_one_complaint("2 nodes fit");
}

#define NAT(mapping, filtering)                                                                              \
    "{\"mapping\":\"" mapping "\",\"ports\":\"kept\",\"filtering\":\"" filtering                             \
    "\",\"hairpin\":false,\"observed\":[{\"server\":\"203.0.113.2:3478\",\"address\":\"198.51.100.2:9\"}]}"
#define NO_FAMILY                                                                                            \
    "{\"address\":false,\"asked\":false,\"udp\":false,\"path_size\":null,\"nat\":{\"mapping\":\"unknown\"}}"
#define CHECK(udp, nat, reachable)                                                                           \
    OK("{\"udp\":" udp ",\"ipv4\":{\"address\":true,\"asked\":true,\"udp\":" udp                             \
       ",\"path_size\":1472,\"nat\":" nat "},\"ipv6\":" NO_FAMILY                                            \
       ",\"backbones\":[{\"url\":\"http://bb:8080\",\"reachable\":" reachable                                \
       ",\"rtt_us\":12000,\"error\":\"why "                                                                  \
       "not\",\"ipv4\":{\"rtt_us\":400}}],\"stun\":[{\"host\":\"stun.example\","                             \
       "\"port\":3478,\"error\":null,\"ipv4\":null,\"ipv6\":null}],\"proxy\":null}")

static void netcheck_tells_what_a_node_finds(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "netcheck",
             CHECK("true", NAT("endpoint-independent", "unknown"), "true"));
    assert_run("netcheck", CLI_OK);
    assert_has(
        out, "site-a\n  UDP        gets out\n  IPv4       seen as 198.51.100.2:9\n  IPv6       no address\n");
    assert_has(out, "  NAT        endpoint-independent mapping, ports kept, filtering unknown, hairpin no\n");
    assert_has(out, "  path size  UDP payloads of 1472 bytes get out\n  proxy      none\n");
    assert_has(out, "  backbone   http://bb:8080: 12 ms over HTTP, 0.4 ms over UDP\n");
    assert_has(out, "  STUN       stun.example, port 3478: no answer\n  means      good: ");
    assert_run("netcheck --json", CLI_OK);
    json_t *list = json_out();
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "node")), ID_A);
    json_decref(list);
}

static void netcheck_fails_where_udp_or_the_backbone_is_not_reached(void **state)
{
    (void)state;
    struct node *n =
        add_node(ID_A, STATUS(ID_A, "site-a"), "netcheck", CHECK("false", NAT("unknown", "unknown"), "true"));
    assert_run("netcheck", CLI_FAILURE);
    assert_has(out, "  UDP       does not get out: no server answers\n");
    assert_has(out, "  means     UDP is blocked: ");
    n->answers[1].line = CHECK("true", NAT("address-and-port-dependent", "unknown"), "false");
    assert_run("netcheck", CLI_FAILURE);
    assert_has(out, "http://bb:8080: no answer over HTTP, 0.4 ms over UDP: why not\n");
    assert_has(out, "  means      a port of our own for each destination: ");
    n->answers[1].line = OK("[]");
    assert_run("netcheck", CLI_FAILURE);
    n->answers[1].line = REFUSED("the node is stopping");
    assert_run("netcheck", CLI_FAILURE);
    assert_one_complaint("refuses: the node is stopping");
}

static void netcheck_without_a_node_names_the_remedy(void **state)
{
    (void)state;
    assert_run("netcheck", CLI_NO_NODE);
    assert_has(err, "give -backbone URL or -stun HOST\n");
    assert_run("status -stun a", CLI_USAGE);
    assert_one_complaint("status takes no -stun");
}

static void fdb_shows_what_is_behind_whom(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "fdb",
             OK("{\"entries\":[{\"mac\":\"02:00:00:00:00:01\",\"vlan\":0,\"port\":\"device\",\"age_s\":0},"
                "{\"mac\":\"02:00:00:00:00:02\",\"vlan\":7,\"port\":\"peer\",\"peer_id\":\"" ID_B
                "\",\"peer_name\":\"site-b\",\"age_s\":61}]}"));
    assert_run("fdb", CLI_OK);
    assert_has(out, "02:00:00:00:00:01     -  this device");
    assert_has(out, "02:00:00:00:00:02     7  site-b       bbbbbbbbbb  1 min 01 s\n");
    assert_run("fdb --json", CLI_OK);
    assert_has(out, "\"node\": \"" ID_A "\"");
}

static void node_that_refuses_is_told_beside_the_one_that_answers(void **state)
{
    (void)state;
    add_node(ID_A, STATUS(ID_A, "site-a"), "fdb", REFUSED("not now"));
    add_node(ID_C, STATUS(ID_C, "site-c"), "fdb", OK("{\"entries\":[]}"));
    assert_run("fdb", CLI_FAILURE);
    assert_string_equal(out, "site-c\n  no addresses learned yet\n");
    assert_one_complaint("not now");
    assert_has(err, ID_A);
}

static void answer_that_is_none_is_told(void **state)
{
    static const char *const lines[] = {"nonsense\n", OK("3"), "[]\n", "{\"ok\":true}\n"};
    (void)state;
    struct node *n = add_node(ID_A, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        n->answers[0].line = lines[i];
        assert_run("status", CLI_FAILURE);
        assert_one_complaint(ID_A);
    }
}

static void no_node_is_exit_3_with_a_hint(void **state)
{
    (void)state;
    assert_run("status", CLI_NO_NODE);
    assert_string_equal(out, "");
    assert_one_complaint("shadowmesh-l2 -help");
    assert_run("peers --json", CLI_NO_NODE);
    assert_string_equal(out, "[]\n");
    assert_run("peers -run /nonexistent", CLI_NO_NODE);
    assert_run("peers -run /dev/null", CLI_FAILURE);
    assert_one_complaint("/dev/null cannot be read");
}

static void socket_of_a_dead_process_is_passed_over(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, NULL, NULL, NULL);
    shutdown(n->listener, SHUT_RDWR);
    assert_run("status", CLI_NO_NODE);
    assert_one_complaint("no node runs here");
    add_node(ID_C, STATUS(ID_C, "site-c"), NULL, NULL);
    assert_run("id", CLI_OK);
    assert_string_equal(out, ID_C "\n");
    assert_string_equal(err, "");
}

#define EVIL "a\\u001b]0;owned\\u0007\\u202eb\\u009bc"

static void names_cannot_reach_the_terminal(void **state)
{
    static const char *const runs[] = {"status", "peers", "fdb", "ping 10.0.0.1 -c1"};
    (void)state;
    add_node(ID_A,
             OK("{\"id\":\"" ID_A "\",\"name\":\"" EVIL "\",\"peers\":[{\"id\":\"" ID_B "\",\"name\":\"" EVIL
                "\",\"addresses\":[\"10.0.0.1\",\"" EVIL "\"],\"state\":\"" EVIL "\",\"error\":\"" EVIL
                "\"}]}"),
             "fdb", OK("{\"entries\":[{\"mac\":\"" EVIL "\",\"peer_name\":\"" EVIL "\",\"age_s\":1}]}"));
    nodes[0].answers[2] = (struct answer){"ping", OK("{\"name\":\"" EVIL "\",\"rtt_us\":1}")};
    for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
        assert_run(runs[i], CLI_OK);
        assert_has(out, "a?]0;owned??b?c");
        assert_null(strpbrk(out, "\033\007"));
    }
}

/* ---- ping ---- */

static void ping_probes_and_sums_up(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "ping", PONG);
    assert_run("ping site-b -c 3 -i 0.01", CLI_OK);
    assert_has(out, "site-b  bbbbbbbbbb  direct 203.0.113.7:9443  0.42 ms\n");
    assert_has(out, "3 sent, 3 answered, 0.0 % lost, rtt min/avg/max 0.42/0.42/0.42 ms\n");
    assert_int_equal(n->asked[1], 3);
    assert_run("ping 10.10.10.4 -c1", CLI_OK);
    assert_run("ping BBB -c1 --json", CLI_OK);
    assert_has(out, "\"received\": 1");
}

static void ping_of_a_silent_peer_is_exit_1(void **state)
{
    (void)state;
    struct node *n = add_node(ID_A, STATUS(ID_A, "site-a"), "ping", REFUSED("no answer within 2 s"));
    assert_run("ping site-b -c 2 -i 0.01", CLI_FAILURE);
    assert_has(out, "2 sent, 0 answered, 100.0 % lost\n");
    assert_string_equal(err, "shadowmesh: site-b: no answer within 2 s\n"
                             "shadowmesh: site-b: no answer within 2 s\n");
    n->answers[1].line = NULL;
    assert_run("ping site-b -c1 -json", CLI_FAILURE);
    assert_has(out, "\"error\": \"the node is gone\"");
}

static void ping_of_an_unknown_or_doubtful_peer_asks_nobody(void **state)
{
    (void)state;
    struct node *a = add_node(ID_A, STATUS(ID_A, "site-a"), "ping", PONG);
    struct node *c = add_node(ID_C, STATUS(ID_C, "site-c"), "ping", PONG);
    assert_run("ping nobody", CLI_FAILURE);
    assert_one_complaint("nobody");
    assert_run("ping site-b", CLI_FAILURE);
    assert_one_complaint("-n NAME");
    assert_int_equal(a->asked[1] + c->asked[1], 0);
    assert_run("ping site-b -n site-c -c1", CLI_OK);
    assert_int_equal(c->asked[1], 1);
}

/* ---- usage ---- */

static void wrong_usage_is_one_line_and_exit_2(void **state)
{
    static const char *const lines[] = {"stat",           "status extra",
                                        "status --bogus", "status -c 3",
                                        "version -l",     "ping",
                                        "ping x -c -1",   "ping x -c many",
                                        "ping x -i 0",    "ping x -i nan",
                                        "status -n=",     "status -run=",
                                        "--help=yes",     ""};
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_run(lines[i], CLI_USAGE);
        assert_string_equal(out, "");
        assert_one_complaint("shadowmesh: ");
    }
}

static void help_is_of_the_program_or_a_verb(void **state)
{
    (void)state;
    assert_run("-help", CLI_OK);
    assert_has(out, "Exit codes: ");
    assert_has(out, "  ping PEER");
    assert_run("help ping", CLI_OK);
    assert_int_equal(strncmp(out, "Usage: shadowmesh ping PEER ", 28), 0);
    assert_null(strstr(out, "fdb"));
    assert_run("version", CLI_OK);
    assert_string_equal(out, "shadowmesh " SHADOWMESH_VERSION "\n");
    assert_run("version -json", CLI_OK);
    assert_has(out, "\"version\": \"" SHADOWMESH_VERSION "\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_shows_node_and_peers),
        TEST(status_shows_what_routers_map_or_why_they_do_not),
        TEST(json_is_what_the_nodes_say),
        TEST(peers_are_sorted_and_whole_with_l),
        TEST(the_end_of_a_members_certificate_is_shown_with_l),
        TEST(node_is_picked_by_name_or_id),
        TEST(nodes_of_one_name_are_not_guessed_between),
        TEST(netcheck_tells_what_a_node_finds),
        TEST(netcheck_fails_where_udp_or_the_backbone_is_not_reached),
        TEST(netcheck_without_a_node_names_the_remedy),
        TEST(fdb_shows_what_is_behind_whom),
        TEST(node_that_refuses_is_told_beside_the_one_that_answers),
        TEST(answer_that_is_none_is_told),
        TEST(no_node_is_exit_3_with_a_hint),
        TEST(socket_of_a_dead_process_is_passed_over),
        TEST(names_cannot_reach_the_terminal),
        TEST(ping_probes_and_sums_up),
        TEST(ping_of_a_silent_peer_is_exit_1),
        TEST(ping_of_an_unknown_or_doubtful_peer_asks_nobody),
        TEST(wrong_usage_is_one_line_and_exit_2),
        TEST(help_is_of_the_program_or_a_verb),
    };
    setenv("NO_COLOR", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
