/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* OpenSSL as this program uses it: a library context of our own, which never reads the machine's openssl.cnf,
 * so that no system policy can weaken (or break) what the protocol fixes. */

#include "base/err.h"

struct evp_cipher_st;
struct evp_kdf_st;
struct evp_md_st;
struct evp_signature_st;
struct ossl_lib_ctx_st;

/* Makes the context with all that is in it, and the random generator of this thread, while it can still be told that there
 * is no room: ERR_NOMEM. Once, before anything else here. */
int library_start(void) must_check;

/* The one context of the process, made on first use by any thread, never freed. Aborts when out of memory:
 * falling back to the default context would silently bring openssl.cnf back. */
struct ossl_lib_ctx_st *library_context(void);

/* The algorithms that we name ourselves, likewise. */
struct library_algorithms {
    struct evp_kdf_st *hkdf;
    struct evp_md_st *sha384;
    struct evp_signature_st *mldsa87;
    struct evp_cipher_st *aes_256_gcm, *chacha20_poly1305;
};
const struct library_algorithms *library_algorithms(void);

/* Why OpenSSL failed in this thread: ERR_NOMEM when it found no memory since the last call, or else `otherwise`. */
int library_error(int otherwise);

/* Between the two whatever OpenSSL allocates in this thread lies in the vault (base/vault.h): keys, and what is
 * computed from them. They nest. */
void library_begin_secret(void);
void library_end_secret(void);
