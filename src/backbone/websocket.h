/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The server's end of one WebSocket connection (RFC 6455) after its upgrade: frames in and out, messages
 * of bounded size. Only binary messages are taken, in as many fragments as their sender likes. Uplink thread. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct batch;
struct websocket;

enum websocket_frame { WEBSOCKET_BINARY = 2, WEBSOCKET_CLOSE = 8, WEBSOCKET_PING = 9, WEBSOCKET_PONG = 10 };

#define WEBSOCKET_CONTROL_MAX 125 /* bytes of a ping, pong or close */

/* What arrived: a whole binary message, ping or pong, which it takes. Not 0: what is left is not looked at. */
typedef int websocket_take(void *context, enum websocket_frame frame, struct batch *message);

/* For fd, a stream socket, which stays the caller's. ERR_NOMEM. */
int websocket_new(int fd, struct websocket **out) must_check;
void websocket_free(struct websocket *ws);

/* Reads len bytes that came from the socket; no message may be longer than limit. ERR_FORMAT when they break the
 * protocol, ERR_SPACE when a message is too long, ERR_CLOSED at a close frame, ERR_NOMEM, or what take returned. */
int websocket_read(struct websocket *ws, const uint8_t *bytes, size_t len, size_t limit, websocket_take *take,
                   void *context) must_check;

/* Sends one frame, from its byte *done on, and moves *done. 0 when all of it is the kernel's; ERR_AGAIN when the
 * socket takes no more now: then the same frame comes again before any other. ERR_IO. */
int websocket_write(struct websocket *ws, enum websocket_frame frame, const uint8_t *bytes, size_t len,
                    size_t *done) must_check;
