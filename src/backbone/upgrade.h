/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The request by which an HTTP connection becomes an uplink: RFC 6455 §4.2.1, and our subprotocol. Pure. */

#include "base/err.h"
#include "crypto/websocket.h"

/* Header fields of a request; NULL when absent. */
struct upgrade_request {
    const char *upgrade, *connection, *key, *version, *protocol;
};

/* NULL when it asks for an uplink as it should, and the value of Sec-WebSocket-Accept; else what is missing. */
const char *upgrade_check(const struct upgrade_request *r, char accept[WEBSOCKET_ACCEPT_LEN + 1]);
