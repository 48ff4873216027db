/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: two of our endpoints, then one of ours against OpenSSL peers that are weaker in one
 * thing each. The whole program runs under an openssl.cnf that would break every one of these handshakes. */

#include "crypto/tls.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define SUITE "SecP384r1MLKEM1024 mldsa87 TLS_AES_256_GCM_SHA384"

static struct identity *alice, *bob;
static struct tls_context *alice_context, *bob_context;

/* One established or failed channel: alice dials bob. */
struct pair {
    struct tls *client, *server;
};

static int group_setup(void **state)
{
    (void)state;
    assert_int_equal(identity_generate(&alice), 0);
    assert_int_equal(identity_generate(&bob), 0);
    assert_int_equal(tls_context_new(alice, &alice_context), 0);
    assert_int_equal(tls_context_new(bob, &bob_context), 0);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_context_free(alice_context);
    tls_context_free(bob_context);
    identity_free(alice);
    identity_free(bob);
    return 0;
}

/* Carries what `from` has to say to `to`, `step` bytes at a time; the first error of to's, or 0. */
static int carry(struct tls *from, struct tls *to, size_t step, size_t *carried)
{
    uint8_t buffer[16384];
    size_t n;
    int err;

    while ((n = tls_take_output(from, buffer, step)) > 0) {
        *carried += n;
        err = tls_feed(to, buffer, n);
        if (err)
            return err;
    }
    return 0;
}

static void run(struct pair *p, size_t step, int *client_err, int *server_err)
{
    size_t carried;

    *server_err = 0;
    *client_err = tls_feed(p->client, NULL, 0);
    do {
        carried = 0;
        if (!*server_err)
            *server_err = carry(p->client, p->server, step, &carried);
        if (!*client_err)
            *client_err = carry(p->server, p->client, step, &carried);
    } while (carried);
}

static void pair_new(struct pair *p, const struct node_id *expected)
{
    assert_int_equal(tls_new(alice_context, false, expected, &p->client), 0);
    assert_int_equal(tls_new(bob_context, true, NULL, &p->server), 0);
}

static void pair_free(struct pair *p)
{
    tls_free(p->client);
    tls_free(p->server);
}

static void pair_connect(struct pair *p)
{
    int client_err, server_err;

    pair_new(p, identity_id(bob));
    run(p, 16384, &client_err, &server_err);
    assert_int_equal(client_err, 0);
    assert_int_equal(server_err, 0);
    assert_true(tls_established(p->client));
    assert_true(tls_established(p->server));
}

static void both_sides_know_each_other_and_the_suite(void **state)
{
    struct pair p;

    (void)state;
    pair_connect(&p);
    assert_int_equal(id_compare(tls_peer_id(p.client), identity_id(bob)), 0);
    assert_int_equal(id_compare(tls_peer_id(p.server), identity_id(alice)), 0);
    assert_string_equal(tls_suite(p.client), SUITE);
    assert_string_equal(tls_suite(p.server), SUITE);
    pair_free(&p);
}

static void stream_cut_into_single_bytes_establishes(void **state)
{
    int client_err, server_err;
    struct pair p;

    (void)state;
    pair_new(&p, NULL);
    run(&p, 1, &client_err, &server_err);
    assert_int_equal(client_err, 0);
    assert_int_equal(server_err, 0);
    assert_true(tls_established(p.client) && tls_established(p.server));
    pair_free(&p);
}

static void data_passes_both_ways(void **state)
{
    static uint8_t sent[100000], got[sizeof(sent)];
    size_t carried = 0, len = 0;
    struct pair p;
    int n;

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    pair_connect(&p);
    assert_int_equal(tls_write(p.client, sent, sizeof(sent)), 0);
    assert_int_equal(carry(p.client, p.server, 1400, &carried), 0);
    while ((n = tls_read(p.server, got + len, sizeof(got) - len)) > 0)
        len += (size_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(len, sizeof(sent));
    assert_memory_equal(got, sent, sizeof(sent));
    assert_int_equal(tls_write(p.server, sent, 5), 0);
    assert_int_equal(carry(p.server, p.client, 1400, &carried), 0);
    assert_int_equal(tls_read(p.client, got, sizeof(got)), 5);
    assert_int_equal(tls_read(p.client, got, sizeof(got)), 0);
    pair_free(&p);
}

static void exported_keys_agree_and_depend_on_the_context(void **state)
{
    uint8_t a[48], b[48], c[48], zero[48] = {0};
    struct pair p, q;

    (void)state;
    pair_connect(&p);
    pair_connect(&q);
    assert_int_equal(tls_export(p.client, (const uint8_t *)"hellos", 6, a, sizeof(a)), 0);
    assert_int_equal(tls_export(p.server, (const uint8_t *)"hellos", 6, b, sizeof(b)), 0);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(tls_export(p.server, (const uint8_t *)"hellOs", 6, c, sizeof(c)), 0);
    assert_memory_not_equal(a, c, sizeof(a));
    assert_int_equal(tls_export(q.client, (const uint8_t *)"hellos", 6, c, sizeof(c)), 0);
    assert_memory_not_equal(a, c, sizeof(a));
    pair_free(&p);
    pair_free(&q);
    pair_new(&p, NULL);
    assert_int_equal(tls_export(p.client, NULL, 0, a, sizeof(a)), ERR_CRYPTO);
    assert_memory_equal(a, zero, sizeof(a));
    pair_free(&p);
}

static void server_with_another_key_is_a_mismatch_that_names_both_ids(void **state)
{
    char wanted[ID_TEXT_MAX], shown[ID_TEXT_MAX];
    int client_err, server_err;
    struct node_id other = *identity_id(bob);
    struct pair p;

    (void)state;
    other.bytes[ID_LEN - 1] ^= 1;
    pair_new(&p, &other);
    run(&p, 16384, &client_err, &server_err);
    assert_int_equal(client_err, ERR_MISMATCH);
    assert_int_equal(server_err, ERR_CRYPTO);
    assert_false(tls_established(p.client));
    assert_false(tls_established(p.server));
    assert_non_null(strstr(tls_reason(p.client), id_format(&other, wanted)));
    assert_non_null(strstr(tls_reason(p.client), id_format(identity_id(bob), shown)));
    assert_int_equal(id_compare(tls_peer_id(p.client), identity_id(bob)), 0);
    assert_int_equal(tls_feed(p.client, NULL, 0), ERR_MISMATCH);
    pair_free(&p);
}

static void close_is_told_after_the_last_data(void **state)
{
    size_t carried = 0;
    uint8_t out[16];
    struct pair p;

    (void)state;
    pair_connect(&p);
    assert_int_equal(tls_write(p.client, (const uint8_t *)"bye", 3), 0);
    tls_shutdown(p.client);
    assert_int_equal(carry(p.client, p.server, 16384, &carried), 0);
    assert_int_equal(tls_read(p.server, out, sizeof(out)), 3);
    assert_int_equal(tls_read(p.server, out, sizeof(out)), ERR_CLOSED);
    assert_int_equal(tls_write(p.server, out, 1), ERR_CLOSED);
    pair_free(&p);
}

static void close_alone_is_told_by_feed(void **state)
{
    size_t carried = 0;
    struct pair p;

    (void)state;
    pair_connect(&p);
    tls_shutdown(p.server);
    assert_int_equal(carry(p.server, p.client, 16384, &carried), ERR_CLOSED);
    pair_free(&p);
}

static void altered_record_ends_the_channel(void **state)
{
    uint8_t buffer[256];
    struct pair p;
    size_t n;

    (void)state;
    pair_connect(&p);
    assert_int_equal(tls_write(p.client, (const uint8_t *)"hello", 5), 0);
    n = tls_take_output(p.client, buffer, sizeof(buffer));
    buffer[n - 1] ^= 1;
    assert_int_equal(tls_feed(p.server, buffer, n), ERR_CRYPTO);
    assert_true(strlen(tls_reason(p.server)) > 0);
    assert_int_equal(tls_read(p.server, buffer, sizeof(buffer)), ERR_CRYPTO);
    assert_true(tls_take_output(p.server, buffer, sizeof(buffer)) > 0); /* the alert */
    pair_free(&p);
}

static void server_sends_no_ticket(void **state)
{
    uint8_t buffer[64];
    size_t n, carried = 0;
    struct pair p;

    (void)state;
    pair_new(&p, NULL);
    assert_int_equal(tls_feed(p.client, NULL, 0), 0);
    assert_int_equal(carry(p.client, p.server, 16384, &carried), 0);
    assert_int_equal(carry(p.server, p.client, 16384, &carried), 0);
    assert_int_equal(carry(p.client, p.server, 16384, &carried), 0);
    assert_true(tls_established(p.server));
    n = tls_take_output(p.server, buffer, sizeof(buffer));
    assert_int_equal(n, 0);
    pair_free(&p);
}

static void garbage_is_refused(void **state)
{
    uint8_t garbage[512];
    struct pair p;

    (void)state;
    memset(garbage, 0x55, sizeof(garbage));
    pair_new(&p, NULL);
    assert_int_equal(tls_feed(p.server, garbage, sizeof(garbage)), ERR_CRYPTO);
    assert_true(strlen(tls_reason(p.server)) > 0);
    assert_int_equal(tls_feed(p.client, garbage, sizeof(garbage)), ERR_CRYPTO);
    pair_free(&p);
}

/* A ClientHello that announces 128 KB and comes in small records: the library would store it all. */
static void endless_handshake_is_cut_off(void **state)
{
    uint8_t record[5 + 1000] = {22, 3, 1, 1000 >> 8, 1000 & 255, 1, 0x01, 0xf4, 0x00, 3, 3};
    size_t fed = 0;
    struct pair p;
    int err = 0;

    (void)state;
    pair_new(&p, NULL);
    while (!err && fed < 120000) {
        err = tls_feed(p.server, record, sizeof(record));
        fed += sizeof(record);
        memset(record + 5, 0, sizeof(record) - 5);
    }
    assert_int_equal(err, ERR_CRYPTO);
    assert_in_range(fed, 65536, 65536 + sizeof(record));
    assert_non_null(strstr(tls_reason(p.server), "longer than"));
    pair_free(&p);
}

static void output_and_input_are_bounded(void **state)
{
    static uint8_t block[16384];
    struct pair p;
    size_t n, written = 0;
    int err = 0;

    (void)state;
    pair_connect(&p);
    while (!(err = tls_write(p.client, block, sizeof(block))) && written < 4 * 1048576)
        written += sizeof(block);
    assert_int_equal(err, ERR_SPACE);
    assert_in_range(written, 1000000, 1100000);
    err = 0;
    for (int i = 0; i < 4 && !err; i++) { /* a caller that never reads */
        while (!err && (n = tls_take_output(p.client, block, sizeof(block))) > 0)
            err = tls_feed(p.server, block, n);
        memset(block, 0, sizeof(block));
        while (tls_write(p.client, block, sizeof(block)) == 0)
            ;
    }
    assert_int_equal(err, ERR_SPACE);
    pair_free(&p);
}

/* ---- peers that are not ours ---- */

struct stranger {
    OSSL_LIB_CTX *library;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
    EVP_PKEY *key;
};

static int accept_anyone(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* By default just like ours; each test then spoils one thing. */
static void stranger_new(struct stranger *s, const char *algorithm)
{
    static const unsigned char raw_key[] = {TLSEXT_cert_type_rpk};

    s->library = OSSL_LIB_CTX_new();
    s->context = SSL_CTX_new_ex(s->library, NULL, TLS_method());
    s->key = algorithm && strcmp(algorithm, "P-384") == 0 ? EVP_PKEY_Q_keygen(s->library, NULL, "EC", "P-384")
             : algorithm                                  ? EVP_PKEY_Q_keygen(s->library, NULL, algorithm)
                                                          : NULL;
    assert_non_null(s->context);
    assert_int_equal(SSL_CTX_set1_groups_list(s->context, "SecP384r1MLKEM1024"), 1);
    assert_int_equal(SSL_CTX_set1_client_cert_type(s->context, raw_key, 1), 1);
    assert_int_equal(SSL_CTX_set1_server_cert_type(s->context, raw_key, 1), 1);
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(s->context, accept_anyone, NULL);
    if (algorithm)
        assert_int_equal(SSL_CTX_use_PrivateKey(s->context, s->key), 1);
}

static void stranger_start(struct stranger *s, bool server)
{
    s->ssl = SSL_new(s->context);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(s->in, -1);
    SSL_set_bio(s->ssl, s->in, s->out);
    if (server)
        SSL_set_accept_state(s->ssl);
    else
        SSL_set_connect_state(s->ssl);
}

static void stranger_free(struct stranger *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->context);
    EVP_PKEY_free(s->key);
    OSSL_LIB_CTX_free(s->library);
}

/* A self-signed certificate, shown in place of a raw key. */
static void stranger_use_certificate(struct stranger *s)
{
    static const unsigned char x509[] = {TLSEXT_cert_type_x509};
    X509 *cert = X509_new_ex(s->library, NULL);

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, s->key);
    assert_true(X509_sign(cert, s->key, EVP_PKEY_is_a(s->key, "EC") ? EVP_sha384() : NULL) > 0);
    assert_int_equal(SSL_CTX_use_certificate(s->context, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s->context, s->key), 1);
    assert_int_equal(SSL_CTX_set1_client_cert_type(s->context, x509, 1), 1);
    assert_int_equal(SSL_CTX_set1_server_cert_type(s->context, x509, 1), 1);
    X509_free(cert);
}

/* Runs a handshake between s and a new endpoint of bob's; returns our side's error. */
static int meet(struct stranger *s, bool we_serve, struct tls **out)
{
    uint8_t buffer[16384];
    struct tls *ours;
    int err, n;

    stranger_start(s, !we_serve);
    assert_int_equal(tls_new(bob_context, we_serve, NULL, &ours), 0);
    err = we_serve ? 0 : tls_feed(ours, NULL, 0);
    for (int round = 0; round < 10 && !err; round++) {
        SSL_do_handshake(s->ssl);
        while (!err && (n = BIO_read(s->out, buffer, sizeof(buffer))) > 0)
            err = tls_feed(ours, buffer, (size_t)n);
        while ((n = (int)tls_take_output(ours, buffer, sizeof(buffer))) > 0)
            BIO_write(s->in, buffer, n);
    }
    *out = ours;
    return err;
}

static void assert_refused(struct stranger *s, bool we_serve)
{
    struct tls *ours;

    assert_int_equal(meet(s, we_serve, &ours), ERR_CRYPTO);
    assert_false(tls_established(ours));
    assert_true(strlen(tls_reason(ours)) > 0);
    if (getenv("SHOW_REASONS"))
        print_message("    reason: %s\n", tls_reason(ours));
    tls_free(ours);
    stranger_free(s);
}

/* Without this, the refusals below would prove nothing. */
static void stranger_with_all_that_is_required_is_let_in(void **state)
{
    struct tls *ours;

    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct stranger s = {0};

        stranger_new(&s, "ML-DSA-87");
        assert_int_equal(meet(&s, we_serve, &ours), 0);
        assert_true(tls_established(ours));
        assert_string_equal(tls_suite(ours), SUITE);
        tls_free(ours);
        stranger_free(&s);
    }
}

static void other_key_exchange_is_refused(void **state)
{
    static const char *const groups[] = {"X25519MLKEM768", "X25519", "P-384", "MLKEM1024"};

    (void)state;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (int we_serve = 0; we_serve <= 1; we_serve++) {
            struct stranger s = {0};

            stranger_new(&s, "ML-DSA-87");
            assert_int_equal(SSL_CTX_set1_groups_list(s.context, groups[i]), 1);
            assert_refused(&s, we_serve);
        }
}

static void tls_1_2_is_refused(void **state)
{
    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct stranger s = {0};

        stranger_new(&s, "P-384");
        stranger_use_certificate(&s);
        SSL_CTX_set1_groups_list(s.context, "P-384");
        SSL_CTX_set_max_proto_version(s.context, TLS1_2_VERSION);
        assert_refused(&s, we_serve);
    }
}

static void other_cipher_suite_is_refused(void **state)
{
    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct stranger s = {0};

        stranger_new(&s, "ML-DSA-87");
        SSL_CTX_set_ciphersuites(s.context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256");
        assert_refused(&s, we_serve);
    }
}

static void key_of_another_kind_is_refused(void **state)
{
    static const char *const keys[] = {"ML-DSA-65", "ML-DSA-44", "P-384", "ED25519"};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        for (int we_serve = 0; we_serve <= 1; we_serve++) {
            struct stranger s = {0};

            stranger_new(&s, keys[i]);
            assert_refused(&s, we_serve);
        }
}

static void certificate_instead_of_a_raw_key_is_refused(void **state)
{
    static const char *const keys[] = {"P-384", "ML-DSA-87"};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        for (int we_serve = 0; we_serve <= 1; we_serve++) {
            struct stranger s = {0};

            stranger_new(&s, keys[i]);
            stranger_use_certificate(&s);
            assert_refused(&s, we_serve);
        }
}

static void client_without_a_key_is_refused(void **state)
{
    struct stranger s = {0};

    (void)state;
    stranger_new(&s, NULL);
    assert_refused(&s, true);
}

static void put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void raise_u16(uint8_t *at, size_t by)
{
    put_u16(at, ((size_t)at[0] << 8 | at[1]) + by);
}

/* Appends a signature_algorithms_cert extension, which the library itself never sends and has to take, to a
 * ClientHello that fills one record. Returns the record's new length. */
static size_t add_certificate_algorithm(uint8_t *record, size_t len, uint16_t algorithm)
{
    size_t at = 5 + 4 + 2 + 32, added = 4 + 2 + 2; /* headers, version, random */

    at += 1 + (size_t)record[at];                         /* session id */
    at += 2 + ((size_t)record[at] << 8 | record[at + 1]); /* cipher suites */
    at += 1 + (size_t)record[at];                         /* compression */
    raise_u16(record + 3, added);
    raise_u16(record + 5 + 2, added);
    raise_u16(record + at, added);
    put_u16(record + len, TLSEXT_TYPE_signature_algorithms_cert);
    put_u16(record + len + 2, 4);
    put_u16(record + len + 4, 2);
    put_u16(record + len + 6, algorithm);
    return len + added;
}

/* What the server makes of a ClientHello with that extension: its answer, or its refusal with a reason. */
static void serve_certificate_algorithm(uint16_t algorithm)
{
    uint8_t buffer[16384];
    struct pair p;
    size_t n;
    int err;

    pair_new(&p, NULL);
    assert_int_equal(tls_feed(p.client, NULL, 0), 0);
    n = tls_take_output(p.client, buffer, sizeof(buffer) - 8);
    assert_int_equal(5 + ((size_t)buffer[3] << 8 | buffer[4]), n);
    n = add_certificate_algorithm(buffer, n, algorithm);
    err = tls_feed(p.server, buffer, n);
    n = tls_take_output(p.server, buffer, sizeof(buffer));
    assert_true(n > 0);
    assert_int_equal(buffer[0], err ? SSL3_RT_ALERT : SSL3_RT_HANDSHAKE);
    assert_true(err == 0 || strlen(tls_reason(p.server)) > 0);
    pair_free(&p);
}

/* A library that looks for a certificate to go with our key, where there is none, falls over a null pointer here
 * (CVE-2026-14457). */
static void client_that_names_algorithms_for_certificates_is_answered(void **state)
{
    static const uint16_t algorithms[] = {0x0906, 0x0905, 0x0503, 0x0804, 0x0000, 0xffff};

    (void)state;
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        serve_certificate_algorithm(algorithms[i]);
}

/* Our client is established when it has sent its last flight; the refusal of its key comes after that. */
static void refusal_after_the_last_flight_is_told(void **state)
{
    uint8_t buffer[16384];
    struct stranger s = {0};
    struct tls *ours;
    int n, err = 0;

    (void)state;
    stranger_new(&s, "ML-DSA-87");
    SSL_CTX_set_verify(s.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(s.context, NULL, NULL); /* trusts no raw key */
    assert_int_equal(meet(&s, false, &ours), ERR_CRYPTO);
    while (!err && (n = BIO_read(s.out, buffer, sizeof(buffer))) > 0)
        err = tls_feed(ours, buffer, (size_t)n);
    assert_non_null(strstr(tls_reason(ours), "alert"));
    tls_free(ours);
    stranger_free(&s);
}

/* A system policy as an administrator (or an attacker with a file) could set it. */
static void write_hostile_configuration(char *path)
{
    static const char text[] = "openssl_conf = init\n[init]\nssl_conf = ssl\nalg_section = alg\n"
                               "[alg]\ndefault_properties = fips=yes\n[ssl]\nsystem_default = weak\n[weak]\n"
                               "MinProtocol = TLSv1.2\nMaxProtocol = TLSv1.2\nGroups = X25519\n"
                               "SignatureAlgorithms = rsa_pss_rsae_sha256\nOptions = SessionTicket\n";
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
        abort();
    close(fd);
    setenv("OPENSSL_CONF", path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_know_each_other_and_the_suite),
        cmocka_unit_test(stream_cut_into_single_bytes_establishes),
        cmocka_unit_test(data_passes_both_ways),
        cmocka_unit_test(exported_keys_agree_and_depend_on_the_context),
        cmocka_unit_test(server_with_another_key_is_a_mismatch_that_names_both_ids),
        cmocka_unit_test(close_is_told_after_the_last_data),
        cmocka_unit_test(close_alone_is_told_by_feed),
        cmocka_unit_test(altered_record_ends_the_channel),
        cmocka_unit_test(server_sends_no_ticket),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(endless_handshake_is_cut_off),
        cmocka_unit_test(output_and_input_are_bounded),
        cmocka_unit_test(stranger_with_all_that_is_required_is_let_in),
        cmocka_unit_test(other_key_exchange_is_refused),
        cmocka_unit_test(tls_1_2_is_refused),
        cmocka_unit_test(other_cipher_suite_is_refused),
        cmocka_unit_test(key_of_another_kind_is_refused),
        cmocka_unit_test(certificate_instead_of_a_raw_key_is_refused),
        cmocka_unit_test(client_without_a_key_is_refused),
        cmocka_unit_test(client_that_names_algorithms_for_certificates_is_answered),
        cmocka_unit_test(refusal_after_the_last_flight_is_told),
    };
    char path[] = "/tmp/shadowmesh-openssl-cnf.XXXXXX";
    int failed;

    write_hostile_configuration(path);
    failed = cmocka_run_group_tests(tests, group_setup, group_teardown);
    unlink(path);
    return failed;
}
