/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/issuer: what is answered is on disk before; what cannot be written is not answered, and changes nothing. */

#include "node/network/issuer.h"

#include "base/clock.h"
#include "base/folder.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"
#include "crypto/secret.h"
#include "proto/network/issuing.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

#define NOW_US (100 * USEC_PER_SEC)

static char folder[32];
static int dir;
static struct membership *ms;

static int set_up(void **state)
{
    struct founding f = {.network = "lab", .range_count = 1, .now = clock_unix_s(), .random = &secret_source};
    struct founding_cert ca, issuer, member;
    enum membership_part part;
    enum cert_verdict why;

    (void)state;
    strcpy(folder, "/tmp/issuer-XXXXXX");
    f.ranges[0] = lab_prefix("10.7.3.0", 24);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(folder_open(folder, &dir), 0);
    assert_int_equal(founding_ca(&f, lab.ca, &ca), 0);
    assert_int_equal(founding_issuer(&f, lab.ca, identity_spki(lab.issuer), 0, &issuer), 0);
    assert_int_equal(founding_member(&f, &issuer.cert, lab.issuer, identity_spki(lab.issuer), "hub",
                                     &(struct addr){0}, &member),
                     0);
    assert_int_equal(certfile_write(dir, CERTFILE_OWN_ISSUER, issuer.der, issuer.len), 0);
    const struct membership_chain chain = {
        {ca.der, ca.len}, {issuer.der, issuer.len}, {member.der, member.len}};
    assert_int_equal(membership_new(&chain, identity_spki(lab.issuer), &part, &why, &ms), 0);
    membership_set_clock(ms, f.now, NOW_US);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    membership_free(ms);
    unlinkat(dir, CERTFILE_OWN_ISSUER, 0);
    unlinkat(dir, ISSUER_FILE, 0);
    close(dir);
    return rmdir(folder);
}

static struct issuer *opened(int keydir)
{
    const struct issuer_config config = {
        .keydir = keydir, .me = lab.issuer, .membership = ms, .random = secret_source};
    struct issuer *is;

    assert_int_equal(issuer_open(&config, &is), 0);
    return is;
}

static void invite(struct issuer *is, struct token *token)
{
    struct invitation i = {.uses = 1};

    memset(token, 0, sizeof(*token));
    assert_int_equal(issuer_invite(is, &i, 3600, NOW_US, token), 0);
}

static int redeem(struct issuer *is, const struct token *token, const struct identity *joiner,
                  struct slice *out)
{
    static const uint8_t exporter[KDF_LEN];
    uint8_t proof[ISSUING_PROOF_LEN], signature[IDENTITY_SIGNATURE_LEN];
    struct identity *key;

    assert_int_equal(identity_from_seed(token->seed, &key), 0);
    issuing_proof(exporter, identity_id(joiner), &token->network, proof);
    assert_int_equal(identity_sign(key, issuing_context, proof, sizeof(proof), signature), 0);
    const struct message_join said = {
        {identity_spki(key), IDENTITY_SPKI_LEN}, {signature, sizeof(signature)}, ""};
    const struct issuing_join join = {&said, identity_spki(joiner), exporter};
    int code = issuer_serving(is)->redeem(issuer_serving(is)->context, &join, NOW_US, out);
    identity_free(key);
    return code;
}

/* The process ends before its answer is heard: another one reads what it wrote. */
static void what_is_answered_is_on_disk(void **state)
{
    struct issuer *is = opened(dir), *next;
    struct token token;
    struct slice der;
    struct cert first, again;

    (void)state;
    invite(is, &token);
    assert_int_equal(redeem(is, &token, lab.member, &der), 0);
    assert_int_equal(cert_decode(der.data, der.len, &first), 0);
    next = opened(dir);
    issuer_free(is);
    assert_int_equal(redeem(next, &token, lab.other, &der), REFUSE_TOKEN_USED);
    assert_int_equal(redeem(next, &token, lab.member, &der), 0);
    assert_int_equal(cert_decode(der.data, der.len, &again), 0);
    assert_string_equal(again.name, first.name);
    assert_true(addr_equal(&again.addresses[0], &first.addresses[0]));
    assert_int_equal(issuer_counts(next).joined, 1);
    assert_int_equal(issuer_counts(next).refused, 1);
    issuer_free(next);
}

/* By the CA, while the node runs. */
static void certificate_of_the_ca_counts_at_once(void **state)
{
    struct founding f = {.network = "lab", .now = clock_unix_s() + 100 * LAB_DAY, .random = &secret_source};
    struct issuer *is = opened(dir);
    const struct serving_issuer *serving = issuer_serving(is);
    struct founding_cert again, foreign;
    struct token token;
    struct slice der;
    struct cert c, last;

    (void)state;
    assert_int_equal(cert_decode(serving->certificate.data, serving->certificate.len, &last), 0);
    assert_int_equal(founding_issuer_again(&f, lab.ca, &last, &again), 0);
    assert_int_equal(founding_issuer_again(&f, lab.other, &last, &foreign), 0);
    assert_false(issuer_recertify(is, (struct slice){foreign.der, foreign.len}));
    memcpy(last.spki, identity_spki(lab.other), sizeof(last.spki));
    assert_int_equal(founding_issuer_again(&f, lab.ca, &last, &foreign), 0);
    assert_false(issuer_recertify(is, (struct slice){foreign.der, foreign.len}));
    assert_int_not_equal(serving->certificate.len, 0);
    assert_true(issuer_recertify(is, (struct slice){again.der, again.len}));
    assert_int_equal(serving->certificate.len, again.len);
    assert_memory_equal(serving->certificate.data, again.der, again.len);
    membership_set_clock(ms, f.now + 300 * LAB_DAY, NOW_US); /* the last one has expired by then */
    invite(is, &token);
    assert_int_equal(redeem(is, &token, lab.member, &der), 0);
    assert_int_equal(cert_decode(der.data, der.len, &c), 0);
    issuer_free(is);
}

/* A joiner that a restored ledger does not know. */
static void what_others_had_of_a_lost_ledger_comes_back(void **state)
{
    struct issuer *is = opened(dir);
    struct roster_member lost = {.id = *identity_id(lab.member), .name = "paris", .address_count = 1};
    struct roster_member old = {.id = {{1}}, .name = "gone", .address_count = 1};
    struct roster_member shut_out = {.id = {{2}}, .name = "bad", .address_count = 1};
    struct token token;
    struct rolls *rolls;
    struct slice der;
    struct cert c;

    (void)state;
    lost.addresses[0] = lab_addr("10.7.3.2"); /* the next one */
    old.addresses[0] = lab_addr("10.7.3.3");
    shut_out.addresses[0] = lab_addr("10.7.3.4");
    lost.since = shut_out.since = old.since = clock_unix_s() - 100;
    lost.not_after = shut_out.not_after = lost.since + LAB_DAY;
    old.not_after = clock_unix_s() - 1;
    assert_int_equal(rolls_new(membership_ca(ms), &rolls), 0);
    rolls_on_time(rolls, clock_unix_s());
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, issuer_serving(is)->certificate), ROLLS_NEWER);
    lost.id.bytes[0] = 3; /* behind the other two */
    const struct roster_member members[] = {old, shut_out, lost};
    assert_int_equal(rolls_publish(rolls, lab.issuer, members, 3), 0);
    assert_int_equal(rolls_revoke(rolls, lab.issuer, &shut_out.id), 0);
    (void)issuer_has_changed(is);
    issuer_learn(is, rolls, NOW_US);
    assert_true(issuer_has_changed(is));
    issuer_learn(is, rolls, NOW_US);
    assert_false(issuer_has_changed(is));
    assert_null(ledger_find(issuer_ledger(is), &old.id));
    assert_null(ledger_find(issuer_ledger(is), &shut_out.id));
    issuer_free(is);
    is = opened(dir); /* it is on disk */
    assert_string_equal(ledger_find(issuer_ledger(is), &lost.id)->name, "paris");
    invite(is, &token);
    assert_int_equal(redeem(is, &token, lab.other, &der), 0);
    assert_int_equal(cert_decode(der.data, der.len, &c), 0);
    assert_false(addr_same_host(&c.addresses[0], &lost.addresses[0]));
    rolls_free(rolls);
    issuer_free(is);
}

static void tokens_from_before_a_restore_hold_no_more(void **state)
{
    struct issuer *is = opened(dir);
    struct token token, fresh;
    struct slice der;

    (void)state;
    invite(is, &token);
    issuer_free(is);
    assert_int_equal(folder_write(dir, ISSUER_RESTORED, OWN_FILE_PRIVATE, "", 0), 0);
    is = opened(dir);
    assert_int_equal(redeem(is, &token, lab.member, &der), REFUSE_TOKEN_REVOKED);
    invite(is, &fresh);
    issuer_free(is);
    is = opened(dir); /* that was once */
    assert_int_equal(redeem(is, &fresh, lab.member, &der), 0);
    issuer_free(is);
}

static void what_cannot_be_written_is_neither_answered_nor_used_up(void **state)
{
    int broken = dup(dir);
    struct issuer *is = opened(broken);
    struct token token, second = {0};
    struct invitation more = {.uses = 1};
    struct slice der;

    (void)state;
    invite(is, &token);
    assert_int_equal(dup2(STDERR_FILENO, broken), broken); /* no folder any more */
    assert_int_equal(redeem(is, &token, lab.member, &der), REFUSE_LATER);
    assert_null(ledger_find(issuer_ledger(is), identity_id(lab.member)));
    assert_int_not_equal(issuer_invite(is, &more, 3600, NOW_US, &second), 0);
    assert_int_equal(dup2(dir, broken), broken); /* the disk is back */
    assert_int_equal(redeem(is, &second, lab.other, &der), REFUSE_TOKEN_UNKNOWN);
    assert_int_equal(redeem(is, &token, lab.other, &der), 0);
    issuer_free(is);
    close(broken);
}

static void file_tells_nobody_how_to_join_and_is_private(void **state)
{
    static uint8_t file[65536];
    struct issuer *is = opened(dir);
    struct token token;
    struct stat st;
    size_t len;

    (void)state;
    invite(is, &token);
    assert_int_equal(fstatat(dir, ISSUER_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(folder_read(dir, ISSUER_FILE, OWN_FILE_PRIVATE, file, sizeof(file), &len), 0);
    assert_null(memmem(file, len, token.seed, sizeof(token.seed)));
    issuer_free(is);
}

static void token_is_revoked_by_its_number(void **state)
{
    struct issuer *is = opened(dir);
    const struct invitation *i;
    char number[ISSUER_NUMBER_MAX];
    struct token token;
    struct slice der;

    (void)state;
    invite(is, &token);
    issuer_number(invitations_at(issuer_invitations(is), 0)->key, number);
    assert_int_equal(issuer_revoke_invitation(is, "00", &i), ERR_NOT_FOUND);
    assert_int_equal(issuer_revoke_invitation(is, number, &i), 0);
    issuer_free(is);
    is = opened(dir);
    assert_int_equal(redeem(is, &token, lab.member, &der), REFUSE_TOKEN_REVOKED);
    issuer_free(is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_answered_is_on_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(certificate_of_the_ca_counts_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_had_of_a_lost_ledger_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_from_before_a_restore_hold_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_neither_answered_nor_used_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(file_tells_nobody_how_to_join_and_is_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(token_is_revoked_by_its_number, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
