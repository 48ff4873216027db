/* SPDX-License-Identifier: Apache-2.0 */
/* The connection's settings are ours: hiredis' own look at no host name. */

#include "backbone/redis_tls.h"

#ifdef HAVE_HIREDIS_SSL

#include "base/addr.h"
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define CERTIFICATES "/etc/ssl/certs" /* an OpenSSL of our own may look elsewhere */

bool redis_tls_is_here(void)
{
    return true;
}

int redis_tls_new(struct ssl_ctx_st **out)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (!tls || !SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) ||
        !SSL_CTX_set_default_verify_paths(tls) || !SSL_CTX_load_verify_dir(tls, CERTIFICATES)) {
        SSL_CTX_free(tls);
        return ERR_CRYPTO;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    *out = tls;
    return 0;
}

void redis_tls_free(struct ssl_ctx_st *tls)
{
    SSL_CTX_free(tls);
}

/* An address stands in a certificate as such, and is no name to be asked for. */
static bool expect_host(SSL *ssl, const char *host)
{
    struct addr address;
    if (addr_parse(host, 0, &address) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

int redis_tls_begin(struct ssl_ctx_st *tls, struct redisContext *redis, const char *host)
{
    SSL *ssl = SSL_new(tls);
    if (!ssl || !expect_host(ssl, host)) {
        SSL_free(ssl);
        return ERR_CRYPTO;
    }
    if (redisInitiateSSL(redis, ssl) == REDIS_OK)
        return 0;
    SSL_free(ssl); /* hiredis keeps what it has begun alone */
    return ERR_CRYPTO;
}

const char *redis_tls_cause(const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : otherwise;
}

#else

#include <stddef.h>

bool redis_tls_is_here(void)
{
    return false;
}

int redis_tls_new(struct ssl_ctx_st **out)
{
    *out = NULL;
    return ERR_UNSUPPORTED;
}

void redis_tls_free(struct ssl_ctx_st *tls)
{
    (void)tls;
}

int redis_tls_begin(struct ssl_ctx_st *tls, struct redisContext *redis, const char *host)
{
    (void)tls, (void)redis, (void)host;
    return ERR_UNSUPPORTED;
}

const char *redis_tls_cause(const char *otherwise)
{
    return otherwise;
}

#endif
