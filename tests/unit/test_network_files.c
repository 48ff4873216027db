/* SPDX-License-Identifier: Apache-2.0 */
/* A node's place in its network from the files of KEYDIR: what is right is taken, and what is wrong gets its line. */

#include "base/clock.h"
#include "base/folder.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "node/config/config.h"
#include "node/network/issuer.h"
#include "node/network/network.h"
#include "node/network/network_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"
#include "log_lab.h"

static struct config config;
static struct founding founding;
static struct founding_cert ca, issuer, member;
static int dir = -1;

static void put(const char *name, const struct founding_cert *c)
{
    assert_int_equal(certfile_write(dir, name, c->der, c->len), 0);
}

static void certify(uint64_t now)
{
    founding.now = now;
    assert_int_equal(founding_ca(&founding, lab.ca, &ca), 0);
    assert_int_equal(founding_issuer(&founding, lab.ca, identity_spki(lab.issuer), 0, &issuer), 0);
    assert_int_equal(founding_member(&founding, &issuer.cert, lab.issuer, identity_spki(lab.member), "berlin",
                                     &(struct addr){0}, &member),
                     0);
    put(CERTFILE_CA, &ca);
    put(CERTFILE_ISSUER, &issuer);
    put(CERTFILE_MEMBER, &member);
}

static int set_up(void **state)
{
    strcpy(config.keydir, "/tmp/network-XXXXXX");
    strcpy(config.network, "lab");
    strcpy(config.name, "berlin");
    founding = (struct founding){.network = "lab", .range_count = 2, .random = &secret_source};
    founding.ranges[0] = lab_prefix("10.7.3.0", 24);
    founding.ranges[1] = founding_ula(identity_id(lab.ca));
    if (!mkdtemp(config.keydir) || folder_open(config.keydir, &dir))
        return -1;
    certify(clock_unix_s());
    return capture(state);
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        CERTFILE_CA,         CERTFILE_ISSUER,    CERTFILE_MEMBER, NETWORK_LAST_ISSUER_FILE,
        CERTFILE_OWN_ISSUER, NETWORK_TOKEN_FILE, ISSUER_FILE};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(dir, names[i], 0);
    unlinkat(dir, "lists", AT_REMOVEDIR);
    close(dir);
    release(state);
    return rmdir(config.keydir);
}

static struct network *opened_by(const struct identity *me)
{
    struct network *n = NULL;
    assert_int_equal(network_open(&config, me, &n), 0);
    return n;
}

static struct network *opened(void)
{
    return opened_by(lab.member);
}

static void assert_refused(const char *said)
{
    struct network *n = NULL;
    assert_int_not_equal(network_open(&config, lab.member, &n), 0);
    assert_null(n);
    const char *text = captured();
    if (!strstr(text, said))
        fail_msg("no \"%s\" in: %s", said, text);
}

static void member_knows_its_name_and_addresses(void **state)
{
    struct addr_prefix addresses[CERT_ADDRESSES_MAX];
    char text[ADDR_TEXT_MAX];
    (void)state;
    struct network *n = opened();
    assert_string_equal(network_me(n)->name, "berlin");
    assert_int_equal(network_addresses(n, addresses), 2);
    assert_string_equal(addr_prefix_format(&addresses[0], text), "10.7.3.1/24");
    assert_int_equal(addresses[1].bits, 64);
    struct network_status status = network_status(n, clock_monotonic_us());
    assert_string_equal(status.state, "member");
    assert_string_equal(status.text, "");
    assert_false(status.issuer);
    network_close(n);
    assert_non_null(strstr(captured(), "this node is berlin\n"));
}

static void own_certificate_of_an_issuer_makes_one(void **state)
{
    struct founding_cert own;
    (void)state;
    assert_int_equal(founding_issuer(&founding, lab.ca, identity_spki(lab.member), 1, &own), 0);
    put(CERTFILE_OWN_ISSUER, &own);
    struct network *n = opened();
    assert_true(network_status(n, clock_monotonic_us()).issuer);
    assert_int_equal(network_own_issuer(n).len, own.len);
    assert_non_null(network_serving(n));
    assert_non_null(ledger_named(issuer_ledger(network_issuer(n)), "berlin")); /* itself */
    network_close(n);
}

static void anothers_certificate_as_an_issuer_is_refused(void **state)
{
    (void)state;
    put(CERTFILE_OWN_ISSUER, &issuer);
    assert_refused("is for another key");
}

static void damaged_ledger_is_refused(void **state)
{
    struct founding_cert own;
    (void)state;
    assert_int_equal(founding_issuer(&founding, lab.ca, identity_spki(lab.member), 1, &own), 0);
    put(CERTFILE_OWN_ISSUER, &own);
    assert_int_equal(folder_write(dir, ISSUER_FILE, OWN_FILE_PRIVATE, "ledger", 6), 0);
    assert_refused("it is damaged");
}

/* ---- joining ---- */

static void put_token(const char *network, mode_t mode)
{
    struct token token = {.place_count = 1, .issuer = *identity_id(lab.issuer)};
    char text[TOKEN_TEXT_MAX];
    strcpy(token.name, network);
    token.network = *identity_id(lab.ca);
    assert_int_equal(addr_parse("192.0.2.1:8443", 0, &token.places[0].addr), 0);
    assert_int_equal(token_encode(&token, text), 0);
    int fd = openat(dir, NETWORK_TOKEN_FILE, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void node_with_a_token_alone_joins(void **state)
{
    struct addr_prefix addresses[CERT_ADDRESSES_MAX];
    (void)state;
    unlinkat(dir, CERTFILE_MEMBER, 0);
    put_token("lab", 0600);
    struct network *n = opened();
    struct network_status status = network_status(n, clock_monotonic_us());
    assert_string_equal(status.state, "joining");
    assert_string_equal(status.step, "searching");
    assert_null(network_me(n));
    assert_null(network_membership(n));
    assert_int_equal(network_addresses(n, addresses), 0);
    network_close(n);
}

static void member_needs_no_token_and_removes_it(void **state)
{
    (void)state;
    put_token("lab", 0600);
    network_close(opened());
    assert_int_equal(faccessat(dir, NETWORK_TOKEN_FILE, F_OK, 0), -1);
}

static void token_that_is_not_to_be_used_is_told(void **state)
{
    (void)state;
    unlinkat(dir, CERTFILE_MEMBER, 0);
    put_token("lab", 0640);
    assert_refused("others can read it");
    put_token("other", 0600);
    assert_refused("is for the network other");
    int fd = openat(dir, NETWORK_TOKEN_FILE, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "nonsense", 8), 8);
    close(fd);
    assert_refused("it is no token");
}

/* As a stop leaves it that comes while a certificate of another issuer is written. */
static void chain_of_the_last_issuer_holds_until_both_files_are_there(void **state)
{
    struct founding_cert far;
    (void)state;
    assert_int_equal(founding_issuer(&founding, lab.ca, identity_spki(lab.other), 1, &far), 0);
    put(CERTFILE_ISSUER, &far);
    assert_refused("is of another network or issuer");
    put(NETWORK_LAST_ISSUER_FILE, &issuer);
    network_close(opened());
}

static void missing_file_is_named(void **state)
{
    static const char *const names[] = {CERTFILE_CA, CERTFILE_ISSUER, CERTFILE_MEMBER};
    char said[64];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        unlinkat(dir, names[i], 0);
        snprintf(said, sizeof(said), "%s is missing", names[i]);
        assert_refused(said);
    }
}

static void certificate_of_another_key_is_refused(void **state)
{
    (void)state;
    assert_int_equal(founding_member(&founding, &issuer.cert, lab.issuer, identity_spki(lab.other), "paris",
                                     &(struct addr){0}, &member),
                     0);
    put(CERTFILE_MEMBER, &member);
    assert_refused(CERTFILE_MEMBER ": the certificate");
}

static void certificate_that_was_altered_is_refused(void **state)
{
    (void)state;
    issuer.der[issuer.len - 1] ^= 1;
    put(CERTFILE_ISSUER, &issuer);
    assert_refused(CERTFILE_ISSUER ": the certificate");
}

static void certificates_of_another_network_are_refused(void **state)
{
    (void)state;
    strcpy(config.network, "other");
    assert_refused("is of the network lab");
}

static void expired_member_stays_one_that_says_so(void **state)
{
    (void)state;
    certify(clock_unix_s() - 40 * LAB_DAY);
    struct network *n = opened();
    assert_string_equal(network_status(n, clock_monotonic_us()).state, "expired");
    network_close(n);
    assert_non_null(strstr(captured(), "is the clock right?"));
}

static void file_that_others_can_write_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fchmodat(dir, CERTFILE_CA, 0666, 0), 0);
    assert_refused("chmod go-w");
    assert_int_equal(fchmodat(dir, CERTFILE_CA, 0644, 0), 0);
    assert_int_equal(fchmod(dir, 0777), 0);
    assert_refused("folder that others can change");
    assert_int_equal(fchmod(dir, 0700), 0);
}

static void other_text_is_no_certificate(void **state)
{
    (void)state;
    int fd = openat(dir, CERTFILE_CA, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "nonsense\n", 9), 9);
    close(fd);
    assert_refused("holds no certificate");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(member_knows_its_name_and_addresses),
        TEST(own_certificate_of_an_issuer_makes_one),
        TEST(anothers_certificate_as_an_issuer_is_refused),
        TEST(damaged_ledger_is_refused),
        TEST(node_with_a_token_alone_joins),
        TEST(member_needs_no_token_and_removes_it),
        TEST(token_that_is_not_to_be_used_is_told),
        TEST(chain_of_the_last_issuer_holds_until_both_files_are_there),
        TEST(missing_file_is_named),
        TEST(certificate_of_another_key_is_refused),
        TEST(certificate_that_was_altered_is_refused),
        TEST(certificates_of_another_network_are_refused),
        TEST(expired_member_stays_one_that_says_so),
        TEST(file_that_others_can_write_is_refused),
        TEST(other_text_is_no_certificate),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
