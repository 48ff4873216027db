/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Address reflection: STUN Binding (RFC 8489), as much as a client behind a NAT and the backbone's UDP side
 * need, and what shows how the NAT behaves (RFC 5780). Pure. */

#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUN_TRANSACTION_LEN 12
#define STUN_MESSAGE_MAX     128 /* of those that we make */
#define STUN_RESPONSE_MAX    576 /* of those that we take: other servers add their names and more */

/* Writes a Binding request with FINGERPRINT. Returns its length. */
size_t stun_request_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], uint8_t out[STUN_MESSAGE_MAX]);

/* From where a server is asked to answer (RFC 5780 §7.2): bits. */
#define STUN_CHANGE_PORT 2
#define STUN_CHANGE_IP   4

#define STUN_REQUEST_MAX 1472 /* of padded ones */

/* Likewise one that asks for an answer from another port or address of the server, where change is not 0; and
 * padded to size bytes, a multiple of four up to STUN_REQUEST_MAX, where that is more, by an attribute that nobody has to understand. */
size_t stun_question_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], unsigned change, size_t size,
                            uint8_t out[STUN_REQUEST_MAX]);

/* A server's view: 0 when data is a Binding request (unknown comprehension-optional attributes are skipped; a
 * FINGERPRINT, when there, must be right and last). ERR_FORMAT, or ERR_UNSUPPORTED when it asks for something
 * that must be understood (USERNAME, CHANGE-REQUEST …): neither is answered. */
int stun_request_decode(const uint8_t *data, size_t len,
                        uint8_t transaction[STUN_TRANSACTION_LEN]) must_check;

/* A Binding success response with XOR-MAPPED-ADDRESS and FINGERPRINT. Returns its length: 40 bytes for IPv4
 * and 52 for IPv6, against at least 20 of a request, so that reflection is no amplifier. */
size_t stun_response_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], const struct addr *mapped,
                            uint8_t out[STUN_MESSAGE_MAX]);

/* True when data begins like a success response: a glance that keeps the rest from whom it does not concern. */
bool stun_looks_like_response(const uint8_t *data, size_t len);

/* The answer to our own request with that transaction: 0 when data is a success response with
 * XOR-MAPPED-ADDRESS (MAPPED-ADDRESS alone is not believed: NATs rewrite it). ERR_MISMATCH when the transaction
 * is another one: it is compared before any attribute or checksum is looked at. ERR_FORMAT, ERR_UNSUPPORTED. */
int stun_response_decode(const uint8_t *data, size_t len, const uint8_t transaction[STUN_TRANSACTION_LEN],
                         struct addr *mapped) must_check;

/* Of a response that was so decoded: the server's other address and port (OTHER-ADDRESS, RFC 5780 §7.4), from which it answers who
 * asks for that; family 0: it tells none. */
struct addr stun_response_other(const uint8_t *data, size_t len);
