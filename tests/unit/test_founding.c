/* SPDX-License-Identifier: Apache-2.0 */
/* A network's first certificates: ours and openssl(1) accept them, issuers never overlap, ranges avoid what is there. */

#include "base/folder.h"
#include "base/random.h"
#include "crypto/cert_chain.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

static const struct addr nowhere;

/* Counts up, so that a test knows what is drawn. */
static void fill(void *context, void *out, size_t len)
{
    uint8_t *next = context;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (*next)++;
}

static uint8_t drawn;
static const struct random_source counting = {fill, &drawn};

static struct founding lab_founding(void)
{
    struct founding f = {.network = "lab", .now = LAB_NOW, .random = &counting, .range_count = 2};
    f.ranges[0] = lab_prefix("10.7.3.0", 24);
    f.ranges[1] = founding_ula(identity_id(lab.ca));
    return f;
}

struct chain {
    struct founding_cert ca, issuer, member;
};

static int make_chain(const struct founding *f, unsigned number, const struct addr *ip, struct chain *out)
{
    assert_int_equal(founding_ca(f, lab.ca, &out->ca), 0);
    assert_int_equal(founding_issuer(f, lab.ca, identity_spki(lab.issuer), number, &out->issuer), 0);
    return founding_member(f, &out->issuer.cert, lab.issuer, identity_spki(lab.issuer), "berlin", ip,
                           &out->member);
}

static struct slice der_of(const struct founding_cert *c)
{
    return (struct slice){c->der, c->len};
}

static void made_chain_holds(void **state)
{
    struct founding f = lab_founding();
    struct cert ca, issuer, member;
    struct chain c;
    (void)state;
    assert_int_equal(make_chain(&f, 0, &nowhere, &c), 0);
    assert_int_equal(cert_chain_ca(der_of(&c.ca), identity_id(lab.ca), LAB_NOW, &ca), CERT_OK);
    assert_int_equal(cert_chain_issuer(&ca, der_of(&c.issuer), LAB_NOW, &issuer), CERT_OK);
    assert_int_equal(
        cert_chain_member(&ca, &issuer, der_of(&c.member), identity_spki(lab.issuer), LAB_NOW, &member),
        CERT_OK);
    assert_string_equal(member.name, "berlin");
    assert_int_equal(member.address_count, 2);
    assert_int_equal(member.not_after, LAB_NOW + 30 * LAB_DAY);
    assert_int_equal(issuer.not_after - issuer.not_before, 366 * LAB_DAY);
    assert_int_equal(ca.not_before, LAB_NOW - 3600);
    assert_memory_not_equal(ca.serial, issuer.serial, sizeof(ca.serial));
}

/* So that its members' addresses stay. */
static void issuer_is_certified_anew_as_it_was_and_for_another_year(void **state)
{
    struct founding f = lab_founding();
    struct founding_cert again;
    struct cert ca, first, second;
    struct chain c;
    (void)state;
    assert_int_equal(make_chain(&f, 3, &nowhere, &c), 0);
    f.now += 200 * LAB_DAY;
    f.range_count = 0; /* the last one has them */
    assert_int_equal(founding_issuer_again(&f, lab.ca, &c.issuer.cert, &again), 0);
    assert_int_equal(cert_chain_ca(der_of(&c.ca), identity_id(lab.ca), f.now, &ca), CERT_OK);
    assert_int_equal(cert_chain_issuer(&ca, der_of(&c.issuer), LAB_NOW, &first), CERT_OK);
    assert_int_equal(cert_chain_issuer(&ca, der_of(&again), f.now, &second), CERT_OK);
    assert_memory_equal(second.spki, first.spki, sizeof(first.spki));
    assert_int_equal(second.slice_count, 2);
    assert_memory_equal(second.slices, first.slices, sizeof(first.slices));
    assert_memory_equal(second.ranges, first.ranges, sizeof(first.ranges));
    assert_int_equal(second.not_after, first.not_after + 200 * LAB_DAY);
    assert_memory_not_equal(second.serial, first.serial, sizeof(first.serial));
    f.now = LAB_NOW + CERT_CA_LIFE;
    assert_int_equal(founding_issuer_again(&f, lab.ca, &c.issuer.cert, &again), 0);
    assert_int_equal(cert_chain_issuer(&ca, der_of(&again), LAB_NOW, &second), CERT_OUTSIDE);
}

static void first_address_is_one_and_both_families_agree(void **state)
{
    struct founding f = lab_founding();
    struct addr ip = lab_addr("10.7.3.77");
    char text[ADDR_TEXT_MAX];
    struct chain c;
    (void)state;
    assert_int_equal(make_chain(&f, 0, &nowhere, &c), 0);
    assert_string_equal(addr_format(&c.member.cert.addresses[0], text), "10.7.3.1");
    assert_int_equal(c.member.cert.addresses[1].ip[15], 1);
    assert_int_equal(make_chain(&f, 0, &ip, &c), 0);
    assert_string_equal(addr_format(&c.member.cert.addresses[0], text), "10.7.3.77");
    assert_int_equal(c.member.cert.addresses[1].ip[15], 77);
    assert_memory_equal(c.member.cert.addresses[1].ip, f.ranges[1].addr.ip, 15);
    assert_int_equal(make_chain(&f, 1, &nowhere, &c), 0);
    assert_string_equal(addr_format(&c.member.cert.addresses[0], text), "10.7.3.129");
}

static void address_that_the_issuer_does_not_give_is_refused(void **state)
{
    static const char *const texts[] = {"10.7.3.0", "10.7.3.128", "10.7.4.1", "fd00::1"};
    struct founding f = lab_founding();
    struct chain c;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct addr ip = lab_addr(texts[i]);
        assert_int_equal(make_chain(&f, 0, &ip, &c), ERR_SPACE);
    }
}

static void slices_fill_the_range_and_never_overlap(void **state)
{
    const struct addr_prefix ranges[] = {lab_prefix("10.7.3.0", 24), lab_prefix("10.0.0.0", 8),
                                         lab_prefix("10.7.3.32", 27), lab_prefix("fd12:3456:789a::", 64)};
    (void)state;
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
        struct addr_prefix s[FOUNDING_SLICES];
        unsigned parts = 0;
        for (unsigned i = 0; i < FOUNDING_SLICES; i++) {
            assert_int_equal(founding_slice(&ranges[r], i, &s[i]), 0);
            assert_true(addr_in_prefix(&s[i].addr, &ranges[r]));
            parts += 32u >> (s[i].bits - ranges[r].bits);
            for (unsigned j = 0; j < i; j++)
                assert_false(addr_prefix_overlap(&s[i], &s[j]));
        }
        assert_int_equal(parts, 32);
    }
}

static void small_range_has_room_for_fewer_issuers(void **state)
{
    struct addr_prefix range = lab_prefix("10.7.3.16", 28), slice;
    (void)state;
    assert_int_equal(founding_slice(&range, 3, &slice), 0);
    assert_int_equal(slice.bits, 32);
    assert_int_equal(founding_slice(&range, 4, &slice), ERR_SPACE);
}

static void range_that_no_network_can_have_is_refused(void **state)
{
    struct founding f = lab_founding();
    struct founding_cert ca;
    (void)state;
    f.ranges[0] = lab_prefix("10.7.3.0", 29);
    assert_int_equal(founding_ca(&f, lab.ca, &ca), ERR_ARGUMENT);
    f.ranges[0] = lab_prefix("0.0.0.0", 0);
    assert_int_equal(founding_ca(&f, lab.ca, &ca), ERR_ARGUMENT);
    f.ranges[0] = lab_prefix("10.7.3.1", 24); /* no subnet */
    assert_int_equal(founding_ca(&f, lab.ca, &ca), ERR_ARGUMENT);
}

static void labels_are_judged(void **state)
{
    static const char *const names[] = {"",
                                        "Lab",
                                        "-lab",
                                        "l b",
                                        "0123456789abcdef0123456789abcdef01234567",
                                        "a123456789b123456789c123456789d123456789e123456789f123456789gggg",
                                        "a123456789b123456789c123456789d123456789e123456789f123456789ggggg"};
    struct founding f = lab_founding();
    struct founding_cert issuer, member, ca;
    (void)state;
    assert_int_equal(founding_issuer(&f, lab.ca, identity_spki(lab.issuer), 0, &issuer), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(founding_member(&f, &issuer.cert, lab.issuer, identity_spki(lab.member), names[i],
                                         &nowhere, &member),
                         ERR_ARGUMENT);
        f.network = names[i];
        if (i != 4) /* a network may be called so */
            assert_int_equal(founding_ca(&f, lab.ca, &ca), ERR_ARGUMENT);
        f.network = "lab";
    }
}

static void ula_is_made_of_the_fingerprint(void **state)
{
    const struct node_id *id = identity_id(lab.ca);
    struct addr_prefix ula = founding_ula(id);
    (void)state;
    assert_int_equal(ula.bits, 64);
    assert_int_equal(ula.addr.ip[0], 0xfd);
    assert_memory_equal(ula.addr.ip + 1, id->bytes, 5);
    assert_true(addr_is_private(&ula.addr));
}

static void range_avoids_what_is_taken(void **state)
{
    struct addr_prefix out,
        taken[3] = {lab_prefix("10.0.1.0", 25), lab_prefix("10.2.0.0", 15), lab_prefix("10.0.0.0", 8)};
    char text[ADDR_TEXT_MAX];
    (void)state;
    drawn = 0;
    assert_int_equal(founding_range(&counting, taken, 3, &out), 0);
    assert_string_equal(addr_prefix_format(&out, text),
                        "10.4.5.0/24"); /* 0.1 and 2.3 are taken, 10/8 is too wide to be */
    taken[1] = lab_prefix("10.0.0.0", 9);
    taken[2] = lab_prefix("10.128.0.0", 9);
    assert_int_equal(founding_range(&counting, taken, 3, &out), ERR_SPACE);
}

static void write_file(int dir_fd, const char *name, const struct founding_cert *c)
{
    assert_int_equal(certfile_write(dir_fd, name, c->der, c->len), 0);
}

/* The program of the same build as the library; a system that has only the library says so. */
static void program_accepts_the_files(void **state)
{
    char dir[] = "/tmp/shadowmesh-founding.XXXXXX", command[512];
    const char *openssl = getenv("OPENSSL");
    struct founding f = lab_founding();
    struct chain c;
    int dir_fd;
    (void)state;
    if (!openssl || access(openssl, X_OK) != 0) {
        print_message("# no openssl program beside the library\n");
        skip();
    }
    assert_int_equal(make_chain(&f, 3, &nowhere, &c), 0);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(folder_open(dir, &dir_fd), 0);
    write_file(dir_fd, CERTFILE_CA, &c.ca);
    write_file(dir_fd, CERTFILE_ISSUER, &c.issuer);
    write_file(dir_fd, CERTFILE_MEMBER, &c.member);
    close(dir_fd);
    snprintf(command, sizeof(command),
             "cd %s && %s verify -attime %llu -x509_strict -CAfile ca.pem -untrusted issuer.pem member.pem "
             ">out 2>&1; result=$?; rm -r %s; exit $result",
             dir, openssl, LAB_NOW, dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_chain_holds),
        cmocka_unit_test(issuer_is_certified_anew_as_it_was_and_for_another_year),
        cmocka_unit_test(first_address_is_one_and_both_families_agree),
        cmocka_unit_test(address_that_the_issuer_does_not_give_is_refused),
        cmocka_unit_test(slices_fill_the_range_and_never_overlap),
        cmocka_unit_test(small_range_has_room_for_fewer_issuers),
        cmocka_unit_test(range_that_no_network_can_have_is_refused),
        cmocka_unit_test(labels_are_judged),
        cmocka_unit_test(ula_is_made_of_the_fingerprint),
        cmocka_unit_test(range_avoids_what_is_taken),
        cmocka_unit_test(program_accepts_the_files),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
