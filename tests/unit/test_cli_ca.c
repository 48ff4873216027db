/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh ca: the CA's key goes where nobody finds it and works from there, and its list of revoked keys only grows. */

#include "crypto/base64.h"
#include "crypto/cert_chain.h"
#include "crypto/founding.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"
#include "crypto/revocations.h"
#include "crypto/secret.h"

#include "cli_networks_lab.h"

#include <time.h>

#define DAY      86400ull
#define PHRASE   "correct horse\n"
#define TOLD_MAX 8
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

/* ---- issuers' certificates ---- */

static struct identity *old_ca, *old_issuer;
static struct founding old = {.network = "home", .range_count = 1, .random = &secret_source};
static char told[TOLD_MAX][2 * CERT_MAX]; /* the node's thread may still read the last one */
static unsigned told_count;

/* A network whose CA is two years old. */
static struct cert found_old(void)
{
    struct founding_cert made;
    char path[128];
    int fd;
    old.now = (uint64_t)time(NULL) - 700 * DAY;
    old.ranges[0] = (struct addr_prefix){{.family = 4, .ip = {10, 7}}, 24};
    assert_int_equal(identity_generate(&old_ca), 0);
    assert_int_equal(identity_generate(&old_issuer), 0);
    assert_int_equal(founding_ca(&old, old_ca, &made), 0);
    assert_int_equal(mkdir(etc, 0755), 0);
    snprintf(path, sizeof(path), "%s/home", etc);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(folder_open(path, &fd), 0);
    assert_int_equal(certfile_write(fd, CERTFILE_CA, made.der, made.len), 0);
    close(fd);
    assert_int_equal(identity_save_as(old_ca, path, IDENTITY_CA_FILE), 0);
    return made.cert;
}

/* The node's answer: paris is an issuer, since so many days, by that CA. */
static void tell_issuer(struct node *n, uint64_t days, const struct identity *by)
{
    struct founding f = old;
    struct founding_cert made;
    char text[BASE64_LEN(CERT_MAX) + 1], id[ID_TEXT_MAX];
    f.now = (uint64_t)time(NULL) - days * DAY;
    assert_int_equal(founding_issuer(&f, by, identity_spki(old_issuer), 1, &made), 0);
    base64_encode(made.der, made.len, text);
    assert_true(told_count < TOLD_MAX);
    snprintf(told[told_count], sizeof(told[0]),
             OK("{\"issuers\":[{\"name\":\"paris\",\"id\":\"%s\",\"certificate\":\"%s\"}]}"),
             id_format(&made.cert.id, id), text);
    n->answers[2] = (struct answer){"issuers", told[told_count++]};
}

static void assert_given(const struct node *n, const struct cert *ca_cert)
{
    uint8_t der[CERT_MAX];
    struct cert c;
    size_t len;
    json_t *request = json_loads(n->requests[n->asked[1] - 1], JSON_DISABLE_EOF_CHECK, NULL);
    const char *text = json_string_value(json_object_get(request, "certificate"));
    assert_int_equal(base64_decode(text, strlen(text), der, sizeof(der), &len), 0);
    uint64_t now = (uint64_t)time(NULL);
    assert_int_equal(cert_chain_issuer(ca_cert, (struct slice){der, len}, now, &c), CERT_OK);
    assert_int_equal(id_compare(&c.id, identity_id(old_issuer)), 0);
    assert_true(c.not_after > now + 365 * DAY);
    assert_int_equal(c.slices[0].addr.ip[3], 128); /* of number 1 */
    json_decref(request);
}

static void issuers_are_certified_anew_from_half_their_life_on(void **state)
{
    (void)state;
    struct cert cert = found_old();
    struct node *n = add_node(ID_A, IS_MEMBER, "take_issuer", OK("{}"));
    tell_issuer(n, 100, old_ca);
    ca("ca renew home", CLI_OK);
    assert_has(out, "paris is not due");
    ca("ca renew home -quiet", CLI_OK);
    assert_string_equal(out, "");
    assert_int_equal(n->asked[1], 0);
    tell_issuer(n, 200, old_ca);
    ca("ca renew home", CLI_OK);
    assert_has(out, "paris is an issuer until");
    assert_given(n, &cert);
    tell_issuer(n, 400, old_ca); /* it has expired */
    ca("ca renew home", CLI_OK);
    assert_given(n, &cert);
    tell_issuer(n, 1, old_ca);
    ca("ca renew home paris", CLI_OK);
    assert_given(n, &cert);
    assert_int_equal(n->asked[1], 3);
    ca("ca renew home oslo", CLI_FAILURE);
    assert_one_complaint("no issuer has that name");
    identity_free(old_ca);
    identity_free(old_issuer);
}

/* Or a node that lies would make one. */
static void nobody_becomes_an_issuer_by_being_renewed(void **state)
{
    (void)state;
    found_old();
    struct node *n = add_node(ID_A, IS_MEMBER, "take_issuer", OK("{}"));
    struct identity *stranger;
    assert_int_equal(identity_generate(&stranger), 0);
    tell_issuer(n, 200, stranger);
    identity_free(stranger);
    ca("ca renew home", CLI_FAILURE);
    assert_one_complaint("not certified");
    ca("ca renew home paris", CLI_FAILURE);
    assert_int_equal(n->asked[1], 0);
    ca("ca remove home -yes", CLI_OK);
    ca("ca renew home -quiet", CLI_OK); /* as each day where the key is not */
    ca("ca renew home", CLI_FAILURE);
    identity_free(old_ca);
    identity_free(old_issuer);
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
        TEST(issuers_are_certified_anew_from_half_their_life_on),
        TEST(nobody_becomes_an_issuer_by_being_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
