/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/doors/socks.h"

#include <assert.h>

#define VERSION       5
#define WORDS_VERSION 1

/* RFC 1928 §5 */
enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

/* The message's length, if all of it is there. Of a reader that ran over its end more is needed. */
static int length_of(const struct reader *r, struct slice bytes)
{
    return r->bad ? 0 : (int)(r->at - bytes.data);
}

int socks_read_greeting(struct slice bytes, bool words, enum socks_method *method)
{
    const enum socks_method wanted = words ? SOCKS_METHOD_WORDS : SOCKS_METHOD_NONE;
    struct reader r = reader_init(bytes.data, bytes.len);
    uint8_t version = reader_u8(&r);
    if (bytes.len && version != VERSION)
        return ERR_FORMAT;
    uint8_t count = reader_u8(&r);
    if (!r.bad && !count)
        return ERR_FORMAT;
    const uint8_t *methods = reader_take(&r, count);
    *method = methods && memchr(methods, wanted, count) ? wanted : SOCKS_METHOD_UNACCEPTABLE;
    return length_of(&r, bytes);
}

static struct slice take_word(struct reader *r)
{
    size_t len = reader_u8(r);
    const uint8_t *data = reader_take(r, len);
    return (struct slice){data, data ? len : 0};
}

int socks_read_words(struct slice bytes, struct slice *user, struct slice *password)
{
    struct reader r = reader_init(bytes.data, bytes.len);
    uint8_t version = reader_u8(&r);
    if (bytes.len && version != WORDS_VERSION)
        return ERR_FORMAT;
    *user = take_word(&r);
    *password = take_word(&r);
    if (!r.bad && (!user->len || !password->len))
        return ERR_FORMAT;
    return length_of(&r, bytes);
}

/* The bytes of an address or a name, and the port behind them. */
static int read_target(struct reader *r, uint8_t type, struct destination *out)
{
    size_t len = type == TYPE_IPV4 ? 4 : type == TYPE_IPV6 ? 16 : reader_u8(r);
    const uint8_t *host = reader_take(r, len);
    uint16_t port = reader_u16(r);
    if (r->bad)
        return 0;
    if (type == TYPE_NAME)
        return destination_from_text((const char *)host, len, port, out);
    destination_from_bytes(host, len, port, out);
    return 0;
}

int socks_read_request(struct slice bytes, struct socks_request *out)
{
    struct reader r = reader_init(bytes.data, bytes.len);
    *out = (struct socks_request){0};
    uint8_t version = reader_u8(&r);
    if (bytes.len && version != VERSION)
        return ERR_FORMAT;
    out->command = reader_u8(&r);
    uint8_t reserved = reader_u8(&r), type = reader_u8(&r);
    if (reserved)
        return ERR_FORMAT;
    out->unknown = !r.bad && type != TYPE_IPV4 && type != TYPE_NAME && type != TYPE_IPV6;
    if (!out->unknown && read_target(&r, type, &out->to))
        return ERR_FORMAT;
    return length_of(&r, bytes);
}

/* RFC 1928 §6 */
static uint8_t code_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OPEN:
        return 0;
    case OUTCOME_FAILED:
        return 1;
    case OUTCOME_FORBIDDEN:
        return 2;
    case OUTCOME_UNREACHABLE:
        return 3;
    case OUTCOME_NO_NAME:
    case OUTCOME_SILENT:
        return 4;
    case OUTCOME_REFUSED:
        return 5;
    case OUTCOME_UNSUPPORTED:
        return 7;
    }
    assert(!"an outcome");
    return 1;
}

size_t socks_write_reply(enum outcome outcome, const struct addr *bound, uint8_t out[SOCKS_REPLY_MAX])
{
    static const struct addr none = {.family = 4};
    const struct addr *a = bound ? bound : &none;
    struct writer w = writer_init(out, SOCKS_REPLY_MAX);
    writer_u8(&w, VERSION);
    writer_u8(&w, code_of(outcome));
    writer_u8(&w, 0);
    writer_u8(&w, a->family == 6 ? TYPE_IPV6 : TYPE_IPV4);
    writer_put(&w, a->ip, a->family == 6 ? 16 : 4);
    writer_u16(&w, a->port);
    return writer_len(&w);
}
