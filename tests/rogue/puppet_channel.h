/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A puppet's control channel: TLS as every node has it, and whatever is said in it. It blocks. */

#include "puppet.h"

#define PUPPET_PREFIX_LEN 2 /* of a message: its length */
#define PUPPET_CHUNK_LEN  16384

/* Connects, and proves both keys. False when that fails: hang up then. */
bool puppet_secure(struct puppet *p);
/* Likewise of who has connected: takes tcp, and anybody. */
bool puppet_answer(struct puppet *p, int tcp);
void puppet_hang_up(struct puppet *p);
bool puppet_connected(const struct puppet *p);

/* Says a message, or any bytes behind their length, on the control channel. False when it is gone. */
bool puppet_say(struct puppet *p, const struct message *m);
bool puppet_say_bytes(struct puppet *p, const uint8_t *body, size_t len);
/* Bytes as they are: what is no message. Likewise. */
bool puppet_say_raw(struct puppet *p, const uint8_t *bytes, size_t len);

/* Waits for the next message of a known type; *len is that of its body, which stays in inbox behind its prefix. */
bool puppet_await(struct puppet *p, struct message *out, size_t *len);

/* Reads what the stream holds, waiting timeout_ms for the first byte. False when it is gone. */
bool puppet_pull(struct puppet *p, int timeout_ms);
