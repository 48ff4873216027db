/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh ca: the CA's key goes where nobody finds it and works from there, and its list of revoked keys only grows. */

#include "crypto/base64.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"
#include "crypto/revocations.h"

#include "cli_networks_lab.h"

#define PHRASE   "correct horse\n"
#define TOLD(id) OK("{\"id\":\"" id "\",\"issuer\":true,\"list\":null}")

static char copy_of_key[96];

/* The network's files alone. */
static void found(const char *name)
{
    char line[64];
    node_is("exit 1");
    snprintf(line, sizeof(line), "up %s", name);
    assert_verb(line, CLI_FAILURE);
    snprintf(copy_of_key, sizeof(copy_of_key), "%s/copy", etc);
}

static void ca(const char *line, int code)
{
    char whole[192];
    snprintf(whole, sizeof(whole), line, copy_of_key);
    assert_verb(whole, code);
}

static struct cert read_ca(void)
{
    uint8_t der[CERT_MAX];
    struct cert cert;
    struct slice c = read_cert("home", CERTFILE_CA, der);
    assert_int_equal(cert_decode(c.data, c.len, &cert), 0);
    return cert;
}

/* ---- the key ---- */

static void exported_key_is_the_cas_and_sealed(void **state)
{
    struct cert cert;
    struct identity *key;
    (void)state;
    found("home");
    cert = read_ca();
    input(PHRASE);
    ca("ca export home %s", CLI_OK);
    const char *pem = read_text("copy");
    assert_int_equal(mode_of("copy"), 0600);
    assert_true(key_pem_is_sealed(pem, strlen(pem)));
    assert_null(strstr(out, "correct"));
    assert_int_equal(key_pem_decode(pem, strlen(pem), "correct horse", &key), 0);
    assert_int_equal(id_compare(identity_id(key), &cert.id), 0);
    identity_free(key);
}

static void export_overwrites_nothing_and_wants_a_passphrase(void **state)
{
    (void)state;
    found("home");
    input("short\n");
    ca("ca export home %s", CLI_FAILURE);
    assert_one_complaint("at least 8");
    input("");
    ca("ca export home %s", CLI_FAILURE);
    assert_one_complaint("no passphrase");
    assert_int_equal(mode_of("copy"), 0);
    put("etc/copy", "mine", 0600);
    input(PHRASE);
    ca("ca export home %s", CLI_FAILURE);
    assert_one_complaint("stays as it is");
    assert_string_equal(read_text("copy"), "mine");
}

static void key_is_removed_only_for_a_copy_of_it(void **state)
{
    (void)state;
    found("work");
    ca("ca export work %s -plain", CLI_OK);
    found("home");
    input("");
    ca("ca remove home", CLI_FAILURE);
    assert_one_complaint("show a copy");
    ca("ca remove home -ca %s", CLI_FAILURE); /* it is work's */
    assert_one_complaint("another one");
    unlink(copy_of_key);
    input(PHRASE);
    ca("ca export home %s", CLI_OK);
    input("another phrase\n");
    ca("ca remove home -ca %s", CLI_FAILURE);
    assert_one_complaint("does not open");
    assert_int_equal(mode_of("home/ca.key"), 0600);
    input(PHRASE);
    ca("ca remove home -ca %s", CLI_OK);
    assert_int_equal(mode_of("home/ca.key"), 0);
    ca("ca remove home -yes", CLI_FAILURE);
    assert_one_complaint("ca.key");
    assert_int_equal(mode_of("work/ca.key"), 0600);
}

static void key_that_others_can_read_is_refused(void **state)
{
    (void)state;
    found("home");
    ca("ca export home %s -plain", CLI_OK);
    assert_int_equal(mode_of("copy"), 0600);
    assert_int_equal(chmod(copy_of_key, 0644), 0);
    ca("ca remove home -ca %s", CLI_FAILURE);
    assert_one_complaint("chmod 600");
    assert_int_equal(mode_of("home/ca.key"), 0600);
}

static void wrong_words_do_nothing(void **state)
{
    static const char *const lines[] = {"ca",        "ca burn home",        "ca export home",
                                        "ca remove", "ca remove Home -yes", "ca revoke home"};
    (void)state;
    found("home");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ca(lines[i], CLI_USAGE);
        assert_one_complaint("ca");
    }
    ca("ca remove nowhere -yes", CLI_FAILURE);
    assert_int_equal(mode_of("home/ca.key"), 0600);
}

/* ---- its list ---- */

/* The list of the n-th request. */
static struct revocations given(const struct node *n, unsigned at, const struct cert *cert,
                                const struct revocations *held, uint8_t bytes[REVOCATIONS_LEN(4)])
{
    struct revocations list;
    size_t len = 0;
    json_t *request = json_loads(n->requests[at], JSON_DISABLE_EOF_CHECK, NULL);
    const char *text = json_string_value(json_object_get(request, "list"));
    assert_non_null(text);
    assert_int_equal(base64_decode(text, strlen(text), bytes, REVOCATIONS_LEN(4), &len), 0);
    assert_int_equal(revocations_judge(cert, &cert->id, held, bytes, len, &list), REVOCATIONS_NEWER);
    json_decref(request);
    return list;
}

static void ca_signs_who_is_revoked_and_adds_to_what_it_signed(void **state)
{
    uint8_t first[REVOCATIONS_LEN(4)], second[REVOCATIONS_LEN(4)];
    char answer[2 * REVOCATIONS_LEN(4)], text[BASE64_LEN(REVOCATIONS_LEN(1)) + 1];
    (void)state;
    found("home");
    struct cert cert = read_ca();
    struct node *n = add_node(ID_A, IS_MEMBER, "take_revoked", OK("{}"));
    n->answers[2] = (struct answer){"revocation", TOLD(ID_B)};
    ca("ca revoke home paris", CLI_OK);
    assert_has(out, "paris is revoked by the CA");
    assert_has(out, "join anew");
    struct revocations held = given(n, 0, &cert, NULL, first);
    assert_int_equal(held.count, 1);
    base64_encode(first, REVOCATIONS_LEN(1), text);
    snprintf(answer, sizeof(answer), OK("{\"id\":\"%s\",\"issuer\":false,\"list\":\"%s\"}"), ID_A, text);
    n->answers[2].line = answer;
    ca("ca revoke home oslo", CLI_OK);
    struct revocations both = given(n, 1, &cert, &held, second);
    assert_int_equal(both.count, 2);
    assert_int_equal(both.number, held.number + 1);
    snprintf(answer, sizeof(answer), OK("{\"id\":\"%s\",\"issuer\":false,\"list\":\"%s\"}"), ID_B, text);
    ca("ca revoke home paris", CLI_FAILURE);
    assert_one_complaint("revoked it already");
}

static void list_that_the_ca_did_not_sign_is_not_added_to(void **state)
{
    static struct revocations list = {.number = 7};
    uint8_t bytes[REVOCATIONS_LEN(0)];
    char answer[2 * REVOCATIONS_LEN(4)], text[BASE64_LEN(REVOCATIONS_LEN(0)) + 1];
    struct identity *other;
    (void)state;
    found("home");
    assert_int_equal(identity_generate(&other), 0);
    list.network = list.signer = *identity_id(other);
    assert_int_equal(revocations_sign(&list, other, bytes, sizeof(bytes)), 0);
    identity_free(other);
    struct cert cert = read_ca();
    memcpy(bytes, cert.id.bytes, ID_LEN);
    memcpy(bytes + ID_LEN, cert.id.bytes, ID_LEN);
    base64_encode(bytes, sizeof(bytes), text);
    snprintf(answer, sizeof(answer), OK("{\"id\":\"%s\",\"issuer\":false,\"list\":\"%s\"}"), ID_A, text);
    struct node *n = add_node(ID_A, IS_MEMBER, "take_revoked", OK("{}"));
    n->answers[2] = (struct answer){"revocation", answer};
    ca("ca revoke home paris", CLI_FAILURE);
    assert_one_complaint("does not hold");
    assert_int_equal(n->asked[1], 0);
}

static void key_works_from_elsewhere(void **state)
{
    char path[128];
    (void)state;
    found("home");
    input(PHRASE);
    ca("ca export home %s", CLI_OK);
    ca("ca remove home -yes", CLI_OK);
    struct node *n = add_node(ID_A, IS_MEMBER, "take_revoked", OK("{}"));
    n->answers[2] = (struct answer){"revocation", TOLD(ID_B)};
    ca("ca revoke home paris", CLI_FAILURE);
    assert_one_complaint("-ca FILE");
    snprintf(path, sizeof(path), "%s/home/ca.pem",
             etc); /* who joined has it with its node, whose user is another one */
    unlink(path);
    snprintf(path, sizeof(path), "%s/home/state", etc);
    assert_true(chown(path, 65534, 65534) == 0 || geteuid() != 0);
    input(PHRASE);
    ca("ca revoke home paris -ca %s", CLI_OK);
    assert_int_equal(n->asked[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exported_key_is_the_cas_and_sealed),
        TEST(export_overwrites_nothing_and_wants_a_passphrase),
        TEST(key_is_removed_only_for_a_copy_of_it),
        TEST(key_that_others_can_read_is_refused),
        TEST(wrong_words_do_nothing),
        TEST(ca_signs_who_is_revoked_and_adds_to_what_it_signed),
        TEST(list_that_the_ca_did_not_sign_is_not_added_to),
        TEST(key_works_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
