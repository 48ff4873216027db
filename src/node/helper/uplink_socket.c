/* SPDX-License-Identifier: Apache-2.0 */
/* wslay reads from and writes to buffers here, so that what goes through TLS, and to the kernel, goes in large pieces.
 *
 *   CONNECTING ──→ UPGRADING ──→ OPEN ──→ over
 *        └──────────────┴──────────────────↑
 *
 * A message is handed to wslay when all before it have left, so that what is more urgent still overtakes it. */
#include "node/helper/uplink_socket.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/secret.h"
#include "node/helper/uplink_upgrade.h"
#include "proto/uplink/uplink_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define ANSWER_US   (5 * USEC_PER_SEC)
#define FRAME_MAX   14                                     /* bytes of a frame's head */
#define OUT_MAX     (2 * (UPLINK_MESSAGE_MAX + FRAME_MAX)) /* the frame that is on its way, and pongs */
#define IN_MAX      65536
#define ROUND_READS 16 /* of IN_MAX bytes, before others have their turn */
#define ANSWERS_MAX 64 /* control frames that wslay may have waiting: who sends more does not read */

enum state { STATE_CONNECTING, STATE_UPGRADING, STATE_OPEN, STATE_OVER };

struct uplink_socket {
    struct uplink_socket_config config;
    enum state state;
    struct tunnel *tunnel;
    struct uplink_upgrade upgrade;
    wslay_event_context_ptr ws;
    uint64_t until_us;          /* UPGRADING: the answer's; OPEN: the pong's, or 0 when none is awaited */
    uint64_t ping_us;           /* when the next one is due */
    uint32_t pings;             /* sent so far: what the last one carries */
    struct batch *first, *last; /* control messages */
    size_t waiting;             /* bytes of them */
    struct batch_queue datagrams;
    bool more;                             /* what was received is not all read */
    size_t in_len, in_at, out_len, out_at; /* bytes, and those of them that are done with */
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

/* ---- wslay's side ---- */

static ssize_t on_receive(wslay_event_context_ptr ws, uint8_t *out, size_t cap, int flags, void *context)
{
    struct uplink_socket *s = context;
    size_t left = s->in_len - s->in_at, n = left < cap ? left : cap;
    (void)flags;
    if (n == 0) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(out, s->in + s->in_at, n);
    s->in_at += n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags, void *context)
{
    struct uplink_socket *s = context;
    size_t left = sizeof(s->out) - s->out_len, n = left < len ? left : len;
    (void)flags;
    if (n == 0) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(s->out + s->out_len, data, n);
    s->out_len += n;
    return (ssize_t)n;
}

static int on_mask(wslay_event_context_ptr ws, uint8_t *out, size_t len, void *context)
{
    (void)ws, (void)context;
    secret_random(out, len);
    return 0;
}

/* The code stands in front of the reason, too. */
static void on_close(struct uplink_socket *s, const struct wslay_event_on_msg_recv_arg *m)
{
    char reason[HTTP_CAUSE_MAX] = "the backbone closed it";
    size_t len = m->msg_length > 2 ? m->msg_length - 2 : 0;
    s->code = m->status_code;
    if (len > 0 && len < sizeof(reason)) {
        memcpy(reason, m->msg + 2, len);
        reason[text_clean(reason, len)] = '\0';
    }
    (void)end(s, reason);
}

/* Only the answer to the last ping counts. */
static void on_pong(struct uplink_socket *s, const struct wslay_event_on_msg_recv_arg *m)
{
    if (m->msg_length == sizeof(s->pings) && memcmp(m->msg, &s->pings, sizeof(s->pings)) == 0)
        s->until_us = 0;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *m, void *context)
{
    struct uplink_socket *s = context;
    (void)ws;
    if (s->state == STATE_OVER)
        return;
    if (m->opcode == WSLAY_CONNECTION_CLOSE)
        on_close(s, m);
    else if (m->opcode == WSLAY_PONG)
        on_pong(s, m);
    else if (m->opcode == WSLAY_BINARY_FRAME)
        s->config.message(s->config.context, m->msg, m->msg_length);
    else if (m->opcode == WSLAY_TEXT_FRAME)
        (void)end(s, "the backbone sends text");
}

static int begin_frames(struct uplink_socket *s)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_receive,
                                                           .send_callback = on_send,
                                                           .genmask_callback = on_mask,
                                                           .on_msg_recv_callback = on_message};
    if (wslay_event_context_client_init(&s->ws, &callbacks, s) != 0)
        return ERR_NOMEM;
    wslay_event_config_set_max_recv_msg_length(s->ws, UPLINK_MESSAGE_MAX);
    return 0;
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

/* Fills out with the next frames. False when there are none. */
static bool fill(struct uplink_socket *s, uint64_t now_us)
{
    struct batch *b = wslay_event_want_write(s->ws) ? NULL : next_message(s, now_us);
    if (b) {
        const struct wslay_event_msg m = {WSLAY_BINARY_FRAME, b->bytes, b->len};
        (void)wslay_event_queue_msg(s->ws, &m); /* without memory it is lost */
        batch_free(b);
    }
    return wslay_event_send(s->ws) == 0 && s->out_len > 0;
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

/* All of in. */
static int read_frames(struct uplink_socket *s)
{
    while (s->in_at < s->in_len && s->state == STATE_OPEN) {
        if (!wslay_event_get_read_enabled(s->ws) || wslay_event_recv(s->ws) != 0 ||
            !wslay_event_get_read_enabled(s->ws))
            return end(s, "the backbone broke the rules of WebSockets");
        if (wslay_event_get_queued_msg_count(s->ws) > ANSWERS_MAX)
            return end(s, "the backbone asks and does not read");
    }
    s->in_at = s->in_len = 0;
    return s->state == STATE_OPEN ? 0 : ERR_CLOSED;
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
        s->in_len = (size_t)n;
        if (read_frames(s))
            return ERR_CLOSED;
    }
    s->more = true;
    return 0;
}

/* ---- the steps ---- */

static void put_request(struct uplink_socket *s)
{
    struct http_url url;
    int len =
        http_url_parse(s->config.url, &url) ? uplink_upgrade_request(&s->upgrade, &url, (char *)s->out) : 0;
    s->out_len = len > 0 ? (size_t)len : 0;
}

static int connect_on(struct uplink_socket *s, uint64_t now_us)
{
    char why[HTTP_CAUSE_MAX];
    int err = tunnel_advance(s->tunnel, why);
    if (err == ERR_AGAIN)
        return 0;
    if (err)
        return end(s, why);
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
    if (begin_frames(s))
        return end(s, err_str(ERR_NOMEM));
    s->in_at = (size_t)head;
    s->until_us = 0;
    s->state = STATE_OPEN;
    s->config.opened(s->config.context);
    return read_frames(s);
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
        return end(s, "no answer within 5 s");
    return 0;
}

static void ping(struct uplink_socket *s, uint64_t now_us, uint64_t patience_us)
{
    s->pings++;
    const struct wslay_event_msg m = {WSLAY_PING, (const uint8_t *)&s->pings, sizeof(s->pings)};
    (void)wslay_event_queue_msg(s->ws, &m);
    s->ping_us = now_us + UPLINK_PING_US;
    if (s->until_us == 0 || s->until_us > now_us + patience_us)
        s->until_us = now_us + patience_us;
}

static int talk_on(struct uplink_socket *s, uint64_t now_us)
{
    if (receive_all(s))
        return ERR_CLOSED;
    if (s->until_us && now_us >= s->until_us)
        return end(s, "the backbone does not answer any more");
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
    return s->out_at < s->out_len ||
           (s->state == STATE_OPEN &&
            (s->first || !batch_queue_empty(&s->datagrams) || wslay_event_want_write(s->ws)));
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
        err = tunnel_open(config->curl, config->proxy, config->url, config->addresses, config->address_count,
                          &s->tunnel);
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
    batch_queue_clear(&s->datagrams);
    if (send_all(s, now_us) || s->out_len || wslay_event_queue_close(s->ws, code, NULL, 0) != 0)
        return;
    (void)send_all(s, now_us);
}

uint64_t uplink_socket_dropped(const struct uplink_socket *s)
{
    return s->datagrams.dropped;
}

void uplink_socket_close(struct uplink_socket *s)
{
    if (!s)
        return;
    if (s->ws)
        wslay_event_context_free(s->ws);
    while (s->first)
        batch_free(next_message(s, 0));
    batch_queue_clear(&s->datagrams);
    tunnel_close(s->tunnel);
    free(s);
}
