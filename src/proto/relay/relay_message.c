/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that bind. Pure; any thread. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_message.h"

#include "crypto/kdf.h"
#include "crypto/secret.h"
#include <string.h>

#define ZERO_LEN 3
#define MAC_AT   (RELAY_MESSAGE_LEN - RELAY_MAC_LEN)

#define PLACE_IP_LEN 4
#define PLACE_LEN    (1 + 1 + 2 + PLACE_IP_LEN)

/* HKDF-Extract is HMAC with the salt as its key (RFC 5869 §2.2). */
static int mac_of(const uint8_t *data, const uint8_t token[ENVELOPE_TOKEN_LEN], uint8_t out[RELAY_MAC_LEN])
{
    uint8_t whole[KDF_LEN];
    int err = kdf_extract(token, ENVELOPE_TOKEN_LEN, data, MAC_AT, whole);
    if (!err)
        memcpy(out, whole, RELAY_MAC_LEN);
    secret_wipe(whole, sizeof(whole));
    return err;
}

int relay_message_encode(const struct relay_message *m, const uint8_t token[ENVELOPE_TOKEN_LEN],
                         uint8_t out[RELAY_MESSAGE_LEN])
{
    static const uint8_t zeros[ZERO_LEN];
    const struct envelope e = {ENVELOPE_MESSAGE, m->channel};
    struct writer w = writer_init(out + ENVELOPE_LEN, MAC_AT - ENVELOPE_LEN);
    envelope_encode(&e, out);
    writer_u8(&w, (uint8_t)m->kind);
    writer_put(&w, zeros, sizeof(zeros));
    writer_u64(&w, m->number);
    writer_put(&w, m->cookie, sizeof(m->cookie));
    return mac_of(out, token, out + MAC_AT);
}

static bool is_zero(const uint8_t *data, size_t len)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum |= data[i];
    return sum == 0;
}

int relay_message_decode(const uint8_t *data, size_t len, struct relay_message *out)
{
    struct envelope e;
    uint8_t zeros[ZERO_LEN];
    *out = (struct relay_message){0};
    if (len != RELAY_MESSAGE_LEN || envelope_decode(data, len, &e) || e.kind != ENVELOPE_MESSAGE)
        return ERR_FORMAT;
    struct reader r = reader_init(data + ENVELOPE_LEN, MAC_AT - ENVELOPE_LEN);
    uint8_t kind = reader_u8(&r);
    reader_copy(&r, zeros, sizeof(zeros));
    struct relay_message m = {.channel = e.channel, .number = reader_u64(&r)};
    reader_copy(&r, m.cookie, sizeof(m.cookie));
    bool bare = kind == RELAY_MESSAGE_BOUND || kind == RELAY_MESSAGE_WHERE;
    if (kind < RELAY_MESSAGE_BIND || kind > RELAY_MESSAGE_HERE || !is_zero(zeros, sizeof(zeros)) ||
        (bare && !is_zero(m.cookie, sizeof(m.cookie))))
        return ERR_FORMAT;
    m.kind = (enum relay_message_kind)kind;
    *out = m;
    return 0;
}

void relay_message_put_place(struct relay_message *m, const struct addr *at)
{
    struct writer w = writer_init(m->cookie, sizeof(m->cookie));
    memset(m->cookie, 0, sizeof(m->cookie));
    if (at->family != 4)
        return;
    writer_u8(&w, at->family);
    writer_u8(&w, 0);
    writer_u16(&w, at->port);
    writer_put(&w, at->ip, PLACE_IP_LEN);
}

int relay_message_place(const struct relay_message *m, struct addr *out)
{
    struct reader r = reader_init(m->cookie, sizeof(m->cookie));
    struct addr at = {.family = reader_u8(&r)};
    uint8_t zero = reader_u8(&r);
    at.port = reader_u16(&r);
    reader_copy(&r, at.ip, PLACE_IP_LEN);
    *out = (struct addr){0};
    if (is_zero(m->cookie, sizeof(m->cookie)))
        return 0;
    if (at.family != 4 || zero || !at.port || !is_zero(m->cookie + PLACE_LEN, sizeof(m->cookie) - PLACE_LEN))
        return ERR_FORMAT;
    *out = at;
    return 0;
}

int relay_message_verify(const uint8_t data[RELAY_MESSAGE_LEN], const uint8_t token[ENVELOPE_TOKEN_LEN])
{
    uint8_t mac[RELAY_MAC_LEN];
    int err = mac_of(data, token, mac);
    if (err)
        return err;
    return secret_equal(mac, data + MAC_AT, sizeof(mac)) ? 0 : ERR_CRYPTO;
}
