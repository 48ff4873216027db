/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Address reflection: STUN Binding (RFC 8489), as much as a client behind a NAT and the backbone's UDP side
 * need. Pure. */

#include "base/addr.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define STUN_TRANSACTION_LEN 12
#define STUN_MESSAGE_MAX     128

/* Writes a Binding request with FINGERPRINT. Returns its length. */
size_t stun_request_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], uint8_t out[STUN_MESSAGE_MAX]);

/* A server's view: 0 when data is a Binding request (unknown comprehension-optional attributes are skipped; a
 * FINGERPRINT, when there, must be right). */
int stun_request_decode(const uint8_t *data, size_t len,
                        uint8_t transaction[STUN_TRANSACTION_LEN]) must_check;

/* A Binding success response with XOR-MAPPED-ADDRESS and FINGERPRINT. Returns its length; never longer than
 * twice the shortest request. */
size_t stun_response_encode(const uint8_t transaction[STUN_TRANSACTION_LEN], const struct addr *mapped,
                            uint8_t out[STUN_MESSAGE_MAX]);

/* 0 when data is a success response with an address; the caller compares the transaction with those it sent.
 */
int stun_response_decode(const uint8_t *data, size_t len, uint8_t transaction[STUN_TRANSACTION_LEN],
                         struct addr *mapped) must_check;
