/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT_ONLY. The handle stays in a multi handle of its own for as long as the tunnel lives: one that it shared with
 * requests would close the connection as one of theirs that has idled for too long. */
#include "node/helper/tunnel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>

#define UNSENT_MAX                                                                                           \
    32768 /* bytes that TCP takes before they can leave: what comes behind them can still be chosen */
#define WAIT_MS 1000

struct tunnel {
    struct http_handle http;
    CURLM *multi;
    curl_socket_t fd; /* CURL_SOCKET_BAD until it is connected */
    bool silent;      /* that it is not is nobody's word */
};

static int start(struct tunnel *t, const char *url, uint32_t interface, const struct addr *addresses,
                 unsigned count)
{
    const struct curl_library *curl = t->http.curl;
    http_handle_leave_by(&t->http, interface);
    curl->easy_setopt(t->http.easy, CURLOPT_CONNECT_ONLY, 1l);
    curl->easy_setopt(t->http.easy, CURLOPT_TIMEOUT_MS, TUNNEL_CONNECT_MS);
    http_handle_aim(&t->http, url, addresses, count);
    t->multi = curl->multi_init();
    return t->multi && curl->multi_add_handle(t->multi, t->http.easy) == CURLM_OK ? 0 : ERR_NOMEM;
}

int tunnel_open(const struct curl_library *curl, const struct proxy *proxy, const char *url,
                uint32_t interface, const struct addr *addresses, unsigned count, struct tunnel **out)
{
    struct tunnel *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NOMEM;
    t->fd = CURL_SOCKET_BAD;
    int err = http_handle_init(&t->http, curl, proxy);
    if (!err)
        err = start(t, url, interface, addresses, count);
    if (err)
        tunnel_close(t);
    else
        *out = t;
    return err;
}

void tunnel_close(struct tunnel *t)
{
    if (!t)
        return;
    if (t->multi)
        (void)t->http.curl->multi_remove_handle(t->multi, t->http.easy);
    const struct curl_library *curl = t->http.curl;
    http_handle_fini(&t->http);
    if (t->multi)
        (void)curl->multi_cleanup(t->multi);
    free(t);
}

unsigned tunnel_wants(struct tunnel *t, struct curl_waitfd *fds, int *timeout_ms)
{
    fd_set in, out, failed;
    int last = -1;
    unsigned count = 0;
    long wait_ms = -1;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&failed);
    (void)t->http.curl->multi_fdset(t->multi, &in, &out, &failed, &last);
    for (int fd = 0; fd <= last && count < TUNNEL_FDS_MAX; fd++) {
        short events = (short)((FD_ISSET(fd, &in) ? CURL_WAIT_POLLIN : 0) |
                               (FD_ISSET(fd, &out) ? CURL_WAIT_POLLOUT : 0));
        if (events)
            fds[count++] = (struct curl_waitfd){.fd = fd, .events = events};
    }
    (void)t->http.curl->multi_timeout(t->multi, &wait_ms);
    if (wait_ms < 0 || wait_ms > WAIT_MS)
        wait_ms = WAIT_MS;
    if (wait_ms < *timeout_ms)
        *timeout_ms = (int)wait_ms;
    return count;
}

/* Small packets go at once, which is libcurl's default. */
static int on_connected(struct tunnel *t)
{
    int unsent = UNSENT_MAX;
    t->http.curl->easy_getinfo(t->http.easy, CURLINFO_ACTIVESOCKET, &t->fd);
    if (t->fd == CURL_SOCKET_BAD)
        return ERR_CLOSED;
    (void)!setsockopt(t->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    return 0;
}

int tunnel_advance(struct tunnel *t, char why[HTTP_CAUSE_MAX])
{
    int running, left;
    (void)t->http.curl->multi_perform(t->multi, &running);
    const CURLMsg *done = t->http.curl->multi_info_read(t->multi, &left);
    if (!done || done->msg != CURLMSG_DONE)
        return ERR_AGAIN;
    CURLcode code = done->data.result;
    if (code == CURLE_OK && on_connected(t) == 0)
        return 0;
    t->silent = http_handle_is_silence(&t->http, code);
    const char *failure =
        code == CURLE_OK ? "the connection was closed" : http_handle_failure(&t->http, code, why);
    if (failure != why)
        snprintf(why, HTTP_CAUSE_MAX, "%s", failure);
    return ERR_CLOSED;
}

bool tunnel_was_silent(const struct tunnel *t)
{
    return t->silent;
}

int tunnel_fd(const struct tunnel *t)
{
    return t->fd;
}

static ssize_t result_of(CURLcode code, size_t n)
{
    if (code == CURLE_AGAIN)
        return ERR_AGAIN;
    return code == CURLE_OK && n > 0 ? (ssize_t)n : ERR_CLOSED;
}

ssize_t tunnel_receive(struct tunnel *t, void *out, size_t cap)
{
    size_t n = 0;
    CURLcode code = t->http.curl->easy_recv(t->http.easy, out, cap, &n);
    return result_of(code, n);
}

ssize_t tunnel_send(struct tunnel *t, const void *data, size_t len)
{
    size_t n = 0;
    CURLcode code = t->http.curl->easy_send(t->http.easy, data, len, &n);
    return result_of(code, n);
}
