/* SPDX-License-Identifier: Apache-2.0 */
/* Our certificates as the rest of the world reads them, and X.509 that is right for it and not for us. */

#include "crypto/cert_chain.h"
#include "crypto/der.h"
#include "crypto/library.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include "cert_lab.h"

static X509 *to_x509(const struct cert_bytes *b)
{
    X509 *x = X509_new_ex(library_context(), NULL);
    const uint8_t *at = b->der;

    assert_non_null(d2i_X509(&x, &at, (long)b->len));
    assert_ptr_equal(at, b->der + b->len);
    return x;
}

/* What `openssl verify -purpose any -CAfile ca -untrusted issuer member` says at LAB_NOW: an X509_V_ERR. */
static int library_verdict(const struct cert *ca, const struct cert *issuer, const struct cert *member)
{
    struct cert_bytes bytes[] = {lab_sign(ca, lab.ca), lab_sign(issuer, lab.ca),
                                 lab_sign(member, lab.issuer)};
    X509 *x[] = {to_x509(&bytes[0]), to_x509(&bytes[1]), to_x509(&bytes[2])};
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(library_context(), NULL);
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    int verdict;

    assert_int_equal(X509_STORE_add_cert(store, x[0]), 1);
    assert_int_equal(sk_X509_push(untrusted, x[1]), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, x[2], untrusted), 1);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)LAB_NOW);
    verdict = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    sk_X509_free(untrusted);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
        X509_free(x[i]);
    return verdict;
}

static void library_accepts_a_chain(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);

    (void)state;
    assert_int_equal(library_verdict(&ca, &issuer, &member), X509_V_OK);
}

/* The issuer's node is a member, too, and has one key. */
static void library_accepts_an_issuer_as_a_member(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);

    (void)state;
    memcpy(member.spki, identity_spki(lab.issuer), sizeof(member.spki));
    assert_int_equal(library_verdict(&ca, &issuer, &member), X509_V_OK);
}

/* The range is not ours alone to check. */
static void library_refuses_an_address_outside_the_range(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);

    (void)state;
    member.addresses[0] = lab_addr("10.7.4.1");
    assert_int_equal(library_verdict(&ca, &issuer, &member), X509_V_ERR_PERMITTED_VIOLATION);
}

static void library_reads_names_and_times(void **state)
{
    struct cert c = lab_member(&lab);
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    X509 *x = to_x509(&b);
    int days, seconds;

    (void)state;
    assert_int_equal(X509_get_version(x), X509_VERSION_3);
    assert_int_equal(X509_check_host(x, "berlin.lab.internal", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "paris.lab.internal", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(x, "10.7.3.65", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "fd12:3456:789a:0:1000::41", 0), 1);
    assert_int_equal(X509_check_ca(x), 0);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)), 1);
    assert_int_equal(days * 86400 + seconds, 30 * 86400);
    X509_free(x);
}

static void write_pem(const char *dir, const char *name, const struct cert *c, const struct identity *signer)
{
    struct cert_bytes b = lab_sign(c, signer);
    X509 *x = to_x509(&b);
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(x);
}

/* The program of the same build as the library; a system that has only the library says so. */
static void program_accepts_a_chain(void **state)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);
    char dir[] = "/tmp/shadowmesh-cert.XXXXXX", command[512];
    const char *openssl = getenv("OPENSSL");
    int good, without_issuer;

    (void)state;
    if (!openssl || access(openssl, X_OK) != 0) {
        print_message("# no openssl program beside the library\n");
        skip();
    }
    assert_non_null(mkdtemp(dir));
    write_pem(dir, "ca.pem", &ca, lab.ca);
    write_pem(dir, "issuer.pem", &issuer, lab.ca);
    write_pem(dir, "member.pem", &member, lab.issuer);
    snprintf(command, sizeof(command),
             "cd %s && %s verify -attime %llu -x509_strict -CAfile ca.pem -untrusted issuer.pem member.pem "
             ">out 2>&1",
             dir, openssl, LAB_NOW);
    good = system(command);
    snprintf(command, sizeof(command), "cd %s && %s verify -attime %llu -CAfile ca.pem member.pem >out 2>&1",
             dir, openssl, LAB_NOW);
    without_issuer = system(command);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(good, 0);
    assert_int_not_equal(without_issuer, 0);
}

/* Alters a certificate of ours by the library and has its issuer sign it again. */
static struct cert_bytes altered(void (*alter)(X509 *x))
{
    struct cert c = lab_member(&lab);
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    X509 *x = to_x509(&b);
    uint8_t *at = b.der;

    alter(x);
    assert_true(X509_sign(x, identity_pkey(lab.issuer), NULL) > 0);
    assert_true(i2d_X509(x, NULL) <= CERT_MAX);
    b.len = (size_t)i2d_X509(x, &at);
    X509_free(x);
    return b;
}

static void no_common_name(X509 *x)
{
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

    X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, 1));
    X509_set_subject_name(x, name);
    X509_NAME_free(name);
}

static void printable_name(X509 *x)
{
    X509_NAME *name = X509_NAME_new();

    X509_NAME_add_entry_by_txt(name, "O", V_ASN1_PRINTABLESTRING, (const uint8_t *)"lab", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_PRINTABLESTRING, (const uint8_t *)"berlin", -1, -1, 0);
    X509_set_subject_name(x, name);
    X509_NAME_free(name);
}

static void other_issuer_name(X509 *x)
{
    X509_set_issuer_name(x, X509_get_subject_name(x));
}

static void generalized_time(X509 *x)
{
    ASN1_TIME *t = ASN1_GENERALIZEDTIME_set(NULL, (time_t)LAB_NOW);

    X509_set1_notBefore(x, t);
    ASN1_TIME_free(t);
}

static void short_serial(X509 *x)
{
    ASN1_INTEGER_set(X509_get_serialNumber(x), 5);
}

static void missing_extension(X509 *x)
{
    X509_EXTENSION_free(X509_delete_ext(x, 0));
}

static void moved_extension(X509 *x)
{
    X509_EXTENSION *e = X509_delete_ext(x, 0);

    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void doubled_extension(X509 *x)
{
    X509_EXTENSION *e = X509_EXTENSION_dup(X509_get_ext(x, 3));

    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void critical_extension(X509 *x)
{
    X509_EXTENSION *e = X509_delete_ext(x, 4);

    X509_EXTENSION_set_critical(e, 1);
    X509_add_ext(x, e, 4);
    X509_EXTENSION_free(e);
}

static void unknown_extension(X509 *x)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, "hello");

    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void email_name(X509 *x)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "email:a@lab.internal");

    X509_EXTENSION_free(X509_delete_ext(x, 3));
    X509_add_ext(x, e, 3);
    X509_EXTENSION_free(e);
}

static void other_key(X509 *x)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(library_context(), NULL, "ML-DSA-65");

    X509_set_pubkey(x, key);
    EVP_PKEY_free(key);
}

/* The rights with more of one kind than there is room for, in otherwise good order. */
static void rights(X509 *x, unsigned vlans, unsigned macs, unsigned routes)
{
    X509_EXTENSION *e = X509_get_ext(x, 4);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    uint8_t der[1024];
    struct writer w = writer_init(der, sizeof(der));
    size_t whole = der_open(&w, DER_SEQUENCE), list, range;

    der_put_uint(&w, 0);
    list = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < vlans; i++) {
        range = der_open(&w, DER_SEQUENCE);
        der_put_uint(&w, 10 + 2 * i);
        der_put_uint(&w, 10 + 2 * i);
        der_close(&w, range);
    }
    der_close(&w, list);
    list = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < macs; i++)
        der_put(&w, DER_OCTET_STRING, (const uint8_t[]){2, (uint8_t)i}, 2);
    der_close(&w, list);
    list = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < routes; i++)
        der_put(&w, DER_OCTET_STRING, (const uint8_t[]){10, (uint8_t)i, 0, 0, 16}, 5);
    der_close(&w, list);
    der_close(&w, whole);
    assert_false(w.bad);
    ASN1_OCTET_STRING_set(value, der, (int)writer_len(&w));
    X509_EXTENSION_set_data(e, value);
    ASN1_OCTET_STRING_free(value);
}

static void full_rights(X509 *x)
{
    rights(x, CERT_VLANS_MAX, CERT_MACS_MAX, CERT_ROUTES_MAX);
}

static void too_many_vlans(X509 *x)
{
    rights(x, CERT_VLANS_MAX + 1, 0, 0);
}

static void too_many_macs(X509 *x)
{
    rights(x, 0, CERT_MACS_MAX + 1, 0);
}

static void too_many_routes(X509 *x)
{
    rights(x, 0, 0, CERT_ROUTES_MAX + 1);
}

static void addresses(X509 *x, unsigned count)
{
    char text[512] = "DNS:berlin.lab.internal";
    X509_EXTENSION *e;

    for (unsigned i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ",IP:10.7.3.%u", 65 + i);
    e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
    X509_EXTENSION_free(X509_delete_ext(x, 3));
    X509_add_ext(x, e, 3);
    X509_EXTENSION_free(e);
}

static void full_addresses(X509 *x)
{
    addresses(x, CERT_ADDRESSES_MAX);
}

static void too_many_addresses(X509 *x)
{
    addresses(x, CERT_ADDRESSES_MAX + 1);
}

static void lists_are_read_up_to_their_limits(void **state)
{
    void (*const good[])(X509 *) = {full_rights, full_addresses};
    void (*const bad[])(X509 *) = {too_many_vlans, too_many_macs, too_many_routes, too_many_addresses};
    struct cert read;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct cert_bytes b = altered(good[i]);
        assert_int_equal(cert_decode(b.der, b.len, &read), 0);
        assert_int_equal(cert_verify(b.der, b.len, identity_spki(lab.issuer)), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cert_bytes b = altered(bad[i]);
        assert_int_equal(cert_decode(b.der, b.len, &read), ERR_FORMAT);
    }
}

/* All of these are X.509 and signed by the issuer. */
static void x509_outside_the_profile_is_refused(void **state)
{
    void (*const alter[])(X509 *) = {
        no_common_name,     printable_name,    other_issuer_name, generalized_time,
        short_serial,       missing_extension, moved_extension,   doubled_extension,
        critical_extension, unknown_extension, email_name,        other_key,
    };
    struct cert read;

    (void)state;
    for (size_t i = 0; i < sizeof(alter) / sizeof(alter[0]); i++) {
        struct cert_bytes b = altered(alter[i]);
        if (cert_decode(b.der, b.len, &read) != ERR_FORMAT)
            fail_msg("alteration %zu was read", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_accepts_a_chain),
        cmocka_unit_test(library_accepts_an_issuer_as_a_member),
        cmocka_unit_test(library_refuses_an_address_outside_the_range),
        cmocka_unit_test(library_reads_names_and_times),
        cmocka_unit_test(program_accepts_a_chain),
        cmocka_unit_test(lists_are_read_up_to_their_limits),
        cmocka_unit_test(x509_outside_the_profile_is_refused),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
