/* SPDX-License-Identifier: Apache-2.0 */
/* up -adopt and join -adopt: a node that was driven by flags keeps its key, and whom it dialled and admitted. */

#include "crypto/cert_chain.h"
#include "crypto/keyfile.h"
#include "crypto/token.h"

#include "cli_networks_lab.h"

static char old[64];
static struct identity *key;

static int set_up_old(void **state)
{
    int failed = set_up_networks(state);
    snprintf(old, sizeof(old), "%s/etc/old", dir);
    return failed || mkdir(etc, 0755) || identity_generate(&key) || identity_save(key, old);
}

static int tear_down_old(void **state)
{
    identity_free(key);
    return tear_down_networks(state);
}

static void verb(const char *format, int code)
{
    char line[256];
    snprintf(line, sizeof(line), format, old);
    assert_verb(line, code);
}

static void assert_has_its_key(void)
{
    struct identity *got;
    char path[128];
    snprintf(path, sizeof(path), "%s/home/state", etc);
    assert_int_equal(identity_load(path, &got), 0);
    assert_int_equal(id_compare(identity_id(got), identity_id(key)), 0);
    identity_free(got);
    assert_int_equal(mode_of("home/state/node.key"), 0600);
    assert_int_equal(mode_of("old/node.key"), 0600); /* the old one stays as it is */
}

static void network_is_made_of_a_node_with_its_id_and_its_peers(void **state)
{
    uint8_t der[CERT_MAX];
    struct cert member;
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    verb("up home -adopt %s -connect " ID_B "@192.0.2.7 -connect " ID_A " -allow " ID_C, CLI_OK);
    assert_has_its_key();
    struct slice c = read_cert("home/state", CERTFILE_MEMBER, der);
    assert_int_equal(cert_decode(c.data, c.len, &member), 0);
    assert_int_equal(id_compare(&member.id, identity_id(key)), 0);
    const char *conf = read_text("home/node.conf");
    assert_has(conf, "\nconnect = " ID_B "@192.0.2.7\nconnect = " ID_A "\nallow = " ID_C "\n");
}

static void node_joins_with_its_id_and_its_peers(void **state)
{
    struct token t = {.name = "home", .place_count = 1};
    char text[TOKEN_TEXT_MAX];
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    strcpy(t.places[0].url, "http://192.0.2.1:8080");
    assert_int_equal(token_encode(&t, text), 0);
    input(text);
    verb("join -adopt %s -allow " ID_C, CLI_OK);
    assert_has_its_key();
    const char *conf = read_text("home/node.conf");
    assert_has(conf, "\nbackbone = http://192.0.2.1:8080\n");
    assert_has(conf, "\nallow = " ID_C "\n");
}

static void node_that_runs_is_not_adopted(void **state)
{
    char id[ID_TEXT_MAX];
    (void)state;
    add_node(id_format(identity_id(key), id), IS_MEMBER, NULL, NULL);
    verb("up home -adopt %s", CLI_FAILURE);
    assert_one_complaint("stop it first");
    assert_int_equal(mode_of("home"), 0);
}

static void what_is_no_key_of_its_own_is_not_adopted(void **state)
{
    char path[128];
    (void)state;
    verb("up home -adopt %s/elsewhere", CLI_FAILURE);
    assert_one_complaint("no such file");
    snprintf(path, sizeof(path), "%s/node.key", old);
    assert_int_equal(chmod(path, 0644), 0);
    verb("up home -adopt %s", CLI_FAILURE);
    assert_one_complaint("chmod 600");
    put("etc/old/node.key", "no key", 0600);
    assert_int_equal(chmod(path, 0600), 0);
    verb("up home -adopt %s", CLI_FAILURE);
    assert_one_complaint("no key of a node");
    assert_int_equal(mode_of("home"), 0);
}

static void existing_network_adopts_nobody(void **state)
{
    (void)state;
    add_node(ID_A, IS_MEMBER, NULL, NULL);
    assert_verb("up home", CLI_OK);
    verb("up home -adopt %s", CLI_USAGE);
    assert_one_complaint("is there already");
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_old, tear_down_old)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(network_is_made_of_a_node_with_its_id_and_its_peers),
        TEST(node_joins_with_its_id_and_its_peers),
        TEST(node_that_runs_is_not_adopted),
        TEST(what_is_no_key_of_its_own_is_not_adopted),
        TEST(existing_network_adopts_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
