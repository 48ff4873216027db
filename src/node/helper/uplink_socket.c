/* SPDX-License-Identifier: Apache-2.0 */
/* Frames lie in buffers here, so that what goes through TLS, and to the kernel, goes in large pieces.
 *
 *   CONNECTING ──→ UPGRADING ──→ OPEN ──→ over
 *        └──────────────┴──────────────────↑
 *
 * Messages are made frames when those before them have left, so that what is more urgent still overtakes them. */
#include "node/helper/uplink_socket.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/secret.h"
#include "node/helper/helper_message.h"
#include "node/helper/uplink_upgrade.h"
#include "proto/uplink/uplink_message.h"
#include "proto/uplink/websocket_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEBSOCKET_CODE_MIN 1000 /* RFC 6455 §7.4.2 */

#define ANSWER_US   (5 * USEC_PER_SEC)
#define OUT_EASY    16384 /* bytes of frames with which others may go at once */
#define OUT_MAX     (OUT_EASY + UPLINK_MESSAGE_MAX + 3 * (WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX))
#define IN_MAX      65536
#define ROUND_READS 16 /* of IN_MAX bytes, before others have their turn */

enum state { STATE_CONNECTING, STATE_UPGRADING, STATE_OPEN, STATE_OVER };

struct uplink_socket {
    struct uplink_socket_config config;
    enum state state;
    struct tunnel *tunnel;
    struct uplink_upgrade upgrade;
    struct websocket_reader *reader;
    uint64_t until_us;          /* UPGRADING: the answer's; OPEN: the pong's, or 0 when none is awaited */
    uint64_t ping_us;           /* when the next one is due */
    uint32_t pings;             /* sent so far: what the last one carries */
    bool pinging;               /* it waits to be sent, … */
    struct batch *pong;         /* … as the answer to the backbone's last one does; NULL: none */
    struct batch *first, *last; /* control messages */
    size_t waiting;             /* bytes of them */
    struct batch_queue datagrams;
    bool more;                      /* what was received is not all read */
    size_t in_len, out_len, out_at; /* bytes, and those of them that are done with */
    unsigned code;
    char why[HTTP_CAUSE_MAX];
    uint8_t in[IN_MAX], out[OUT_MAX];
};

static int end(struct uplink_socket *s, const char *why)
{
    if (s->state != STATE_OVER)
        snprintf(s->why, sizeof(s->why), "%s", why);
    s->state = STATE_OVER;
    return ERR_CLOSED;
}

static int end_silent(struct uplink_socket *s, const char *why)
{
    if (s->state != STATE_OVER)
        s->code = HELPER_END_SILENT;
    return end(s, why);
}

/* ---- what comes ---- */

static void on_close(struct uplink_socket *s, const struct batch *b)
{
    char reason[WEBSOCKET_CONTROL_MAX + 1] = "the backbone closed it";
    struct reader r = reader_init(b->bytes, b->len);
    unsigned code = reader_u16(&r);
    size_t len = reader_left(&r);
    s->code = r.bad || code < WEBSOCKET_CODE_MIN ? HELPER_END_BROKEN : code;
    if (len && !r.bad) {
        memcpy(reason, reader_take(&r, len), len);
        reason[text_clean(reason, len)] = '\0';
    }
    (void)end(s, reason);
}

/* Only the answer to the last ping counts. */
static void on_pong(struct uplink_socket *s, const struct batch *b)
{
    if (b->len == sizeof(s->pings) && memcmp(b->bytes, &s->pings, sizeof(s->pings)) == 0)
        s->until_us = 0;
}

static int on_frame(void *context, enum websocket_frame frame, struct batch *b)
{
    struct uplink_socket *s = context;
    switch (frame) {
    case WEBSOCKET_BINARY:
        s->config.message(s->config.context, b->bytes, b->len);
        break;
    case WEBSOCKET_CLOSE:
        on_close(s, b);
        break;
    case WEBSOCKET_PONG:
        on_pong(s, b);
        break;
    case WEBSOCKET_PING: /* of several the last one is answered: RFC 6455 §5.5.3 */
        batch_free(s->pong);
        s->pong = b;
        return 0;
    }
    batch_free(b);
    return s->state == STATE_OPEN ? 0 : ERR_CLOSED;
}

static int read_frames(struct uplink_socket *s, const uint8_t *bytes, size_t len)
{
    int err = websocket_read(s->reader, bytes, len, UPLINK_MESSAGE_MAX, on_frame, s);
    if (err && err != ERR_CLOSED)
        return end(s, err == ERR_NOMEM ? err_str(err) : "the backbone broke the rules of WebSockets");
    return err;
}

/* ---- bytes ---- */

/* Sends what lies in out. 0: all of it; ERR_AGAIN; ERR_CLOSED. */
static int flush(struct uplink_socket *s)
{
    while (s->out_at < s->out_len) {
        ssize_t n = tunnel_send(s->tunnel, s->out + s->out_at, s->out_len - s->out_at);
        if (n < 0)
            return n == ERR_AGAIN ? ERR_AGAIN : end(s, "the connection broke off");
        s->out_at += (size_t)n;
    }
    s->out_at = s->out_len = 0;
    return 0;
}

static struct batch *next_message(struct uplink_socket *s, uint64_t now_us)
{
    struct batch *b = s->first;
    if (!b)
        return batch_queue_take(&s->datagrams, now_us);
    s->first = b->next;
    if (!b->next)
        s->last = NULL;
    s->waiting -= b->len;
    return b;
}

/* Behind what is in out, with a mask of its own: RFC 6455 §5.3. */
static void put_frame(struct uplink_socket *s, enum websocket_frame frame, const void *bytes, size_t len)
{
    uint8_t mask[WEBSOCKET_MASK_LEN];
    secret_random(mask, sizeof(mask));
    s->out_len += websocket_head(frame, len, mask, s->out + s->out_len);
    websocket_mask(mask, 0, bytes, len, s->out + s->out_len);
    s->out_len += len;
}

static void put_control(struct uplink_socket *s)
{
    if (s->pinging)
        put_frame(s, WEBSOCKET_PING, &s->pings, sizeof(s->pings));
    if (s->pong)
        put_frame(s, WEBSOCKET_PONG, s->pong->bytes, s->pong->len);
    batch_free(s->pong);
    s->pong = NULL;
    s->pinging = false;
}

/* Fills out, which is empty, with the next frames. False when there are none. */
static bool fill(struct uplink_socket *s, uint64_t now_us)
{
    struct batch *b;
    put_control(s);
    while (s->out_len < OUT_EASY && (b = next_message(s, now_us))) {
        put_frame(s, WEBSOCKET_BINARY, b->bytes, b->len);
        batch_free(b);
    }
    return s->out_len > 0;
}

static int send_all(struct uplink_socket *s, uint64_t now_us)
{
    int err;
    while ((err = flush(s)) == 0)
        if (!fill(s, now_us))
            break;
    batch_queue_expire(&s->datagrams, now_us);
    return err == ERR_AGAIN ? 0 : err;
}

static int receive_all(struct uplink_socket *s)
{
    s->more = false;
    for (unsigned i = 0; i < ROUND_READS; i++) {
        ssize_t n = tunnel_receive(s->tunnel, s->in, sizeof(s->in));
        if (n == ERR_AGAIN)
            return 0;
        if (n < 0)
            return end(s, "the connection broke off");
        if (read_frames(s, s->in, (size_t)n))
            return ERR_CLOSED;
    }
    s->more = true;
    return 0;
}

/* ---- the steps ---- */

static void put_request(struct uplink_socket *s)
{
    struct http_url url;
    int len = http_url_parse(s->config.url, &url)
                  ? uplink_upgrade_request(&s->upgrade, &url, s->config.visits, (char *)s->out)
                  : 0;
    s->out_len = len > 0 ? (size_t)len : 0;
}

static int connect_on(struct uplink_socket *s, uint64_t now_us)
{
    char why[HTTP_CAUSE_MAX];
    int err = tunnel_advance(s->tunnel, why);
    if (err == ERR_AGAIN)
        return 0;
    if (err)
        return tunnel_was_silent(s->tunnel) ? end_silent(s, why) : end(s, why);
    s->state = STATE_UPGRADING;
    s->until_us = now_us + ANSWER_US;
    put_request(s);
    return 0;
}

/* What follows the answer's head are frames. */
static int read_answer(struct uplink_socket *s)
{
    char why[UPLINK_WHY_MAX];
    int head = uplink_upgrade_answer(&s->upgrade, (const char *)s->in, s->in_len, why);
    if (head == ERR_AGAIN)
        return 0;
    if (head < 0)
        return end(s, why);
    if (websocket_reader_new(WEBSOCKET_CLIENT, &s->reader))
        return end(s, err_str(ERR_NOMEM));
    s->until_us = 0;
    s->state = STATE_OPEN;
    s->config.opened(s->config.context);
    return read_frames(s, s->in + head, s->in_len - (size_t)head);
}

static int upgrade_on(struct uplink_socket *s, uint64_t now_us)
{
    int err = flush(s);
    if (err == ERR_CLOSED)
        return err;
    while (s->state == STATE_UPGRADING && s->in_len < UPLINK_ANSWER_MAX) {
        ssize_t n = tunnel_receive(s->tunnel, s->in + s->in_len, UPLINK_ANSWER_MAX - s->in_len);
        if (n == ERR_AGAIN)
            break;
        if (n < 0)
            return end(s, "the connection was closed without an answer");
        s->in_len += (size_t)n;
        err = read_answer(s);
        if (err)
            return err;
    }
    if (s->state == STATE_UPGRADING && now_us >= s->until_us)
        return end_silent(s, "no answer within 5 s");
    return 0;
}

static void ping(struct uplink_socket *s, uint64_t now_us, uint64_t patience_us)
{
    s->pings++;
    s->pinging = true;
    s->ping_us = now_us + UPLINK_PING_US;
    if (s->until_us == 0 || s->until_us > now_us + patience_us)
        s->until_us = now_us + patience_us;
}

static int talk_on(struct uplink_socket *s, uint64_t now_us)
{
    if (receive_all(s))
        return ERR_CLOSED;
    if (s->until_us && now_us >= s->until_us)
        return end_silent(s, "the backbone does not answer any more");
    if (now_us >= s->ping_us)
        ping(s, now_us, UPLINK_PONG_US);
    return send_all(s, now_us);
}

int uplink_socket_turn(struct uplink_socket *s, uint64_t now_us)
{
    if (s->state == STATE_CONNECTING && connect_on(s, now_us))
        return ERR_CLOSED;
    if (s->state == STATE_UPGRADING && upgrade_on(s, now_us))
        return ERR_CLOSED;
    if (s->state == STATE_OPEN)
        return talk_on(s, now_us);
    return s->state == STATE_OVER ? ERR_CLOSED : 0;
}

static bool has_to_send(const struct uplink_socket *s)
{
    return s->out_at < s->out_len || (s->state == STATE_OPEN && (s->pinging || s->pong || s->first ||
                                                                 !batch_queue_empty(&s->datagrams)));
}

static void shorten(int *timeout_ms, uint64_t now_us, uint64_t at_us)
{
    uint64_t ms = at_us > now_us ? (at_us - now_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0;
    if (ms < (uint64_t)*timeout_ms)
        *timeout_ms = (int)ms;
}

unsigned uplink_socket_wants(struct uplink_socket *s, struct curl_waitfd *fds, uint64_t now_us,
                             int *timeout_ms)
{
    if (s->state == STATE_CONNECTING)
        return tunnel_wants(s->tunnel, fds, timeout_ms);
    if (s->until_us)
        shorten(timeout_ms, now_us, s->until_us);
    if (s->state == STATE_OPEN)
        shorten(timeout_ms, now_us, s->more ? now_us : s->ping_us);
    fds[0] =
        (struct curl_waitfd){.fd = tunnel_fd(s->tunnel),
                             .events = (short)(CURL_WAIT_POLLIN | (has_to_send(s) ? CURL_WAIT_POLLOUT : 0))};
    return 1;
}

/* ---- life ---- */

int uplink_socket_open(const struct uplink_socket_config *config, uint64_t now_us, struct uplink_socket **out)
{
    uint8_t nonce[16];
    struct uplink_socket *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    s->ping_us = now_us + UPLINK_PING_US;
    secret_random(nonce, sizeof(nonce));
    int err = uplink_upgrade_init(nonce, &s->upgrade);
    if (!err)
        err = tunnel_open(config->curl, config->proxy, config->url, config->interface, config->addresses,
                          config->address_count, &s->tunnel);
    if (err)
        uplink_socket_close(s);
    else
        *out = s;
    return err;
}

const char *uplink_socket_end(const struct uplink_socket *s, unsigned *code)
{
    *code = s->code;
    return s->why;
}

bool uplink_socket_has_room(const struct uplink_socket *s)
{
    return s->waiting < UPLINK_CONTROL_WAITING;
}

void uplink_socket_put(struct uplink_socket *s, struct batch *b, bool datagrams, uint64_t now_us)
{
    if (datagrams) {
        batch_queue_put(&s->datagrams, b, now_us);
        return;
    }
    if (s->last)
        s->last->next = b;
    else
        s->first = b;
    s->last = b;
    s->waiting += b->len;
}

void uplink_socket_check(struct uplink_socket *s, uint64_t now_us)
{
    if (s->state == STATE_OPEN)
        ping(s, now_us, UPLINK_CHECK_US);
}

void uplink_socket_say_end(struct uplink_socket *s, uint16_t code, uint64_t now_us)
{
    if (s->state != STATE_OPEN)
        return;
    const uint8_t payload[] = {(uint8_t)(code >> 8), (uint8_t)code};
    batch_queue_clear(&s->datagrams);
    if (send_all(s, now_us) || s->out_len)
        return;
    put_frame(s, WEBSOCKET_CLOSE, payload, sizeof(payload));
    (void)flush(s);
}

uint64_t uplink_socket_dropped(const struct uplink_socket *s)
{
    return s->datagrams.dropped;
}

void uplink_socket_close(struct uplink_socket *s)
{
    if (!s)
        return;
    websocket_reader_free(s->reader);
    batch_free(s->pong);
    while (s->first)
        batch_free(next_message(s, 0));
    batch_queue_clear(&s->datagrams);
    tunnel_close(s->tunnel);
    free(s);
}
