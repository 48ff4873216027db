/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What shows that a server has read a WebSocket's request (RFC 6455 §4.2.2). It authenticates nobody. Any thread. */

#include "base/err.h"

#define WEBSOCKET_KEY_LEN    24 /* Sec-WebSocket-Key: 16 random bytes in base64 */
#define WEBSOCKET_ACCEPT_LEN 28 /* Sec-WebSocket-Accept: a SHA-1 in base64 */

/* key is WEBSOCKET_KEY_LEN characters; out gets a NUL. ERR_CRYPTO. */
int websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_LEN + 1]) must_check;
