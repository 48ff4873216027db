/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* OpenSSL as this program uses it: a library context of our own, which never reads the machine's openssl.cnf,
 * so that no system policy can weaken (or break) what the protocol fixes. */

struct ossl_lib_ctx_st;

/* The one context of the process, made on first use by any thread, never freed. Aborts when out of memory:
 * falling back to the default context would silently bring openssl.cnf back. */
struct ossl_lib_ctx_st *library_context(void);

/* Between the two whatever OpenSSL allocates in this thread lies in the vault (base/vault.h): keys, and what is
 * computed from them. They nest. */
void library_begin_secret(void);
void library_end_secret(void);
