/* SPDX-License-Identifier: Apache-2.0 */
/* Framing over crypto/tls, and the binding of the data keys to both HELLOs and what was said before them. docs/PROTOCOL.md §6,
 * §25. */

#include "proto/link/channel.h"

#include "base/bytes.h"
#include "crypto/secret.h"
#include <stdlib.h>

#define CHANNEL_PREFIX_LEN 2

/* What one side has said, up to its HELLO. */
struct said {
    bool begun, greeted;
    uint8_t first[KDF_LEN]; /* SHA-384 of its first message; an older node knows this one alone */
    uint8_t all[KDF_LEN];   /* … that of this and the next message, and so on */
};

struct channel {
    struct tls *tls;
    bool server, rooted;
    struct said sent, received;
    size_t have;                                      /* bytes in buffer */
    uint8_t buffer[CHANNEL_PREFIX_LEN + MESSAGE_MAX]; /* one message in the making */
};

int channel_new(struct tls_context *context, bool server, const struct node_id *expected,
                struct channel **out)
{
    struct channel *ch = calloc(1, sizeof(*ch));
    if (!ch)
        return ERR_NOMEM;
    ch->server = server;
    int err = tls_new(context, server, expected, &ch->tls);
    if (err) {
        free(ch);
        return err;
    }
    *out = ch;
    return 0;
}

void channel_free(struct channel *ch)
{
    if (!ch)
        return;
    tls_free(ch->tls);
    free(ch);
}

int channel_feed(struct channel *ch, const uint8_t *data, size_t len)
{
    return tls_feed(ch->tls, data, len);
}

/* Reads until buffer holds want bytes. 1 when it does, 0 when not yet, or an error. */
static int fill(struct channel *ch, size_t want)
{
    while (ch->have < want) {
        int n = tls_read(ch->tls, ch->buffer + ch->have, want - ch->have);
        if (n <= 0)
            return n;
        ch->have += (size_t)n;
    }
    return 1;
}

/* The next whole message as bytes: 1, 0 when none is complete, or an error. */
static int next_body(struct channel *ch, struct slice *body)
{
    int err = fill(ch, CHANNEL_PREFIX_LEN);
    if (err <= 0)
        return err;
    struct reader prefix = reader_init(ch->buffer, CHANNEL_PREFIX_LEN);
    size_t len = reader_u16(&prefix);
    if (len > MESSAGE_MAX)
        return ERR_FORMAT;
    err = fill(ch, CHANNEL_PREFIX_LEN + len);
    if (err <= 0)
        return err;
    ch->have = 0;
    *body = (struct slice){ch->buffer + CHANNEL_PREFIX_LEN, len};
    return 1;
}

static int note_said(struct said *s, struct slice body, bool is_hello)
{
    const struct slice chained[] = {{s->all, sizeof(s->all)}, body};
    if (s->greeted)
        return 0;
    int err = s->begun ? kdf_hash(chained, 2, s->all) : kdf_hash(&body, 1, s->all);
    if (!s->begun)
        memcpy(s->first, s->all, sizeof(s->first));
    s->begun = true;
    s->greeted = is_hello;
    return err;
}

int channel_next(struct channel *ch, struct message *out)
{
    if (!tls_established(ch->tls))
        return 0;
    for (;;) {
        struct slice body;
        int err = next_body(ch, &body);
        if (err <= 0)
            return err;
        err = message_decode(body.data, body.len, out);
        if (err && err != ERR_UNSUPPORTED)
            return err;
        int unheard = note_said(&ch->received, body, !err && out->type == MESSAGE_HELLO);
        if (unheard)
            return unheard;
        if (!err) /* a type of a later version is skipped */
            return 1;
    }
}

int channel_send(struct channel *ch, const struct message *m)
{
    uint8_t frame[CHANNEL_PREFIX_LEN + MESSAGE_MAX];
    struct writer w = writer_init(frame + CHANNEL_PREFIX_LEN, MESSAGE_MAX);
    message_encode(m, &w);
    if (w.bad)
        return ERR_SPACE;
    const struct slice body = {w.begin, writer_len(&w)};
    int err = note_said(&ch->sent, body, m->type == MESSAGE_HELLO);
    if (err)
        return err;
    struct writer prefix = writer_init(frame, CHANNEL_PREFIX_LEN);
    writer_u16(&prefix, (uint16_t)body.len);
    return tls_write(ch->tls, frame, CHANNEL_PREFIX_LEN + body.len);
}

void channel_shutdown(struct channel *ch)
{
    tls_shutdown(ch->tls);
}

size_t channel_take_output(struct channel *ch, uint8_t *out, size_t cap)
{
    return tls_take_output(ch->tls, out, cap);
}

bool channel_established(const struct channel *ch)
{
    return tls_established(ch->tls);
}

const struct node_id *channel_peer_id(const struct channel *ch)
{
    return tls_peer_id(ch->tls);
}

int channel_exporter(struct channel *ch, uint8_t out[KDF_LEN])
{
    static const uint8_t context[] = {'j', 'o', 'i', 'n'}; /* no hash, as channel_root's is */
    return tls_export(ch->tls, context, sizeof(context), out, KDF_LEN);
}

int channel_peer_spki(const struct channel *ch, uint8_t spki[IDENTITY_SPKI_LEN])
{
    return tls_peer_spki(ch->tls, spki);
}

const char *channel_suite(const struct channel *ch)
{
    return tls_suite(ch->tls);
}

const char *channel_reason(const struct channel *ch)
{
    return tls_reason(ch->tls);
}

int channel_root(struct channel *ch, bool all, uint8_t root[KDF_LEN])
{
    if (!ch->sent.begun || !ch->received.begun || ch->rooted)
        return ERR_AGAIN;
    const struct said *client = ch->server ? &ch->received : &ch->sent;
    const struct said *server = ch->server ? &ch->sent : &ch->received;
    const struct slice both[] = {{all ? client->all : client->first, KDF_LEN},
                                 {all ? server->all : server->first, KDF_LEN}};
    uint8_t context[KDF_LEN];
    int err = kdf_hash(both, 2, context);
    if (!err)
        err = tls_export(ch->tls, context, sizeof(context), root, KDF_LEN);
    ch->rooted = true;
    secret_wipe(context, sizeof(context));
    secret_wipe(&ch->sent, sizeof(ch->sent));
    secret_wipe(&ch->received, sizeof(ch->received));
    ch->sent.greeted = ch->received.greeted = true;
    return err;
}
