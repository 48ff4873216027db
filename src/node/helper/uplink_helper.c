/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/uplink_helper.h"

#include "base/clock.h"
#include "node/helper/uplink_channel.h"
#include "node/helper/uplink_socket.h"

#include <stdlib.h>
#include <string.h>

#define ROUND_PACKETS 64 /* of one channel, before others have their turn */
#define WAIT_MS       60000
#define GOING_AWAY    1001         /* RFC 6455 §7.4.1 */
#define TELL_US       USEC_PER_SEC /* between two reports of losses */

struct uplink_helper {
    const struct curl_library *curl;
    const struct proxy *proxy;
    const char *url;
    char instance[HELPER_TEXT_MAX]; /* another one's URL, which the socket borrows; empty: none */
    const struct uplink_ends *ends;
    struct uplink_socket *socket; /* NULL: not connected, nor about to be */
    bool open;                    /* and the node has been told */
    bool stuck;                   /* the node does not take a message: the uplink ends */
    unsigned workers;             /* that take datagrams */
    uint64_t dropped;             /* datagrams, since the last report, but for the socket's … */
    uint64_t dropped_by_socket;   /* … of which so many are told */
    uint64_t told_us;
    uint64_t now_us;
    uint8_t packet[UPLINK_MESSAGE_MAX];
};

/* ---- from the backbone ---- */

static void pass_datagrams(struct uplink_helper *h, const uint8_t *message, size_t len)
{
    const struct iovec whole = {(void *)message, len};
    unsigned worker =
        uplink_channel_worker(message + UPLINK_BATCH_HEAD_LEN, len - UPLINK_BATCH_HEAD_LEN, h->workers);
    int fd = h->ends->workers[worker];
    if (uplink_channel_send(fd, &whole, 1))
        h->dropped += uplink_batch_datagrams(message, len - UPLINK_BATCH_HEAD_LEN);
}

static void on_opened(void *context)
{
    struct uplink_helper *h = context;
    const struct helper_message m = {.kind = HELPER_UPLINK_OPEN};
    h->open = true;
    h->stuck = uplink_channel_tell(h->ends->control, &m) != 0;
}

/* A message that begins as what the two of us say to each other does is none. */
static void on_message(void *context, const uint8_t *message, size_t len)
{
    struct uplink_helper *h = context;
    const struct iovec whole = {(void *)message, len};
    if (len == 0 || uplink_channel_is_told(message))
        return;
    if (message[0] == UPLINK_DATAGRAMS && len > UPLINK_BATCH_HEAD_LEN)
        pass_datagrams(h, message, len);
    else if (uplink_channel_send(h->ends->control, &whole, 1))
        h->stuck = true;
}

/* ---- connecting ---- */

static int tell(const struct uplink_helper *h, const struct helper_message *m)
{
    int err = uplink_channel_tell(h->ends->control, m);
    return err == ERR_AGAIN ? ERR_FORMAT : err; /* a node that takes nothing at all is none */
}

static int close_socket(struct uplink_helper *h, const char *why, unsigned code)
{
    struct helper_message m = {.kind = HELPER_UPLINK_CLOSED, .number = code};
    helper_message_set_text(&m, why);
    h->dropped += h->socket ? uplink_socket_dropped(h->socket) - h->dropped_by_socket : 0;
    uplink_socket_close(h->socket);
    h->socket = NULL;
    h->open = h->stuck = false;
    h->dropped_by_socket = 0;
    return tell(h, &m);
}

static int connect_now(struct uplink_helper *h, const struct helper_message *ask)
{
    if (h->socket || ask->number < 1 || ask->number > h->ends->worker_count)
        return ERR_FORMAT;
    strcpy(h->instance, ask->text);
    const struct uplink_socket_config config = {.curl = h->curl,
                                                .proxy = h->proxy,
                                                .url = h->instance[0] ? h->instance : h->url,
                                                .interface = ask->interface,
                                                .visits = h->url[0] == '\0',
                                                .addresses = ask->addresses,
                                                .address_count = ask->address_count,
                                                .opened = on_opened,
                                                .message = on_message,
                                                .context = h};
    h->workers = (unsigned)ask->number;
    int err = uplink_socket_open(&config, h->now_us, &h->socket);
    return err ? close_socket(h, err_str(err), 0) : 0;
}

static int leave(struct uplink_helper *h, uint16_t code)
{
    uplink_socket_say_end(h->socket, code, h->now_us);
    return close_socket(h, "the node left it", 0);
}

/* ---- from the node ---- */

static int on_told(struct uplink_helper *h, size_t len)
{
    struct helper_message m;
    if (uplink_channel_read(h->packet, len, &m))
        return ERR_FORMAT;
    if (m.kind == HELPER_UPLINK_CONNECT)
        return connect_now(h, &m);
    if (m.kind == HELPER_UPLINK_LEAVE)
        return h->socket ? leave(h, (uint16_t)m.number) : 0;
    if (m.kind != HELPER_UPLINK_CHECK)
        return ERR_FORMAT;
    if (h->socket)
        uplink_socket_check(h->socket, h->now_us);
    return 0;
}

/* What was meant for a connection that is gone is lost with it. */
static void pass(struct uplink_helper *h, size_t len, bool datagrams)
{
    struct batch *b = h->open ? batch_new(len) : NULL;
    if (!b)
        return;
    memcpy(b->bytes, h->packet, len);
    uplink_socket_put(h->socket, b, datagrams, h->now_us);
}

static bool takes_control(const struct uplink_helper *h)
{
    return !h->socket || uplink_socket_has_room(h->socket);
}

static int take_control(struct uplink_helper *h)
{
    for (unsigned i = 0; i < ROUND_PACKETS && takes_control(h); i++) {
        ssize_t len = uplink_channel_receive(h->ends->control, h->packet);
        if (len < 0)
            return len == ERR_AGAIN ? 0 : (int)len;
        int err = 0;
        if (uplink_channel_is_told(h->packet))
            err = on_told(h, (size_t)len);
        else
            pass(h, (size_t)len, false);
        if (err)
            return err;
    }
    return 0;
}

/* Of the node's last datagrams all are taken; the queue for them decides which are lost. */
static int take_datagrams(struct uplink_helper *h, int fd)
{
    for (unsigned i = 0; i < ROUND_PACKETS; i++) {
        ssize_t len = uplink_channel_receive(fd, h->packet);
        if (len < 0)
            return len == ERR_AGAIN ? 0 : (int)len;
        if (len <= UPLINK_BATCH_HEAD_LEN || h->packet[0] != UPLINK_DATAGRAMS)
            return ERR_FORMAT;
        pass(h, (size_t)len, true);
    }
    return 0;
}

/* ---- the loop's part ---- */

static int tell_dropped(struct uplink_helper *h)
{
    uint64_t by_socket = h->socket ? uplink_socket_dropped(h->socket) : 0;
    struct helper_message m = {.kind = HELPER_UPLINK_DROPPED,
                               .number = h->dropped + by_socket - h->dropped_by_socket};
    if (!m.number || h->now_us - h->told_us < TELL_US)
        return 0;
    h->told_us = h->now_us;
    h->dropped = 0;
    h->dropped_by_socket = by_socket;
    return tell(h, &m);
}

static int turn_socket(struct uplink_helper *h)
{
    unsigned code;
    int err = uplink_socket_turn(h->socket, h->now_us);
    if (err) {
        const char *why = uplink_socket_end(h->socket, &code);
        return close_socket(h, why, code);
    }
    return h->stuck ? close_socket(h, "the node does not take what comes", 0) : 0;
}

/* Of the node's channels; the socket's may be others by now. */
static int take_one(struct uplink_helper *h, int fd)
{
    if (fd == h->ends->control)
        return take_control(h);
    for (unsigned i = 0; i < h->ends->worker_count; i++)
        if (fd == h->ends->workers[i])
            return take_datagrams(h, fd);
    return 0;
}

int uplink_helper_turn(struct uplink_helper *h, const struct curl_waitfd *fds, unsigned count)
{
    int err = 0;
    h->now_us = clock_monotonic_us();
    for (unsigned i = 0; !err && i < count; i++)
        if (fds[i].revents)
            err = take_one(h, fds[i].fd);
    if (!err && h->socket)
        err = turn_socket(h);
    return err ? err : tell_dropped(h);
}

void uplink_helper_end(struct uplink_helper *h)
{
    h->now_us = clock_monotonic_us();
    (void)!take_control(h);
    if (h->socket)
        uplink_socket_say_end(h->socket, GOING_AWAY, h->now_us);
}

unsigned uplink_helper_wants(struct uplink_helper *h, struct curl_waitfd fds[UPLINK_HELPER_FDS_MAX],
                             int *timeout_ms)
{
    unsigned count = 0;
    *timeout_ms = WAIT_MS;
    if (takes_control(h))
        fds[count++] = (struct curl_waitfd){.fd = h->ends->control, .events = CURL_WAIT_POLLIN};
    for (unsigned i = 0; i < h->ends->worker_count; i++)
        fds[count++] = (struct curl_waitfd){.fd = h->ends->workers[i], .events = CURL_WAIT_POLLIN};
    if (h->socket)
        count += uplink_socket_wants(h->socket, fds + count, clock_monotonic_us(), timeout_ms);
    return count;
}

static int drain(struct uplink_helper *h, int fd)
{
    ssize_t len;
    do
        len = uplink_channel_receive(fd, h->packet);
    while (len >= 0 || len == ERR_FORMAT);
    return len == ERR_AGAIN ? 0 : (int)len;
}

int uplink_helper_new(const struct curl_library *curl, const struct proxy *proxy, const char *url,
                      const struct uplink_ends *ends, struct uplink_helper **out)
{
    static const struct helper_message ready = {.kind = HELPER_UPLINK_READY};
    struct uplink_helper *h = calloc(1, sizeof(*h));
    if (!h)
        return ERR_NOMEM;
    h->curl = curl;
    h->proxy = proxy;
    h->url = url;
    h->ends = ends;
    int err = drain(h, ends->control);
    for (unsigned i = 0; !err && i < ends->worker_count; i++)
        err = drain(h, ends->workers[i]);
    if (!err)
        err = uplink_channel_tell(ends->control, &ready);
    if (err)
        free(h);
    else
        *out = h;
    return err;
}
