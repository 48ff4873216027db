/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer of a node in words, for status, peers and ping. */

#include <jansson.h>

/* "direct 203.0.113.7:9443" or, when data cannot flow, the peer's state and its age: "backoff for 12 s". For the caller
 * to free. */
char *peer_text_path(const json_t *peer);

/* The cause when data cannot flow, for a line of its own; else "". Borrowed. */
const char *peer_text_error(const json_t *peer);

/* "direct 203.0.113.7:9443", "direct 203.0.113.7:9443 by wlan0" of a standby; "-" when path is no object. For the caller to free. */
char *peer_text_carrier(const json_t *path);
