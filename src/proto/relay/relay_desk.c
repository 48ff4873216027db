/* SPDX-License-Identifier: Apache-2.0 */
/* Books that are shared, and trains. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_desk.h"

#include "base/bucket.h"
#include "proto/admission/byte_rates.h"
#include "proto/admission/limits.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES           16384
#define BIND_INTERVAL_US  1000  /* messages of one source: 1,000 a second … */
#define BIND_BURST        8192  /* … and so many at once: a node may have 4,096 channels */
#define BINDS_INTERVAL_US 50    /* of all, on channels that there are: 20,000 a second … */
#define BINDS_BURST       16384 /* … and so many at once */

struct relay_desk {
    pthread_mutex_t lock; /* of what follows */
    struct relay *books;
    struct limits *binds;
    struct bucket all_binds;
    uint64_t now_us; /* the latest that a thread has told */
    struct byte_rates *rates;
};

/* Each thread looks at the clock by itself, and may wait for the lock since then: what is done with the books goes forward in time
 * all the same. */
static uint64_t lock_at(struct relay_desk *d, uint64_t now_us)
{
    pthread_mutex_lock(&d->lock);
    d->now_us = now_us > d->now_us ? now_us : d->now_us;
    return d->now_us;
}

int relay_desk_new(const struct relay_desk_config *config, struct relay_desk **out)
{
    struct relay_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_NOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->rates = config->rates;
    int err = relay_new(&config->books, &d->books);
    if (!err)
        err = limits_new(SOURCES, BIND_INTERVAL_US, BIND_BURST, &config->books.random, &d->binds);
    if (err)
        relay_desk_free(d);
    else
        *out = d;
    return err;
}

void relay_desk_free(struct relay_desk *d)
{
    if (!d)
        return;
    limits_free(d->binds);
    relay_free(d->books);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

int relay_desk_open(struct relay_desk *d, const struct node_id ends[2], uint64_t now_us,
                    struct relay_grant *out)
{
    now_us = lock_at(d, now_us);
    int err = relay_open(d->books, ends, now_us, out);
    pthread_mutex_unlock(&d->lock);
    return err;
}

void relay_desk_close(struct relay_desk *d, const struct node_id ends[2], uint64_t now_us)
{
    now_us = lock_at(d, now_us);
    relay_close(d->books, ends, now_us);
    pthread_mutex_unlock(&d->lock);
}

void relay_desk_serve(struct relay_desk *d, const struct node_id *id, bool on)
{
    pthread_mutex_lock(&d->lock);
    relay_serve(d->books, id, on);
    pthread_mutex_unlock(&d->lock);
}

bool relay_desk_expire(struct relay_desk *d, uint64_t now_us, struct node_id ends[2])
{
    now_us = lock_at(d, now_us);
    bool ended = relay_expire(d->books, now_us, ends);
    pthread_mutex_unlock(&d->lock);
    return ended;
}

void relay_desk_press(struct relay_desk *d, unsigned percent)
{
    pthread_mutex_lock(&d->lock);
    relay_press(d->books, percent);
    pthread_mutex_unlock(&d->lock);
}

bool relay_desk_has(struct relay_desk *d, uint32_t channel)
{
    pthread_mutex_lock(&d->lock);
    bool has = relay_has(d->books, channel);
    pthread_mutex_unlock(&d->lock);
    return has;
}

unsigned relay_desk_count(struct relay_desk *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned count = relay_count(d->books);
    pthread_mutex_unlock(&d->lock);
    return count;
}

/* Each costs some HMACs, of which whoever knows a channel's number, as its ends do, could want many. Called with the lock. */
static bool may_bind(struct relay_desk *d, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us)
{
    static const struct bucket_rate all = {BINDS_INTERVAL_US, BINDS_BURST};
    struct envelope e;
    if (limits_take(d->binds, from, 1, now_us))
        return false;
    return envelope_decode(data, len, &e) || !relay_has(d->books, e.channel) ||
           (relay_may_bind(d->books, e.channel, now_us) && bucket_take(&d->all_binds, &all, 1, now_us));
}

enum relay_verdict relay_desk_bind(struct relay_desk *d, const struct relay_hop *from, const uint8_t *data,
                                   size_t len, uint64_t now_us, uint8_t answer[RELAY_MESSAGE_LEN],
                                   struct relay_binding *out)
{
    enum relay_verdict verdict = RELAY_BIND_RATE;
    *out = (struct relay_binding){0};
    now_us = lock_at(d, now_us);
    if (may_bind(d, &from->remote, data, len, now_us))
        verdict = relay_bind(d->books, from, data, len, now_us, answer, out);
    pthread_mutex_unlock(&d->lock);
    return verdict;
}

size_t relay_train_len(const uint8_t *data, size_t left, size_t segment)
{
    segment = segment < left ? segment : left;
    size_t len = segment;
    if (segment <= ENVELOPE_LEN || data[1] != ENVELOPE_DATAGRAM)
        return segment;
    for (unsigned n = 1; n < RELAY_TRAIN_DATAGRAMS && left - len > ENVELOPE_LEN; n++) {
        size_t next = left - len < segment ? left - len : segment;
        if (memcmp(data + len, data, ENVELOPE_LEN) != 0 || data[len + ENVELOPE_LEN] == WIRE_RELAY ||
            len + next > RELAY_TRAIN_BYTES)
            break;
        len += next;
    }
    return len;
}

/* What a path is proven by goes before what flows on it. */
static bool is_urgent(const uint8_t *data)
{
    return data[ENVELOPE_LEN] == WIRE_PROBE || data[ENVELOPE_LEN] == WIRE_CONTROL;
}

static enum relay_verdict charge(struct relay_desk *d, const struct addr *from, size_t len, bool urgent,
                                 uint64_t now_us)
{
    switch (byte_rates_take(d->rates, from, len, urgent, now_us)) {
    case BYTE_RATES_PASS:
        return RELAY_PASS;
    case BYTE_RATES_SOURCE:
        return RELAY_SOURCE_RATE;
    case BYTE_RATES_ALL:
        return RELAY_RATE;
    }
    return RELAY_MALFORMED;
}

enum relay_verdict relay_desk_pass(struct relay_desk *d, const struct addr *from, const uint8_t *data,
                                   size_t left, size_t segment, uint64_t now_us, struct relay_train *out)
{
    size_t first = segment < left ? segment : left;
    out->len = relay_train_len(data, left, segment);
    if (out->len > RELAY_TRAIN_BYTES)
        return RELAY_MALFORMED; /* over IPv6 a little more comes in than one call sends */
    now_us = lock_at(d, now_us);
    enum relay_verdict verdict = relay_pass(d->books, from, data, first, out->len, now_us, &out->to);
    pthread_mutex_unlock(&d->lock);
    return verdict == RELAY_PASS ? charge(d, from, out->len, is_urgent(data), now_us) : verdict;
}
