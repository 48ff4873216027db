/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an end of a channel and its relay say to each other, to bind the end's address: docs/PROTOCOL.md §17. All kinds are of one
 * length, so that no answer is longer than what caused it. Pure.
 *
 *    0  envelope (8), of kind ENVELOPE_MESSAGE
 *    8  kind (1), zero (3)
 *   12  number (8)
 *   20  cookie (16); in HERE: family (1: 4, or 0 where it is unknown), zero (1), port (2), address (4), zero (8)
 *   36  mac (16): HMAC-SHA-384 under the end's token, over all before it, its first 16 bytes */

#include "base/addr.h"
#include "base/err.h"
#include "proto/wire/envelope.h"
#include <stddef.h>
#include <stdint.h>

#define RELAY_COOKIE_LEN  16
#define RELAY_MAC_LEN     16
#define RELAY_MESSAGE_LEN (ENVELOPE_LEN + 4 + 8 + RELAY_COOKIE_LEN + RELAY_MAC_LEN)

enum relay_message_kind {
    RELAY_MESSAGE_BIND =
        1, /* end: I am where this comes from; the cookie is the last that I was given, or zero */
    RELAY_MESSAGE_COOKIE, /* relay: say that again, with this cookie, to show that you receive there */
    RELAY_MESSAGE_BOUND,  /* relay: you are */
    RELAY_MESSAGE_WHERE,  /* end, bound: where do you see the other one? Its cookie is zero */
    RELAY_MESSAGE_HERE,   /* relay: here */
};

struct relay_message {
    enum relay_message_kind kind;
    uint32_t channel;
    uint64_t number;                  /* BIND: grows with each of an end's; answers repeat it */
    uint8_t cookie[RELAY_COOKIE_LEN]; /* zero in BOUND and WHERE */
};

/* ERR_CRYPTO, ERR_NOMEM. */
int relay_message_encode(const struct relay_message *m, const uint8_t token[ENVELOPE_TOKEN_LEN],
                         uint8_t out[RELAY_MESSAGE_LEN]) must_check;

/* HERE's address, in the cookie's place: of IPv4, or none. Decoding is ERR_FORMAT where something else lies there. */
void relay_message_put_place(struct relay_message *m, const struct addr *at);
int relay_message_place(const struct relay_message *m, struct addr *out) must_check;

/* ERR_FORMAT. Whose it is, relay_message_verify tells. */
int relay_message_decode(const uint8_t *data, size_t len, struct relay_message *out) must_check;

/* Of one that decodes: 0, or ERR_CRYPTO when it was not made under the token. */
int relay_message_verify(const uint8_t data[RELAY_MESSAGE_LEN],
                         const uint8_t token[ENVELOPE_TOKEN_LEN]) must_check;
