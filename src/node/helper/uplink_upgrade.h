/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The HTTP that makes a WebSocket of a connection to a backbone (RFC 6455 §4; docs/PROTOCOL.md §15). Pure functions. */

#include "base/err.h"
#include "crypto/websocket.h"
#include "node/helper/http_url.h"
#include <stddef.h>

#define UPLINK_REQUEST_MAX 1024 /* bytes, with a NUL */
#define UPLINK_ANSWER_MAX  4096 /* bytes of an answer's head */
#define UPLINK_WHY_MAX     128

struct uplink_upgrade {
    char key[WEBSOCKET_KEY_LEN + 1];
    char accept[WEBSOCKET_ACCEPT_LEN + 1]; /* what answers it */
};

/* From 16 random bytes. ERR_CRYPTO. */
int uplink_upgrade_init(const uint8_t nonce[16], struct uplink_upgrade *out) must_check;

/* visits: it asks for a visit (docs/PROTOCOL.md §20). Returns its length, or ERR_SPACE. */
int uplink_upgrade_request(const struct uplink_upgrade *u, const struct http_url *url, bool visits,
                           char out[UPLINK_REQUEST_MAX]) must_check;

/* What has come so far. Returns the length of the answer's head, behind which the WebSocket begins; ERR_AGAIN when there
 * is more to come; ERR_FORMAT when it opens no uplink: why says so, as a phrase with nothing in it that is theirs. */
int uplink_upgrade_answer(const struct uplink_upgrade *u, const char *text, size_t len,
                          char why[UPLINK_WHY_MAX]) must_check;
