/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control channel: messages over TLS over a byte stream, each preceded by its length in two bytes.
 * docs/PROTOCOL.md §6. Sans-I/O: bytes in, bytes out. Control thread, or that of a
 * link's work (link_work.h). */

#include "base/err.h"
#include "base/id.h"
#include "crypto/kdf.h"
#include "crypto/tls.h"
#include "proto/message/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;

/* As tls_new: a client names the id it dials. The caller frees *out. */
int channel_new(struct tls_context *context, bool server, const struct node_id *expected,
                struct channel **out) must_check;
void channel_free(struct channel *ch);

/* Takes bytes from the stream. Errors as tls_feed, and ERR_FORMAT. After an error the channel is only good
 * for channel_take_output (the alert), channel_reason and channel_free. */
int channel_feed(struct channel *ch, const uint8_t *data, size_t len) must_check;

/* The next whole message: 1, 0 when none is complete, or an error as channel_feed. */
int channel_next(struct channel *ch, struct message *out) must_check;

/* Queues a message. Only once established. */
int channel_send(struct channel *ch, const struct message *m) must_check;

/* Queues the end of the stream. */
void channel_shutdown(struct channel *ch);

/* Bytes that the stream has to carry, at most cap; returns how many. */
size_t channel_take_output(struct channel *ch, uint8_t *out, size_t cap);

bool channel_established(const struct channel *ch);
const struct node_id *channel_peer_id(const struct channel *ch); /* once established */
const char *channel_suite(const struct channel *ch);
const char *channel_reason(const struct channel *ch);

/* The first root of the data keys: the TLS exporter over the hash of all that both sides said up to HELLO, or, as older nodes
 * have it, of their first messages: nothing in it can be altered without the keys coming out different. Once, after a message
 * was sent and one received: what it is made from is wiped. ERR_AGAIN before and after that. */
int channel_root(struct channel *ch, bool all, uint8_t root[KDF_LEN]) must_check;

/* What both ends of this channel alone have, to be signed by who asks for a certificate in it (§26). ERR_CRYPTO. */
int channel_exporter(struct channel *ch, uint8_t out[KDF_LEN]) must_check;

/* The key that the peer proved, as DER; once established. ERR_CRYPTO. */
int channel_peer_spki(const struct channel *ch, uint8_t spki[IDENTITY_SPKI_LEN]) must_check;
