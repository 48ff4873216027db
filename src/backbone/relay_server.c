/* SPDX-License-Identifier: Apache-2.0 */
/* Receive a batch, look at the head of each datagram, send on what goes one way in one call. Nothing is opened, copied or
 * queued. docs/PROTOCOL.md §17. */

#include "backbone/relay_server.h"

#include "backbone/uplink_rates.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "proto/admission/limits.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS           250
#define LOG_INTERVAL_US   100000 /* of lines about single channels, for -v */
#define SOURCES           16384
#define BIND_INTERVAL_US  1000  /* messages of one source: 1,000 a second … */
#define BIND_BURST        8192  /* … and so many at once: a node may have 4,096 channels */
#define BINDS_INTERVAL_US 50    /* of all, on channels that there are: 20,000 a second … */
#define BINDS_BURST       16384 /* … and so many at once */
#define MBIT_BYTES        125000ull
#define TRAIN_MAX         65507

struct relay_server {
    struct relay_server_config config;
    pthread_mutex_t lock; /* of the books */
    struct relay *books;
    struct limits *binds;
    struct bucket all_binds;
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

/* Each costs some HMACs, of which whoever knows a channel's number could want many. Called with the lock. */
static bool may_bind(struct relay_server *s, const uint8_t *data, size_t len)
{
    static const struct bucket_rate all = {BINDS_INTERVAL_US, BINDS_BURST};
    struct envelope e;
    return envelope_decode(data, len, &e) || !relay_has(s->books, e.channel) ||
           bucket_take(&s->all_binds, &all, 1, s->now_us);
}

static void on_bind(struct relay_server *s, const struct udp_message *m, const uint8_t *data, size_t len)
{
    const struct relay_hop from = {.local = m->local, .remote = m->from};
    struct relay_binding bound = {0};
    uint8_t answer[RELAY_MESSAGE_LEN];
    unsigned verdict = RELAY_OUTCOME_BIND_RATE;
    pthread_mutex_lock(&s->lock);
    if (limits_take(s->binds, &m->from, 1, s->now_us) == 0 && may_bind(s, data, len))
        verdict = relay_bind(s->books, &from, data, len, s->now_us, answer, &bound);
    pthread_mutex_unlock(&s->lock);
    count(s, verdict, len, len);
    if (verdict == RELAY_ANSWER)
        send_one(s, &from, answer, sizeof(answer));
    if (!bound.fresh)
        return;
    metrics_add(&s->config.metrics->bound);
    tell(s, "bound at ", &bound.end, &bound.other, &m->from);
}

/* ---- datagrams ---- */

/* How long the train is that begins there and goes one way: the kernel joins by address and size, whatever the channel. */
static size_t train_at(const struct udp_message *m, size_t at)
{
    const uint8_t *head = m->data + at;
    size_t left = m->len - at, segment = m->segment < left ? m->segment : left, len = segment;
    if (segment <= ENVELOPE_LEN || head[1] != ENVELOPE_DATAGRAM)
        return segment;
    for (unsigned n = 1; n < UDP_SEGMENTS_MAX && left - len > ENVELOPE_LEN; n++) {
        size_t next = left - len < segment ? left - len : segment;
        if (memcmp(head + len, head, ENVELOPE_LEN) != 0 || head[len + ENVELOPE_LEN] == WIRE_RELAY ||
            len + next > TRAIN_MAX)
            break;
        len += next;
    }
    return len;
}

/* What a path is proven by goes before what flows on it. */
static bool is_urgent(const uint8_t *head)
{
    return head[ENVELOPE_LEN] == WIRE_PROBE || head[ENVELOPE_LEN] == WIRE_CONTROL;
}

static unsigned judge(struct relay_server *s, const struct udp_message *m, const uint8_t *head, size_t len,
                      struct relay_hop *hop)
{
    size_t first = len < m->segment ? len : m->segment;
    pthread_mutex_lock(&s->lock);
    enum relay_verdict verdict = relay_pass(s->books, &m->from, head, first, len, s->now_us, hop);
    pthread_mutex_unlock(&s->lock);
    if (verdict != RELAY_PASS)
        return verdict;
    switch (uplink_rates_relay(s->config.rates, &m->from, len, is_urgent(head), s->now_us)) {
    case UPLINK_PASS:
        return RELAY_PASS;
    case UPLINK_PASS_SOURCE:
        return RELAY_OUTCOME_SOURCE_RATE;
    case UPLINK_PASS_ALL:
        return RELAY_OUTCOME_RELAY_RATE;
    }
    return RELAY_MALFORMED;
}

static void on_train(struct relay_server *s, const struct udp_message *m, uint8_t *head, size_t len)
{
    struct relay_hop hop;
    struct udp_remote to;
    unsigned outcome = judge(s, m, head, len, &hop);
    if (outcome == RELAY_PASS) {
        udp_remote_init(s->config.socket, &hop.local, &hop.remote, &to);
        if (udp_send(s->config.socket, &to, head, len, m->segment, m->ecn))
            outcome = RELAY_OUTCOME_UNSENT;
    }
    count(s, outcome, len, m->segment);
    if (outcome != RELAY_PASS)
        return;
    metrics_add_many(&s->config.metrics->bytes, len);
    metrics_add(&s->config.metrics->trains);
}

static void on_message(struct relay_server *s, const struct udp_message *m)
{
    for (size_t at = 0, len; at < m->len; at += len) {
        len = train_at(m, at);
        if (len > ENVELOPE_LEN && m->data[at + 1] == ENVELOPE_MESSAGE)
            on_bind(s, m, m->data + at, len);
        else
            on_train(s, m, m->data + at, len);
    }
}

/* ---- the thread ---- */

static void expire(struct relay_server *s)
{
    struct node_id ends[2];
    bool ended = true;
    while (ended) {
        pthread_mutex_lock(&s->lock);
        ended = relay_expire(s->books, s->now_us, ends);
        atomic_store_explicit(&s->config.metrics->channels, relay_count(s->books), memory_order_relaxed);
        pthread_mutex_unlock(&s->lock);
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
    unsigned percent = overflow ? 100 : udp_waiting(s->config.socket, s->batch);
    pthread_mutex_lock(&s->lock);
    relay_press(s->books, percent);
    pthread_mutex_unlock(&s->lock);
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
    pthread_mutex_lock(&s->lock);
    int err = relay_open(s->books, ends, now_us, out);
    atomic_store_explicit(&s->config.metrics->channels, relay_count(s->books), memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
    metrics_add(err ? &s->config.metrics->refused : &s->config.metrics->granted);
    return err;
}

void relay_server_close(struct relay_server *s, uint32_t channel)
{
    pthread_mutex_lock(&s->lock);
    relay_close(s->books, channel);
    atomic_store_explicit(&s->config.metrics->channels, relay_count(s->books), memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- start and stop ---- */

static void free_all(struct relay_server *s)
{
    if (s->stop >= 0)
        close(s->stop);
    udp_batch_free(s->batch);
    limits_free(s->binds);
    relay_free(s->books);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int relay_server_start(const struct relay_server_config *config, struct relay_server **out)
{
    struct relay_server *s = calloc(1, sizeof(*s));
    const struct relay_config books = {config->relay_mbit * MBIT_BYTES, secret_source};
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    pthread_mutex_init(&s->lock, NULL);
    s->stop = eventfd(0, EFD_CLOEXEC);
    int err = s->stop < 0 ? ERR_IO : relay_new(&books, &s->books);
    if (!err)
        err = limits_new(SOURCES, BIND_INTERVAL_US, BIND_BURST, &secret_source, &s->binds);
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
