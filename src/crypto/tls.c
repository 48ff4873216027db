/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel's TLS over memory BIOs. Any thread, an endpoint one at a time. docs/PROTOCOL.md §6.
 *
 * What a stranger can make us hold is bounded: HANDSHAKE_MAX bytes in before the handshake is done, and
 * PENDING_MAX either way afterwards. */

#include "crypto/tls.h"

#include "crypto/identity_internal.h"
#include "crypto/library.h"
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/buffer.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP          "SecP384r1MLKEM1024"
#define SIGNATURE      "mldsa87"
#define CIPHERSUITE    "TLS_AES_256_GCM_SHA384"
#define SUITE          GROUP " " SIGNATURE " " CIPHERSUITE
#define EXPORTER_LABEL "EXPORTER-shadowmesh-data"

#define SECURITY_LEVEL 4     /* at least 192 bits in every part */
#define HANDSHAKE_MAX  65536 /* a peer's whole handshake takes 10 KB */
#define CHUNK_LEN      4096
#define CERT_LIST_MAX  8192
#define PENDING_MAX    (1 << 20)
#define IDLE_MAX       4096 /* of an empty BIO's memory */
#define REASON_MAX     192

struct tls_context {
    const struct identity *me;
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
    BIO *in, *out;          /* owned by ssl */
    size_t handshake_bytes; /* received before established */
    bool established, has_expected, seen;
    int failed; /* the error that ended the channel, or 0 */
    struct node_id expected, peer;
    char suite[96];
    char reason[REASON_MAX];
};

__attribute__((format(printf, 3, 4))) static int fail(struct tls *tls, int err, const char *format, ...)
{
    va_list args;

    tls->failed = err;
    va_start(args, format);
    vsnprintf(tls->reason, sizeof(tls->reason), format, args);
    va_end(args);
    return err;
}

/* Any ML-DSA-87 key will do here, its owner proves possession in CertificateVerify; a client also knows whose
 * it has to be. */
static int check_peer(struct tls *tls, EVP_PKEY *key)
{
    char wanted[ID_TEXT_MAX], shown[ID_TEXT_MAX];
    uint8_t spki[IDENTITY_SPKI_LEN];

    if (!key)
        return fail(tls, ERR_CRYPTO, "the peer shows no raw public key");
    if (identity_spki_of_pkey(key, spki))
        return fail(tls, ERR_CRYPTO, "the peer's key is of type %s, not ML-DSA-87",
                    EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "unknown");
    if (identity_id_of_spki(spki, sizeof(spki), &tls->peer))
        return fail(tls, ERR_CRYPTO, "the peer's key cannot be hashed");
    tls->seen = true;
    if (tls->has_expected && id_compare(&tls->peer, &tls->expected) != 0)
        return fail(tls, ERR_MISMATCH, "dialled %s, but the key shown there has the id %s",
                    id_format(&tls->expected, wanted), id_format(&tls->peer, shown));
    return 0;
}

static int on_verify(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)arg;
    if (check_peer(SSL_get_app_data(ssl), X509_STORE_CTX_get0_rpk(store)) == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static bool set_algorithms(SSL_CTX *ssl)
{
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set1_groups_list(ssl, GROUP) == 1 && SSL_CTX_set_ciphersuites(ssl, CIPHERSUITE) == 1 &&
           SSL_CTX_set1_sigalgs_list(ssl, SIGNATURE) == 1 &&
           SSL_CTX_set1_client_sigalgs_list(ssl, SIGNATURE) == 1;
}

static bool set_identity(SSL_CTX *ssl, const struct identity *me)
{
    static const unsigned char raw_key[] = {TLSEXT_cert_type_rpk};

    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, on_verify, NULL);
    SSL_CTX_set_max_cert_list(ssl, CERT_LIST_MAX);
    return SSL_CTX_set1_client_cert_type(ssl, raw_key, sizeof(raw_key)) == 1 &&
           SSL_CTX_set1_server_cert_type(ssl, raw_key, sizeof(raw_key)) == 1 &&
           SSL_CTX_use_PrivateKey(ssl, identity_pkey(me)) == 1;
}

/* Options are set whole, so that none comes from elsewhere. */
static bool set_features(SSL_CTX *ssl)
{
    SSL_CTX_clear_options(ssl, SSL_CTX_get_options(ssl));
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION |
                                 SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* most channels are idle most of the time */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_num_tickets(ssl, 0) == 1 && SSL_CTX_set_max_early_data(ssl, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(ssl, 0) == 1;
}

int tls_context_new(const struct identity *me, struct tls_context **out)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    if (!context)
        return ERR_NOMEM;
    context->me = me;
    context->ssl = SSL_CTX_new_ex(library_context(), NULL, TLS_method());
    if (!context->ssl || !set_algorithms(context->ssl) || !set_features(context->ssl) ||
        !set_identity(context->ssl, me)) {
        tls_context_free(context);
        ERR_clear_error();
        return library_error(ERR_UNSUPPORTED);
    }
    *out = context;
    return 0;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

/* When empty it says "try later", not "end of file". */
static BIO *memory_bio(void)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio)
        BIO_set_mem_eof_return(bio, -1);
    return bio;
}

static bool attach_bios(struct tls *tls)
{
    tls->in = memory_bio();
    tls->out = memory_bio();
    if (!tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        return false;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    return true;
}

int tls_new(struct tls_context *context, bool server, const struct node_id *expected, struct tls **out)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (!tls)
        return ERR_NOMEM;
    library_begin_secret();
    tls->ssl = SSL_new(context->ssl);
    library_end_secret();
    if (!tls->ssl || !attach_bios(tls) || !SSL_set_app_data(tls->ssl, tls)) {
        tls_free(tls);
        return ERR_NOMEM;
    }
    if (server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    if (expected) {
        tls->has_expected = true;
        tls->expected = *expected;
    }
    *out = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

/* The library's first complaint is the cause, later ones its consequences. */
static int fail_library(struct tls *tls)
{
    unsigned long code = ERR_peek_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    if (tls->failed) /* on_verify knows better */
        return tls->failed;
    if (!text)
        return fail(tls, ERR_CRYPTO, "the TLS stream broke");
    if (ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET) /* how the library names alerts that it received */
        return fail(tls, ERR_CRYPTO, "the peer refused: %s", text);
    return fail(tls, ERR_CRYPTO, "%s", text);
}

/* What the result of an SSL call means: 0 when there is only more to wait for. */
static int outcome(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return fail(tls, ERR_CLOSED, "the peer closed the channel");
    default:
        return fail_library(tls);
    }
}

/* The context allows nothing else; an established channel is checked all the same. */
static int complete(struct tls *tls)
{
    const char *group = SSL_get0_group_name(tls->ssl), *signature = NULL;

    if (SSL_get0_peer_signature_name(tls->ssl, &signature) != 1 || !group || !signature)
        return fail(tls, ERR_CRYPTO, "the library does not tell what was negotiated");
    snprintf(tls->suite, sizeof(tls->suite), "%s %s %s", group, signature, SSL_get_cipher_name(tls->ssl));
    if (strcmp(tls->suite, SUITE) != 0 || !tls->seen)
        return fail(tls, ERR_CRYPTO, "weaker than required: %s", tls->suite);
    tls->established = true;
    return 0;
}

static int advance(struct tls *tls)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    return result == 1 ? complete(tls) : outcome(tls, result);
}

/* Reads records as far as the next plaintext, so that alerts and key updates act at once. */
static int settle(struct tls *tls)
{
    uint8_t byte;
    int result;

    ERR_clear_error();
    result = SSL_peek(tls->ssl, &byte, sizeof(byte));
    return result > 0 ? 0 : outcome(tls, result);
}

static int step(struct tls *tls)
{
    int err;

    library_begin_secret();
    err = tls->established ? 0 : advance(tls);
    if (!err && tls->established)
        err = settle(tls);
    library_end_secret();
    return err;
}

static int feed_chunk(struct tls *tls, const uint8_t *data, size_t len)
{
    if (!tls->established) {
        tls->handshake_bytes += len;
        if (tls->handshake_bytes > HANDSHAKE_MAX)
            return fail(tls, ERR_CRYPTO, "the handshake is longer than %d bytes", HANDSHAKE_MAX);
    } else if (BIO_ctrl_pending(tls->in) + len > PENDING_MAX) {
        return fail(tls, ERR_SPACE, "more than %d bytes await tls_read", PENDING_MAX);
    }
    if (BIO_write(tls->in, data, (int)len) != (int)len)
        return fail(tls, ERR_NOMEM, "out of memory");
    return step(tls);
}

int tls_feed(struct tls *tls, const uint8_t *data, size_t len)
{
    int err = tls->failed;

    if (!err && len == 0)
        err = step(tls);
    while (!err && len) {
        size_t n = len < CHUNK_LEN ? len : CHUNK_LEN;

        err = feed_chunk(tls, data, n);
        data += n;
        len -= n;
    }
    if (!err && BIO_ctrl_pending(tls->out) > PENDING_MAX)
        err = fail(tls, ERR_SPACE, "the peer does not take what it asks for");
    return err;
}

bool tls_established(const struct tls *tls)
{
    return tls->established;
}

/* A memory BIO never shrinks: after a burst an empty one makes room for a new one. A quarter of what a
 * channel holds would otherwise be left from its handshake. */
static void trim(struct tls *tls, BIO **bio, void (*attach)(SSL *ssl, BIO *bio))
{
    BUF_MEM *memory = NULL;
    BIO *fresh;

    BIO_get_mem_ptr(*bio, &memory);
    if (BIO_ctrl_pending(*bio) || !memory || memory->max <= IDLE_MAX)
        return;
    fresh = memory_bio();
    if (!fresh)
        return;
    attach(tls->ssl, fresh);
    *bio = fresh;
}

size_t tls_take_output(struct tls *tls, uint8_t *out, size_t cap)
{
    int n = BIO_read(tls->out, out, cap > INT_MAX ? INT_MAX : (int)cap);

    if (n <= 0 && tls->established && !tls->failed) {
        trim(tls, &tls->in, SSL_set0_rbio);
        trim(tls, &tls->out, SSL_set0_wbio);
    }
    return n > 0 ? (size_t)n : 0;
}

int tls_write(struct tls *tls, const uint8_t *data, size_t len)
{
    size_t written;
    int result;

    if (tls->failed)
        return tls->failed;
    if (!tls->established)
        return ERR_AGAIN;
    if (BIO_ctrl_pending(tls->out) + len > PENDING_MAX)
        return ERR_SPACE;
    if (len == 0)
        return 0;
    ERR_clear_error();
    library_begin_secret();
    result = SSL_write_ex(tls->ssl, data, len, &written);
    library_end_secret();
    return result == 1 ? 0 : fail_library(tls);
}

int tls_read(struct tls *tls, uint8_t *out, size_t cap)
{
    int result;

    if (tls->failed)
        return tls->failed;
    if (!tls->established || cap == 0)
        return 0;
    ERR_clear_error();
    library_begin_secret();
    result = SSL_read(tls->ssl, out, cap > INT_MAX ? INT_MAX : (int)cap);
    library_end_secret();
    return result > 0 ? result : outcome(tls, result);
}

void tls_shutdown(struct tls *tls)
{
    if (!tls->established || (tls->failed && tls->failed != ERR_CLOSED))
        return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
}

const struct node_id *tls_peer_id(const struct tls *tls)
{
    return &tls->peer;
}

int tls_peer_spki(const struct tls *tls, uint8_t spki[IDENTITY_SPKI_LEN])
{
    EVP_PKEY *key = tls->established ? SSL_get0_peer_rpk(tls->ssl) : NULL;

    return key && identity_spki_of_pkey(key, spki) == 0 ? 0 : ERR_CRYPTO;
}

int tls_export(struct tls *tls, const uint8_t *context, size_t context_len, uint8_t *out, size_t len)
{
    bool exported;

    library_begin_secret();
    exported = tls->established &&
               SSL_export_keying_material(tls->ssl, out, len, EXPORTER_LABEL, sizeof(EXPORTER_LABEL) - 1,
                                          context, context_len, 1) == 1;
    library_end_secret();
    if (exported)
        return 0;
    memset(out, 0, len);
    return ERR_CRYPTO;
}

const char *tls_reason(const struct tls *tls)
{
    return tls->reason;
}

const char *tls_suite(const struct tls *tls)
{
    return tls->suite;
}
