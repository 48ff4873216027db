/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens, to and from text. Any thread. docs/PROTOCOL.md §23. */

#include "crypto/token.h"

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"

#define FAMILY     "sm"
#define PREFIX     FAMILY "1:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define CHECK_LEN  4 /* of a hash: tells a slip of the hand, and nothing else */
#define PLACE_IPV4 1
#define PLACE_IPV6 2
#define PLACE_URL  3
#define PLACE_MAX  (2 + TOKEN_URL_MAX - 1)
#define BYTES_MAX                                                                                            \
    (2 * ID_LEN + TOKEN_SEED_LEN + CERT_LABEL_MAX + 1 + TOKEN_PLACES_MAX * PLACE_MAX + CHECK_LEN)
#define BASE64_MAX (BASE64_LEN(BYTES_MAX) + 1)

_Static_assert(PREFIX_LEN + BASE64_MAX <= TOKEN_TEXT_MAX, "the longest token has room");

static bool url_is_sound(const char url[TOKEN_URL_MAX])
{
    size_t len = strnlen(url, TOKEN_URL_MAX);

    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~')
            return false;
    return len > 0 && len < TOKEN_URL_MAX;
}

static bool place_is_sound(const struct token_place *p)
{
    switch (p->addr.family) {
    case 0:
        return url_is_sound(p->url);
    case 4:
    case 6:
        return p->addr.port != 0 && p->addr.scope == 0 && p->url[0] == '\0';
    default:
        return false;
    }
}

static bool is_sound(const struct token *t)
{
    if (!cert_label_ok(t->name) || t->place_count == 0 || t->place_count > TOKEN_PLACES_MAX)
        return false;
    for (size_t i = 0; i < t->place_count; i++)
        if (!place_is_sound(&t->places[i]))
            return false;
    return true;
}

static void put_words(struct writer *w, const char *words)
{
    writer_u8(w, (uint8_t)strlen(words));
    writer_put(w, words, strlen(words));
}

/* Of fewer characters than size, which is zeroed. */
static void take_words(struct reader *r, char *out, size_t size)
{
    uint8_t len = reader_u8(r);

    if (len < size)
        reader_copy(r, out, len);
    if (strlen(out) != len) /* too long, or a NUL inside */
        r->bad = true;
}

static void put_place(struct writer *w, const struct token_place *p)
{
    if (p->addr.family == 0) {
        writer_u8(w, PLACE_URL);
        put_words(w, p->url);
        return;
    }
    writer_u8(w, p->addr.family == 4 ? PLACE_IPV4 : PLACE_IPV6);
    writer_put(w, p->addr.ip, p->addr.family == 4 ? 4 : 16);
    writer_u16(w, p->addr.port);
}

static void take_place(struct reader *r, struct token_place *out)
{
    uint8_t kind = reader_u8(r);

    switch (kind) {
    case PLACE_URL:
        take_words(r, out->url, sizeof(out->url));
        return;
    case PLACE_IPV4:
    case PLACE_IPV6:
        out->addr.family = kind == PLACE_IPV4 ? 4 : 6;
        reader_copy(r, out->addr.ip, kind == PLACE_IPV4 ? 4 : 16);
        out->addr.port = reader_u16(r);
        return;
    default:
        r->bad = true;
    }
}

static int put_check(struct writer *w)
{
    struct slice whole = {w->begin, writer_len(w)};
    uint8_t digest[KDF_LEN];
    int err = kdf_hash(&whole, 1, digest);

    writer_put(w, digest, CHECK_LEN);
    return err;
}

/* RFC 4648 §5, without padding: a token is one word in a shell, a URL and a chat. */
static void put_text(const uint8_t *bytes, size_t len, char out[TOKEN_TEXT_MAX])
{
    char *at = out + PREFIX_LEN;

    memcpy(out, PREFIX, PREFIX_LEN);
    base64_encode(bytes, len, at);
    at[(len * 8 + 5) / 6] = '\0';
    for (; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
}

int token_encode(const struct token *t, char out[TOKEN_TEXT_MAX])
{
    uint8_t bytes[BYTES_MAX];
    struct writer w = writer_init(bytes, sizeof(bytes));
    int err;

    out[0] = '\0';
    if (!is_sound(t))
        return ERR_ARGUMENT;
    writer_put(&w, t->network.bytes, ID_LEN);
    writer_put(&w, t->issuer.bytes, ID_LEN);
    writer_put(&w, t->seed, TOKEN_SEED_LEN);
    put_words(&w, t->name);
    writer_u8(&w, t->place_count);
    for (size_t i = 0; i < t->place_count; i++)
        put_place(&w, &t->places[i]);
    err = put_check(&w);
    if (!err)
        put_text(bytes, writer_len(&w), out);
    secret_wipe(bytes, sizeof(bytes));
    return err;
}

static int take_text(const char *text, size_t len, uint8_t out[BYTES_MAX], size_t *out_len)
{
    char padded[BASE64_MAX];
    size_t used = 0;
    int err;

    if (len > BASE64_MAX - 1)
        return ERR_FORMAT;
    for (; used < len; used++) {
        if (text[used] == '+' || text[used] == '/' || text[used] == '=')
            return ERR_FORMAT;
        padded[used] = text[used] == '-' ? '+' : text[used] == '_' ? '/' : text[used];
    }
    while (used % 4 != 0)
        padded[used++] = '=';
    err = base64_decode(padded, used, out, BYTES_MAX, out_len);
    secret_wipe(padded, sizeof(padded));
    return err ? ERR_FORMAT : 0; /* also when there are two bytes more than the longest has */
}

static int take_bytes(const uint8_t *bytes, size_t len, struct token *out)
{
    uint8_t digest[KDF_LEN];
    struct slice checked = {bytes, len - CHECK_LEN};
    struct reader r = reader_init(bytes, len - CHECK_LEN);
    int err = kdf_hash(&checked, 1, digest);

    if (err)
        return err;
    if (memcmp(digest, bytes + checked.len, CHECK_LEN) != 0)
        return ERR_MISMATCH;
    reader_copy(&r, out->network.bytes, ID_LEN);
    reader_copy(&r, out->issuer.bytes, ID_LEN);
    reader_copy(&r, out->seed, TOKEN_SEED_LEN);
    take_words(&r, out->name, sizeof(out->name));
    out->place_count = reader_u8(&r);
    for (size_t i = 0; i < out->place_count && i < TOKEN_PLACES_MAX; i++)
        take_place(&r, &out->places[i]);
    return r.bad || reader_left(&r) > 0 || !is_sound(out) ? ERR_FORMAT : 0;
}

/* "sm" with another number is a token, but none of ours. */
static int judge_prefix(const char *text, size_t len)
{
    if (len < PREFIX_LEN || memcmp(text, FAMILY, sizeof(FAMILY) - 1) != 0 || text[PREFIX_LEN - 1] != ':')
        return ERR_FORMAT;
    return memcmp(text, PREFIX, PREFIX_LEN) == 0 ? 0 : ERR_UNSUPPORTED;
}

int token_decode(const char *text, size_t len, struct token *out)
{
    uint8_t bytes[BYTES_MAX];
    char again[TOKEN_TEXT_MAX];
    size_t bytes_len = 0;
    int err = judge_prefix(text, len);

    memset(out, 0, sizeof(*out));
    if (!err)
        err = take_text(text + PREFIX_LEN, len - PREFIX_LEN, bytes, &bytes_len);
    if (!err && bytes_len < CHECK_LEN)
        err = ERR_MISMATCH;
    if (!err)
        err = take_bytes(bytes, bytes_len, out);
    if (!err) { /* bits behind the last byte have one form, too */
        put_text(bytes, bytes_len, again);
        err = strlen(again) == len && memcmp(again, text, len) == 0 ? 0 : ERR_MISMATCH;
        secret_wipe(again, sizeof(again));
    }
    secret_wipe(bytes, sizeof(bytes));
    if (err)
        secret_wipe(out, sizeof(*out));
    return err;
}
