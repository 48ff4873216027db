/* SPDX-License-Identifier: Apache-2.0 */
/* A puppet's TCP connection, TLS and messages. docs/PROTOCOL.md §6. */

#include "puppet_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void puppet_hang_up(struct puppet *p)
{
    if (p->tcp >= 0)
        close(p->tcp);
    tls_free(p->tls);
    p->tcp = -1;
    p->tls = NULL;
    p->inbox_len = 0;
}

bool puppet_connected(const struct puppet *p)
{
    return p->tcp >= 0;
}

static bool push(struct puppet *p)
{
    uint8_t chunk[PUPPET_CHUNK_LEN];
    size_t n;
    while (p->tls && (n = tls_take_output(p->tls, chunk, sizeof(chunk))) > 0) {
        for (size_t at = 0; at < n;) {
            ssize_t sent = send(p->tcp, chunk + at, n - at, MSG_NOSIGNAL);
            if (sent <= 0) {
                puppet_hang_up(p);
                return false;
            }
            at += (size_t)sent;
        }
    }
    return p->tls != NULL;
}

bool puppet_pull(struct puppet *p, int timeout_ms)
{
    uint8_t chunk[PUPPET_CHUNK_LEN];
    struct pollfd ready = {.fd = p->tcp, .events = POLLIN};
    if (p->tcp < 0)
        return false;
    if (poll(&ready, 1, timeout_ms) <= 0)
        return timeout_ms == 0;
    ssize_t n = recv(p->tcp, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n <= 0 || tls_feed(p->tls, chunk, (size_t)n)) {
        (void)push(p); /* the alert */
        puppet_hang_up(p);
        return false;
    }
    return push(p);
}

/* The body of the next message, in inbox: its length, 0 when it is not complete, -1 when the channel ended. */
static int next_body(struct puppet *p)
{
    for (;;) {
        size_t want = PUPPET_PREFIX_LEN;
        if (p->inbox_len >= PUPPET_PREFIX_LEN) {
            struct reader r = reader_init(p->inbox, PUPPET_PREFIX_LEN);
            want += reader_u16(&r);
        }
        if (p->inbox_len >= PUPPET_PREFIX_LEN && p->inbox_len == want)
            return (int)(want - PUPPET_PREFIX_LEN);
        int n = want > sizeof(p->inbox) ? -1 : tls_read(p->tls, p->inbox + p->inbox_len, want - p->inbox_len);
        if (n <= 0)
            return n < 0 ? -1 : 0;
        p->inbox_len += (size_t)n;
    }
}

bool puppet_await(struct puppet *p, struct message *out, size_t *len)
{
    for (;;) {
        int n = p->tls ? next_body(p) : -1;
        if (n < 0)
            return false;
        if (n == 0) {
            if (!puppet_pull(p, PUPPET_TIMEOUT_MS))
                return false;
            continue;
        }
        p->inbox_len = 0;
        *len = (size_t)n;
        if (message_decode(p->inbox + PUPPET_PREFIX_LEN, (size_t)n, out) == 0)
            return true;
    }
}

bool puppet_say_raw(struct puppet *p, const uint8_t *bytes, size_t len)
{
    if (!p->tls || tls_write(p->tls, bytes, len)) {
        puppet_hang_up(p);
        return false;
    }
    return push(p);
}

bool puppet_say_bytes(struct puppet *p, const uint8_t *body, size_t len)
{
    uint8_t frame[PUPPET_PREFIX_LEN + MESSAGE_MAX];
    struct writer w = writer_init(frame, sizeof(frame));
    writer_u16(&w, (uint16_t)len);
    writer_put(&w, body, len);
    return !w.bad && puppet_say_raw(p, frame, writer_len(&w));
}

bool puppet_say(struct puppet *p, const struct message *m)
{
    uint8_t body[MESSAGE_MAX];
    struct writer w = writer_init(body, sizeof(body));
    message_encode(m, &w);
    if (m->type == MESSAGE_HELLO) {
        const struct slice hello = {body, writer_len(&w)};
        (void)!kdf_hash(&hello, 1, p->mine_hash);
    }
    return puppet_say_bytes(p, body, writer_len(&w));
}

static bool leaves_from(int tcp, const struct addr *source)
{
    struct sockaddr_storage sa;
    socklen_t len = source->family ? addr_to_sockaddr(source, false, &sa) : 0;
    return len == 0 || bind(tcp, (struct sockaddr *)&sa, len) == 0;
}

static bool shake_hands(struct puppet *p)
{
    while (p->tls && !tls_established(p->tls))
        if (!puppet_pull(p, PUPPET_TIMEOUT_MS))
            return false;
    return p->tls != NULL;
}

bool puppet_secure(struct puppet *p)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&p->control, false, &sa);
    p->tcp = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->tcp < 0 || !leaves_from(p->tcp, &p->source) || connect(p->tcp, (struct sockaddr *)&sa, len) ||
        tls_new(p->context, false, &p->id, &p->tls) || tls_feed(p->tls, NULL, 0) || !push(p))
        return false;
    return shake_hands(p);
}

bool puppet_answer(struct puppet *p, int tcp)
{
    p->tcp = tcp;
    return tls_new(p->context, true, NULL, &p->tls) == 0 && shake_hands(p);
}
