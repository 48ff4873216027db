/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control channel's TLS 1.3, over memory BIOs: bytes in, bytes out, no sockets. Key exchange
 * SecP384r1MLKEM1024, TLS_AES_256_GCM_SHA384, mldsa87 signatures, raw public keys on both sides (RFC 7250);
 * nothing else is offered or accepted; no tickets, no early data. One thread at a time has an endpoint. */

#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls;

/* Shared by all of a node's channels, whatever threads they are on. Borrows me until tls_context_free, which endpoints
 * may outlive. */
int tls_context_new(const struct identity *me, struct tls_context **out) must_check;
void tls_context_free(struct tls_context *context);

/* One endpoint. A client gives the id it dials in expected: a server with any other key fails the handshake
 * with ERR_MISMATCH. A server passes NULL and asks tls_peer_id afterwards. */
int tls_new(struct tls_context *context, bool server, const struct node_id *expected,
            struct tls **out) must_check;
void tls_free(struct tls *tls);

/* Takes ciphertext from the stream and advances the handshake. 0, ERR_CRYPTO (handshake or record failed),
 * ERR_MISMATCH, ERR_CLOSED (close_notify with no data before it), ERR_SPACE (over 1 MiB unread or unsent),
 * ERR_NOMEM. Pass len 0 to start a client. After an error only tls_reason, tls_take_output and tls_free make
 * sense; the output then holds the alert. */
int tls_feed(struct tls *tls, const uint8_t *data, size_t len) must_check;

/* True once the handshake is complete and the peer's key is verified. A client gets there before its server
 * has judged the client's key: a refusal then comes as ERR_CRYPTO from tls_feed. */
bool tls_established(const struct tls *tls);

/* Moves up to cap bytes of ciphertext that the stream has to carry into out; returns how many. */
size_t tls_take_output(struct tls *tls, uint8_t *out, size_t cap);

/* Plaintext; only once established (tls_write: ERR_AGAIN before). tls_write returns ERR_SPACE, without harm,
 * when over 1 MiB would await tls_take_output. tls_read returns the number of bytes, 0 when there are none
 * now, or an error as tls_feed; call it until it returns 0 after each tls_feed. */
int tls_write(struct tls *tls, const uint8_t *data, size_t len) must_check;
int tls_read(struct tls *tls, uint8_t *out, size_t cap) must_check;

/* Queues close_notify. */
void tls_shutdown(struct tls *tls);

/* The peer's id, derived from its key; only once established, or after ERR_MISMATCH. */
const struct node_id *tls_peer_id(const struct tls *tls);
/* That key itself, as DER; only once established. ERR_CRYPTO when there is none. */
int tls_peer_spki(const struct tls *tls, uint8_t spki[IDENTITY_SPKI_LEN]) must_check;

/* TLS exporter (RFC 8446 §7.5), label "EXPORTER-shadowmesh-data".
 * ERR_CRYPTO, and zeros, before established. */
int tls_export(struct tls *tls, const uint8_t *context, size_t context_len, uint8_t *out,
               size_t len) must_check;

/* Why the last call failed, one short phrase; never NULL. Borrowed until the next call. */
const char *tls_reason(const struct tls *tls);

/* "SecP384r1MLKEM1024 mldsa87 TLS_AES_256_GCM_SHA384" of an established channel, read from the library, not
 * assumed. */
const char *tls_suite(const struct tls *tls);
