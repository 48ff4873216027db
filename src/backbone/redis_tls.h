/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* TLS to a shared store, where hiredis has it (1.0 and later, with its SSL library). The server shows a certificate for
 * the host of -store that this machine trusts. The directory's thread. */

#include "base/err.h"
#include <stdbool.h>

struct redisContext;
struct ssl_ctx_st;

/* Whether rediss:// can be spoken. */
bool redis_tls_is_here(void);

/* What connections are made of; it is freed by redis_tls_free, which NULL is allowed for. ERR_UNSUPPORTED, ERR_CRYPTO. */
int redis_tls_new(struct ssl_ctx_st **out) must_check;
void redis_tls_free(struct ssl_ctx_st *tls);

/* Begins a handshake with host on a connected socket; reading and writing go on with it. ERR_CRYPTO. */
int redis_tls_begin(struct ssl_ctx_st *tls, struct redisContext *redis, const char *host) must_check;

/* Why a call of TLS just failed in this thread, such as "certificate verify failed"; hiredis tells of errno alone.
 * Otherwise when TLS knows of nothing. It lives for ever, or as long as otherwise. */
const char *redis_tls_cause(const char *otherwise);
