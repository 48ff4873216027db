/* SPDX-License-Identifier: Apache-2.0 */
/* The trunks' thread. It never waits for a trunk or a worker: what one does not take in time is lost, so that no queue grows
 * beyond batch_queue.h's. docs/PROTOCOL.md §18.
 *
 *   control ── add, end ──▶ lists under a lock ──▶ ┌────────┐
 *   worker i ── batches ──▶ channel i ───────────▶ │ thread │ ──▶ queue ──▶ TCP
 *   worker i ◀── by lane and index ── channel i ── └────────┘ ◀────────── TCP
 *   control ◀── ended, by the loop ── list
 */

#include "node/carrier/trunks_impl.h"

#include "base/clock.h"
#include "node/helper/uplink_channel.h"
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ROUND_PACKETS 32 /* of one channel, before others have their turn */
#define EVENTS        64
#define SMALL_MAX     16384 /* a packet that is copied; a larger one keeps the buffer in which it came */
#define EXPIRE_MS     10

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void count_dropped(struct trunks *t, struct trunk *trunk)
{
    count(&t->backlog, trunk->queue.dropped);
    trunk->queue.dropped = 0;
}

/* ---- in: from trunks to workers ---- */

static void pass(void *context, const uint8_t head[UPLINK_BATCH_HEAD_LEN], const uint8_t *data, size_t len)
{
    struct trunks *t = context;
    const struct iovec pieces[] = {{(void *)head, UPLINK_BATCH_HEAD_LEN}, {(void *)data, len}};
    unsigned worker = uplink_channel_worker(data, len, t->config.workers);
    if (uplink_channel_send(t->mine[1 + worker], pieces, 2))
        count(&t->overload, uplink_batch_datagrams(head, len));
}

/* ---- a trunk's coming and going ---- */

static void wait_for_socket(struct trunks *t, struct trunk *trunk)
{
    trunk->waits_after = t->waiting;
    trunk->waits_at = &t->waiting;
    if (t->waiting)
        t->waiting->waits_at = &trunk->waits_after;
    t->waiting = trunk;
}

static void leave_waiting(struct trunk *trunk)
{
    if (!trunk->waits_at)
        return;
    *trunk->waits_at = trunk->waits_after;
    if (trunk->waits_after)
        trunk->waits_after->waits_at = trunk->waits_at;
    trunk->waits_at = NULL;
}

static int watch(struct trunks *t, struct trunk *trunk, int op)
{
    struct epoll_event e = {.events = trunk->writable ? EPOLLIN : EPOLLIN | EPOLLOUT,
                            .data.u64 = TRUNKS_SOURCE_TRUNK + trunk->conn};
    return epoll_ctl(t->epoll, op, trunk->fd, &e) ? ERR_IO : 0;
}

static int list_trunk(struct trunks *t, struct trunk *trunk)
{
    pthread_mutex_lock(&t->lock);
    int err = table_put(t->by_conn, trunk->conn, trunk);
    pthread_mutex_unlock(&t->lock);
    return err;
}

/* What waits for it is lost. */
static void remove_trunk(struct trunks *t, struct trunk *trunk)
{
    pthread_mutex_lock(&t->lock);
    table_remove(t->by_conn, trunk->conn);
    pthread_mutex_unlock(&t->lock);
    leave_waiting(trunk);
    (void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, trunk->fd, NULL);
    trunk_clear(trunk);
    count_dropped(t, trunk);
}

/* It has ended by itself: the control thread tells, and frees it, unless it has just ordered that. */
static void tell_ended(struct trunks *t, struct trunk *trunk)
{
    pthread_mutex_lock(&t->lock);
    if (!trunk->ordered) {
        trunk->next = t->ended;
        t->ended = trunk;
    }
    pthread_mutex_unlock(&t->lock);
    uv_async_send(&t->ended_async);
}

static void on_end(struct trunks *t, struct trunk *trunk, int err)
{
    if (err == ERR_FORMAT)
        count(&t->malformed, 1);
    remove_trunk(t, trunk);
    tell_ended(t, trunk);
}

static void take_in(struct trunks *t, struct trunk *trunk)
{
    int err = list_trunk(t, trunk);
    if (!err)
        err = watch(t, trunk, EPOLL_CTL_ADD);
    if (!err)
        err = trunk_parse(trunk, pass, t);
    if (err)
        on_end(t, trunk, err);
}

static void end_ordered(struct trunks *t, struct trunk *trunk)
{
    if (table_get(t->by_conn, trunk->conn) == trunk) {
        (void)!trunk_write(trunk, t->now_us);
        remove_trunk(t, trunk);
    }
    trunk_free(trunk);
}

void trunks_take_commands(struct trunks *t)
{
    pthread_mutex_lock(&t->lock);
    struct trunk *coming = t->coming, *ending = t->ending;
    t->coming = t->ending = NULL;
    pthread_mutex_unlock(&t->lock);
    for (struct trunk *next; coming; coming = next) {
        next = coming->next;
        take_in(t, coming);
    }
    for (struct trunk *next; ending; ending = next) {
        next = ending->next;
        end_ordered(t, ending);
    }
}

/* ---- out: from workers to trunks ---- */

/* Sends what it can; an error has ended it. One whose socket is full is looked at again when it is not, or when something is too old. */
static int push(struct trunks *t, struct trunk *trunk)
{
    bool before = trunk->writable;
    int err = trunk_write(trunk, t->now_us);
    count_dropped(t, trunk);
    if (err) {
        on_end(t, trunk, err);
    } else if (before && !trunk->writable) {
        (void)!watch(t, trunk, EPOLL_CTL_MOD);
        wait_for_socket(t, trunk);
    }
    return err;
}

static void on_writable(struct trunks *t, struct trunk *trunk)
{
    trunk->writable = true;
    leave_waiting(trunk);
    if (push(t, trunk) == 0 && trunk->writable)
        (void)!watch(t, trunk, EPOLL_CTL_MOD);
}

/* What comes right behind the order to take a trunk in may be seen before it. */
static struct trunk *trunk_of(struct trunks *t, const struct batch *b)
{
    uint64_t conn = trunk_named(b->bytes + UPLINK_BATCH_ID_AT);
    struct trunk *trunk = table_get(t->by_conn, conn);
    if (trunk)
        return trunk;
    trunks_take_commands(t);
    return table_get(t->by_conn, conn);
}

/* The packet in the spare buffer, as a batch of its own. NULL: no memory. */
static struct batch *take_spare(struct trunks *t, size_t len)
{
    struct batch *b = len > SMALL_MAX ? t->spare : batch_new(len);
    if (b == t->spare)
        t->spare = NULL;
    else if (b)
        memcpy(b->bytes, t->spare->bytes, len);
    if (b)
        b->len = len;
    return b;
}

static void on_packet(struct trunks *t, size_t len)
{
    if (len <= UPLINK_BATCH_HEAD_LEN)
        return;
    struct batch *b = take_spare(t, len);
    struct trunk *trunk = b ? trunk_of(t, b) : NULL;
    if (!trunk) {
        count(&t->backlog, b ? uplink_batch_datagrams(b->bytes, b->len - UPLINK_BATCH_HEAD_LEN) : 1);
        batch_free(b);
        return;
    }
    batch_queue_put(&trunk->queue, b, t->now_us);
    (void)!push(t, trunk);
}

static void take_packets(struct trunks *t, int fd)
{
    for (unsigned i = 0; i < ROUND_PACKETS; i++) {
        if (!t->spare && !(t->spare = batch_new(UPLINK_MESSAGE_MAX)))
            return; /* until there is memory */
        ssize_t len = uplink_channel_receive(fd, t->spare->bytes);
        if (len == ERR_AGAIN || len == ERR_CLOSED)
            return;
        if (len > 0)
            on_packet(t, (size_t)len);
    }
}

/* ---- the thread ---- */

static void on_trunk(struct trunks *t, uint64_t conn, uint32_t events)
{
    struct trunk *trunk = table_get(t->by_conn, conn);
    if (trunk && events & EPOLLOUT)
        on_writable(t, trunk);
    trunk = table_get(t->by_conn, conn);
    int err = trunk && events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? trunk_read(trunk, pass, t) : 0;
    if (err)
        on_end(t, trunk, err);
}

static void on_event(struct trunks *t, const struct epoll_event *e)
{
    uint64_t wakes;
    if (e->data.u64 == TRUNKS_SOURCE_COMMANDS)
        (void)!read(t->wake, &wakes, sizeof(wakes));
    else if (e->data.u64 < TRUNKS_SOURCE_TRUNK)
        take_packets(t, t->mine[e->data.u64 - TRUNKS_SOURCE_CHANNEL]);
    else
        on_trunk(t, e->data.u64 - TRUNKS_SOURCE_TRUNK, e->events);
}

/* Of those whose sockets are full, what is too old is lost now, not when they are not. */
static void expire(struct trunks *t)
{
    if (t->now_us - t->expired_us < EXPIRE_MS * USEC_PER_MSEC)
        return;
    t->expired_us = t->now_us;
    for (struct trunk *trunk = t->waiting; trunk; trunk = trunk->waits_after) {
        batch_queue_expire(&trunk->queue, t->now_us);
        count_dropped(t, trunk);
    }
}

void *trunks_run(void *arg)
{
    struct trunks *t = arg;
    struct epoll_event events[EVENTS];
    while (!atomic_load_explicit(&t->stop, memory_order_acquire)) {
        int n = epoll_wait(t->epoll, events, EVENTS, t->waiting ? EXPIRE_MS : -1);
        t->now_us = clock_monotonic_us();
        trunks_take_commands(t);
        take_packets(t, t->mine[0]); /* probes go first, also here */
        for (int i = 0; i < n; i++)
            on_event(t, &events[i]);
        expire(t);
    }
    for (unsigned i = 0; i <= t->config.workers; i++)
        take_packets(t, t->mine[i]); /* the last words */
    return NULL;
}
