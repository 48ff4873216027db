/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes are looked at before they are taken, so that what belongs to the connection behind the request stays in the socket. */
#include "node/doors/door_request.h"

#include "crypto/base64.h"
#include "crypto/secret.h"
#include "proto/doors/http_connect.h"
#include "proto/doors/socks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- words ---- */

/* In a time that does not depend on how much of it is right. */
static bool is_word(struct slice said, const char word[WORDS_MAX])
{
    char padded[WORDS_MAX] = {0};
    bool fits = said.len < WORDS_MAX && !memchr(said.data, '\0', said.len);
    if (fits)
        memcpy(padded, said.data, said.len);
    bool same = secret_equal(padded, word, WORDS_MAX);
    secret_wipe(padded, sizeof(padded));
    return fits && same;
}

static bool knows(const struct words *words, struct slice user, struct slice password)
{
    bool named = is_word(user, words->user);
    return is_word(password, words->password) && named;
}

/* ---- SOCKS ---- */

static bool say(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len; /* few, into an empty buffer */
}

static enum door_asked take_greeting(struct door_request *r, enum socks_method method)
{
    const uint8_t answer[] = {5, (uint8_t)method};
    bool said = say(r->fd, answer, sizeof(answer));
    r->step = r->words ? DOOR_STEP_WORDS : DOOR_STEP_REQUEST;
    return said && method != SOCKS_METHOD_UNACCEPTABLE ? DOOR_ASKED_MORE : DOOR_ASKED_NOTHING;
}

static enum door_asked take_words(struct door_request *r, struct slice user, struct slice password)
{
    static const uint8_t right[] = {1, 0};
    bool known = knows(r->words, user, password);
    secret_wipe(r->bytes, sizeof(r->bytes));
    r->step = DOOR_STEP_REQUEST;
    if (!known)
        return DOOR_ASKED_WRONG_WORDS;
    return say(r->fd, right, sizeof(right)) ? DOOR_ASKED_MORE : DOOR_ASKED_NOTHING;
}

static enum door_asked take_request(struct door_request *r, const struct socks_request *request)
{
    r->outcome = OUTCOME_UNSUPPORTED;
    if (request->unknown || request->command != SOCKS_CONNECT)
        return DOOR_ASKED_REFUSED;
    r->to = request->to;
    return DOOR_ASKED_TARGET;
}

/* Returns the length of the message, as its reader does. */
static int read_socks(struct door_request *r, struct slice bytes, enum door_asked *asked)
{
    enum socks_method method;
    struct slice user, password;
    struct socks_request request;
    int len = ERR_FORMAT;
    switch (r->step) {
    case DOOR_STEP_GREETING:
        len = socks_read_greeting(bytes, r->words, &method);
        *asked = len > 0 ? take_greeting(r, method) : DOOR_ASKED_MORE;
        break;
    case DOOR_STEP_WORDS:
        len = socks_read_words(bytes, &user, &password);
        *asked = len > 0 ? take_words(r, user, password) : DOOR_ASKED_MORE;
        break;
    case DOOR_STEP_REQUEST:
        len = socks_read_request(bytes, &request);
        *asked = len > 0 ? take_request(r, &request) : DOOR_ASKED_MORE;
        break;
    }
    return len;
}

/* ---- HTTP ---- */

/* "USER:PASSWORD" in base64 (RFC 7617). */
static bool knows_credentials(const struct words *words, struct slice credentials)
{
    uint8_t text[2 * WORDS_MAX];
    size_t len = 0;
    bool read = credentials.len &&
                base64_decode((const char *)credentials.data, credentials.len, text, sizeof(text), &len) == 0;
    const uint8_t *colon = read ? memchr(text, ':', len) : NULL;
    size_t user = colon ? (size_t)(colon - text) : 0;
    bool known = colon && knows(words, (struct slice){text, user}, (struct slice){colon + 1, len - user - 1});
    secret_wipe(text, sizeof(text));
    return known;
}

static enum door_asked take_connect(struct door_request *r, const struct http_connect *request)
{
    if (r->words && !knows_credentials(r->words, request->credentials))
        return DOOR_ASKED_WRONG_WORDS;
    r->outcome = OUTCOME_UNSUPPORTED;
    r->to = request->to;
    return request->unknown ? DOOR_ASKED_REFUSED : DOOR_ASKED_TARGET;
}

static int read_http(struct door_request *r, struct slice bytes, enum door_asked *asked)
{
    struct http_connect request;
    char refusal[HTTP_CONNECT_REPLY_MAX];
    int len = http_connect_read(bytes, &request);
    if (len < 0)
        (void)!say(r->fd, refusal, http_connect_refuse_malformed(refusal));
    *asked = len > 0 ? take_connect(r, &request) : DOOR_ASKED_MORE;
    return len;
}

/* ---- any ---- */

/* What was looked at, so that closing the socket is no reset, which would overtake the answer. */
static bool take(int fd, size_t len)
{
    uint8_t taken[DOOR_REQUEST_MAX];
    bool whole = recv(fd, taken, len, MSG_DONTWAIT) == (ssize_t)len;
    secret_wipe(taken, sizeof(taken));
    return whole;
}

/* One look, and one message of it at most. False when nothing more is there now. */
static bool turn(struct door_request *r, enum door_asked *asked)
{
    uint8_t *end = r->bytes + r->len;
    ssize_t n = recv(r->fd, end, sizeof(r->bytes) - r->len, MSG_PEEK | MSG_DONTWAIT);
    *asked = DOOR_ASKED_NOTHING;
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            *asked = DOOR_ASKED_MORE;
        return false;
    }
    size_t had = r->len, seen = had + (size_t)n;
    const struct slice bytes = {r->bytes, seen};
    int whole = r->kind == DOOR_HTTP ? read_http(r, bytes, asked) : read_socks(r, bytes, asked);
    bool malformed = whole < 0 || (whole == 0 && seen == sizeof(r->bytes));
    if (!take(r->fd, whole > 0 ? (size_t)whole - had : (size_t)n) || malformed)
        *asked = DOOR_ASKED_NOTHING;
    r->len = whole ? 0 : seen;
    return *asked == DOOR_ASKED_MORE;
}

enum door_asked door_request_turn(struct door_request *r)
{
    enum door_asked asked;
    while (turn(r, &asked))
        ;
    return asked;
}

/* ---- answers ---- */

int door_request_answer(enum door_kind kind, int fd, enum outcome outcome, const struct addr *bound)
{
    uint8_t socks[SOCKS_REPLY_MAX];
    char http[HTTP_CONNECT_REPLY_MAX];
    bool said = kind == DOOR_HTTP ? say(fd, http, http_connect_reply(outcome, http))
                                  : say(fd, socks, socks_write_reply(outcome, bound, socks));
    return said ? 0 : ERR_CLOSED;
}

void door_request_refuse_words(enum door_kind kind, int fd)
{
    static const uint8_t socks[] = {1, 1};
    char http[HTTP_CONNECT_REPLY_MAX];
    if (kind == DOOR_HTTP)
        (void)!say(fd, http, http_connect_refuse_words(http));
    else
        (void)!say(fd, socks, sizeof(socks));
}
