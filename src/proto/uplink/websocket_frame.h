/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames of a WebSocket (RFC 6455 §5) at either end of an uplink, after its upgrade: heads and masks of those that go out,
 * and messages of bounded size from those that come in. Only binary messages are taken, in as many fragments as their
 * sender likes. Pure; one thread for each reader. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct batch;
struct websocket_reader;

enum websocket_frame { WEBSOCKET_BINARY = 2, WEBSOCKET_CLOSE = 8, WEBSOCKET_PING = 9, WEBSOCKET_PONG = 10 };

/* Who reads: a client masks all that it sends, a server nothing. */
enum websocket_end { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

#define WEBSOCKET_CONTROL_MAX 125 /* bytes of a ping, pong or close */
#define WEBSOCKET_MASK_LEN    4
#define WEBSOCKET_HEAD_MAX    (2 + 8 + WEBSOCKET_MASK_LEN)

/* What arrived whole: a binary message, or a ping, pong or close, which it takes. Not 0: what is left is not looked at. */
typedef int websocket_take(void *context, enum websocket_frame frame, struct batch *message);

/* ERR_NOMEM. */
int websocket_reader_new(enum websocket_end end, struct websocket_reader **out) must_check;
void websocket_reader_free(struct websocket_reader *r);

/* Reads the next len bytes; no message may be longer than limit. ERR_FORMAT when they break the protocol, ERR_SPACE when a
 * message is too long, ERR_NOMEM, or what take returned. */
int websocket_read(struct websocket_reader *r, const uint8_t *bytes, size_t len, size_t limit,
                   websocket_take *take, void *context) must_check;

/* The head of a frame with len bytes behind it; mask is NULL at a server's end. Returns its length. */
size_t websocket_head(enum websocket_frame frame, size_t len, const uint8_t *mask,
                      uint8_t out[WEBSOCKET_HEAD_MAX]);

/* Masks or unmasks the bytes of a payload from its byte `at` on. out may be in. */
void websocket_mask(const uint8_t mask[WEBSOCKET_MASK_LEN], uint64_t at, const uint8_t *in, size_t len,
                    uint8_t *out);
