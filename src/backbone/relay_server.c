/* SPDX-License-Identifier: Apache-2.0 */
/* Receive a batch, look at the head of each datagram, send on what goes one way in one call. Nothing is opened, copied or
 * queued. docs/PROTOCOL.md §17. */

#include "backbone/relay_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS         250
#define LOG_INTERVAL_US 100000 /* of lines about single channels, for -v */
#define CHANNELS_MAX    65536
#define MBIT_BYTES      125000ull

static_assert(RELAY_TRAIN_DATAGRAMS <= UDP_SEGMENTS_MAX, "a train is one call");

struct relay_server {
    struct relay_server_config config;
    struct relay_desk *desk;
    struct udp_batch *batch;
    struct udp_message messages[UDP_BATCH];
    uint64_t now_us;
    struct log_limit logged;
    int stop;
    pthread_t thread;
};

static void count(struct relay_server *s, unsigned outcome, size_t len, size_t segment)
{
    metrics_add_many(&s->config.metrics->datagrams[outcome], (len + segment - 1) / segment);
}

static void tell(struct relay_server *s, const char *what, const struct node_id *a, const struct node_id *b,
                 const struct addr *at)
{
    uint64_t withheld;
    char end[ID_TEXT_MAX], other[ID_TEXT_MAX], where[ADDR_TEXT_MAX] = "";
    if (!log_enabled(LOG_LEVEL_DEBUG) || !log_limit_pass(&s->logged, s->now_us, LOG_INTERVAL_US, &withheld))
        return;
    log_debug("relay: %s with %s: %s%s%s", id_format(a, end), id_format(b, other), what,
              at ? addr_format(at, where) : where, withheld ? " (others are not shown)" : "");
}

/* ---- messages ---- */

static void send_one(struct relay_server *s, const struct relay_hop *to, const uint8_t *data, size_t len)
{
    struct udp_remote remote;
    udp_remote_init(s->config.socket, &to->local, &to->remote, &remote);
    if (udp_send(s->config.socket, &remote, data, len, len, 0))
        count(s, RELAY_OUTCOME_UNSENT, len, len);
}

static void on_bind(struct relay_server *s, const struct udp_message *m, const uint8_t *data, size_t len)
{
    const struct relay_hop from = {.local = m->local, .remote = m->from};
    struct relay_binding bound;
    uint8_t answer[RELAY_MESSAGE_LEN];
    unsigned verdict = relay_desk_bind(s->desk, &from, data, len, s->now_us, answer, &bound);
    count(s, verdict, len, len);
    if (verdict == RELAY_ANSWER)
        send_one(s, &from, answer, sizeof(answer));
    if (!bound.fresh)
        return;
    metrics_add(&s->config.metrics->bound);
    tell(s, "bound at ", &bound.end, &bound.other, &m->from);
}

/* ---- datagrams ---- */

/* Returns how many bytes it has dealt with. */
static size_t on_train(struct relay_server *s, const struct udp_message *m, size_t at)
{
    struct relay_train train;
    struct udp_remote to;
    const uint8_t *data = m->data + at;
    unsigned outcome = relay_desk_pass(s->desk, &m->from, data, m->len - at, m->segment, s->now_us, &train);
    if (outcome == RELAY_PASS) {
        udp_remote_init(s->config.socket, &train.to.local, &train.to.remote, &to);
        if (udp_send(s->config.socket, &to, data, train.len, m->segment, m->ecn))
            outcome = RELAY_OUTCOME_UNSENT;
    }
    count(s, outcome, train.len, m->segment);
    if (outcome == RELAY_PASS) {
        metrics_add_many(&s->config.metrics->bytes, train.len);
        metrics_add(&s->config.metrics->trains);
    }
    return train.len;
}

static void on_message(struct relay_server *s, const struct udp_message *m)
{
    for (size_t at = 0, len; at < m->len; at += len) {
        len = m->len - at < m->segment ? m->len - at : m->segment;
        if (len > ENVELOPE_LEN && m->data[at + 1] == ENVELOPE_MESSAGE)
            on_bind(s, m, m->data + at, len);
        else
            len = on_train(s, m, at);
    }
}

/* ---- the thread ---- */

static void show_channels(struct relay_server *s)
{
    atomic_store_explicit(&s->config.metrics->channels, relay_desk_count(s->desk), memory_order_relaxed);
}

static void expire(struct relay_server *s)
{
    struct node_id ends[2];
    bool ended = true;
    while (ended) {
        ended = relay_desk_expire(s->desk, s->now_us, ends);
        show_channels(s);
        if (!ended)
            return;
        metrics_add(&s->config.metrics->expired);
        tell(s, "not used any longer", &ends[0], &ends[1], NULL);
    }
}

static int serve(struct relay_server *s)
{
    uint64_t overflow = 0;
    int received = udp_receive(s->config.socket, s->batch, s->messages, &overflow);
    s->now_us = clock_monotonic_us();
    metrics_add_many(&s->config.metrics->overflows, overflow);
    for (int i = 0; i < received; i++)
        on_message(s, &s->messages[i]);
    relay_desk_press(s->desk, overflow ? 100 : udp_waiting(s->config.socket, s->batch));
    return received;
}

static void *run(void *context)
{
    struct relay_server *s = context;
    struct pollfd fds[] = {{.fd = s->config.socket->fd, .events = POLLIN}, {.fd = s->stop, .events = POLLIN}};
    uint64_t expired_us = 0;
    while (!(fds[1].revents & POLLIN)) {
        if (serve(s) <= 0)
            poll(fds, 2, TICK_MS);
        if (s->now_us - expired_us < TICK_MS * USEC_PER_MSEC)
            continue;
        expired_us = s->now_us;
        expire(s);
        poll(fds + 1, 1, 0);
    }
    return NULL;
}

/* ---- what the uplink thread asks ---- */

uint16_t relay_server_port(const struct relay_server *s)
{
    return s->config.socket->port;
}

int relay_server_open(struct relay_server *s, const struct node_id ends[2], uint64_t now_us,
                      struct relay_grant *out)
{
    int err = relay_desk_open(s->desk, ends, now_us, out);
    show_channels(s);
    metrics_add(err ? &s->config.metrics->refused : &s->config.metrics->granted);
    return err;
}

void relay_server_close(struct relay_server *s, const struct node_id ends[2], uint64_t now_us)
{
    relay_desk_close(s->desk, ends, now_us);
    show_channels(s);
}

/* ---- start and stop ---- */

static void free_all(struct relay_server *s)
{
    if (s->stop >= 0)
        close(s->stop);
    udp_batch_free(s->batch);
    relay_desk_free(s->desk);
    free(s);
}

int relay_server_start(const struct relay_server_config *config, struct relay_server **out)
{
    struct relay_server *s = calloc(1, sizeof(*s));
    const struct relay_desk_config desk = {{config->relay_mbit * MBIT_BYTES, CHANNELS_MAX, secret_source},
                                           config->rates};
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    s->stop = eventfd(0, EFD_CLOEXEC);
    int err = s->stop < 0 ? ERR_IO : relay_desk_new(&desk, &s->desk);
    if (!err)
        err = udp_batch_new(&s->batch);
    if (!err && pthread_create(&s->thread, NULL, run, s) != 0)
        err = ERR_NOMEM;
    if (err)
        free_all(s);
    else
        *out = s;
    return err;
}

void relay_server_stop(struct relay_server *s)
{
    if (!s)
        return;
    eventfd_write(s->stop, 1);
    pthread_join(s->thread, NULL);
    free_all(s);
}
