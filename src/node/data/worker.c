/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's thread: start, the loop that alternates between the two directions, what it tells the control
 * thread, stop. The directions themselves are worker_out.c and worker_in.c.
 *
 *   epoll ──▶ read the clock, a quiescent state ──▶ one batch of UDP → TAP ──▶ one of TAP → UDP ──┐
 *     ▲                                                                                      wake control │
 *     └───────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Each batch is bounded, so neither direction starves the other, and what is left keeps epoll awake. */

#include "node/data/worker_impl.h"
#include "node/data/worker_in.h"
#include "node/data/worker_out.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "proto/neigh/neigh_view.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct bucket_rate event_rate = {100 * USEC_PER_MSEC, 1};
static const struct bucket_rate trace_rate = {100 * USEC_PER_MSEC, 10};

enum source { SOURCE_STOP, SOURCE_TAP, SOURCE_UDP, SOURCE_INJECTED, SOURCE_CHANNELS };

#define SOURCE_SIDES (SOURCE_CHANNELS + CARRIER_CHANNELS) /* and their numbers */
#define SOURCE_COUNT (SOURCE_SIDES + SIDES_MAX + 1)

/* ---- events to the control thread ---- */

bool worker_event(struct worker *w, const struct worker_event *event)
{
    struct worker_event *e = ring_reserve(w->events, sizeof(*e) + event->len);
    if (!e)
        return false;
    *e = *event;
    e->data = (uint8_t *)(e + 1);
    if (event->len)
        memcpy(e->data, event->data, event->len);
    ring_commit(w->events);
    w->event_added = true;
    return true;
}

void worker_tell_lanes(struct worker *w, struct session *s)
{
    const struct worker_event event = {.kind = WORKER_EVENT_LANES, .slot = session_peer_slot(s)};
    if (session_asks(s) && !worker_event(w, &event))
        session_ask_again(s);
}

/* The exchange orders the events before the flag: either control's clearing of it comes later and control
 * sees them, or the flag was clear and control is woken. */
static void wake_control(struct worker *w)
{
    if (!w->event_added)
        return;
    w->event_added = false;
    if (!atomic_exchange_explicit(&w->woken, true, memory_order_acq_rel))
        w->config.wake(w->config.context);
}

static void take_event(struct worker *w, const struct worker_event *e,
                       void (*handler)(void *context, const struct worker_event *e), void *context)
{
    handler(context, e);
    if ((e->kind == WORKER_EVENT_DATAGRAM || e->kind == WORKER_EVENT_NEIGHBOUR) && e->slot != WORKER_NO_PEER)
        intake_leave(w->intake, e->slot, e->len);
    ring_release(w->events);
}

bool worker_take_events(struct worker *w, unsigned max,
                        void (*handler)(void *context, const struct worker_event *e), void *context)
{
    size_t len;
    struct worker_event *e;
    (void)atomic_exchange_explicit(&w->woken, false, memory_order_acq_rel);
    while ((e = ring_peek(w->events, &len)) && max--)
        take_event(w, e, handler, context);
    return e != NULL;
}

bool worker_limit_pass(struct worker_limit limits[WORKER_LIMITS], uint32_t slot, uint64_t now_us)
{
    struct worker_limit *l = &limits[slot % WORKER_LIMITS];
    if (l->slot != slot)
        *l = (struct worker_limit){.slot = slot};
    return bucket_take(&l->bucket, &event_rate, 1, now_us);
}

void worker_trace_frame(struct worker *w, bool to_device, const struct switch_frame *frame, size_t len)
{
    struct worker_trace_limit *l = &w->trace_limits[to_device];
    if (!to_device && !fwd_ready_count(w->config.fwd))
        return; /* it goes nowhere */
    const struct worker_event event = {
        .kind = WORKER_EVENT_TRACE,
        .trace = {.to_device = to_device, .frame = *frame, .len = (uint32_t)len, .withheld = l->withheld}};
    bool told = bucket_take(&l->bucket, &trace_rate, 1, w->now_us) && worker_event(w, &event);
    l->withheld = told ? 0 : l->withheld + 1;
    unsigned left = l->left;
    if (told && left && left != WORKER_TRACES_ALL)
        (void)atomic_compare_exchange_strong(&l->left, &left, left - 1); /* unless it was set meanwhile */
}

void worker_trace(struct worker *w, unsigned traces)
{
    w->trace_limits[false].left = w->trace_limits[true].left = traces;
}

char *worker_trace_format(const struct worker_trace *trace, char out[WORKER_TRACE_MAX])
{
    char dst[MAC_TEXT_MAX], src[MAC_TEXT_MAX], vlan[16] = "", withheld[40] = "";
    if (trace->frame.vlan)
        (void)snprintf(vlan, sizeof(vlan), "vlan=%u, ", trace->frame.vlan);
    if (trace->withheld)
        (void)snprintf(withheld, sizeof(withheld), " (%u more not shown)", trace->withheld);
    (void)snprintf(out, WORKER_TRACE_MAX, "%s: EthernetFrame[dst=%s, src=%s, %stype=%04x, len=%u]%s",
                   trace->to_device ? "P2P→TAP" : "TAP→P2P", mac_format(trace->frame.dst, dst),
                   mac_format(trace->frame.src, src), vlan, trace->frame.type, trace->len, withheld);
    return out;
}

bool worker_inject(struct worker *w, const struct virtio_net_hdr *vnet, const uint8_t *frame, size_t len)
{
    const uint64_t one = 1;
    struct worker_injected *in = ring_reserve(w->injected, sizeof(*in) + len);
    if (!in)
        return false;
    in->vnet = *vnet;
    memcpy(in->frame, frame, len);
    ring_commit(w->injected);
    (void)!write(w->inject, &one, sizeof(one));
    return true;
}

/* ---- the loop ---- */

/* The TAP was removed under us. It would keep epoll awake for ever. */
static void device_gone(struct worker *w)
{
    (void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, worker_tap(w), NULL);
    (void)worker_event(w, &(struct worker_event){.kind = WORKER_EVENT_DEVICE_GONE});
}

/* Whose other end is gone for good, which the control thread tells, would keep epoll awake, too. */
static bool channel_round(struct worker *w, unsigned channel)
{
    bool delivered = false;
    if (worker_channel_round(w, channel, &delivered))
        (void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->config.ports.channels[channel], NULL);
    return delivered;
}

/* As bulk.h counts it. Datagrams count whether anybody of ours sealed them or not. */
static uint64_t carried(const struct worker *w)
{
    const struct worker_counters *c = &w->counters;
    return atomic_load_explicit(&c->tap_rx_bytes, memory_order_relaxed) +
           atomic_load_explicit(&c->tap_tx_bytes, memory_order_relaxed) +
           atomic_load_explicit(&c->relayed_bytes, memory_order_relaxed) +
           BULK_FRAME_BYTES * (atomic_load_explicit(&c->tap_rx_frames, memory_order_relaxed) +
                               atomic_load_explicit(&c->udp_rx_datagrams, memory_order_relaxed));
}

/* Of the side sockets, those that are ready. */
static bool sides_round(struct worker *w, const struct epoll_event *ready, int count)
{
    bool delivered = false;
    for (int i = 0; i < count; i++)
        if (ready[i].data.u32 > SOURCE_SIDES)
            delivered |= worker_in_round(w, (uint8_t)(ready[i].data.u32 - SOURCE_SIDES));
    return delivered;
}

/* False when it is time to stop. */
static bool round_of(struct worker *w, const struct epoll_event *ready, int count)
{
    bool is_ready[SOURCE_SIDES + 1] = {false};
    for (int i = 0; i < count; i++)
        is_ready[ready[i].data.u32 < SOURCE_SIDES ? ready[i].data.u32 : SOURCE_SIDES] = true;
    if (is_ready[SOURCE_STOP])
        return false;
    fwd_worker_quiesce(w->config.fwd);
    w->now_us = clock_monotonic_us();
    /* What this machine answers to what was delivered is in the TAP's queue by now: the kernel's own answers,
     * such as acknowledgements, need no process. */
    w->overloaded = false;
    bool answered = is_ready[SOURCE_UDP] && worker_in_round(w, 0);
    if (is_ready[SOURCE_SIDES])
        answered |= sides_round(w, ready, count);
    for (unsigned i = 0; i < CARRIER_CHANNELS; i++)
        if (is_ready[SOURCE_CHANNELS + i])
            answered |= channel_round(w, i);
    if ((is_ready[SOURCE_TAP] || answered) && worker_out_round(w))
        device_gone(w);
    if (is_ready[SOURCE_INJECTED])
        worker_out_injected(w);
    if (w->boost.permitted)
        boost_round(&w->boost, w->now_us, carried(w), w->overloaded);
    wake_control(w);
    return true;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct epoll_event ready[SOURCE_COUNT];
    int count;
    boost_begin(&w->boost, &w->config.bulk->seen_us);
    fwd_worker_enter(w->config.fwd);
    do {
        fwd_worker_offline(w->config.fwd);
        count = epoll_wait(w->epoll, ready, SOURCE_COUNT, -1);
        fwd_worker_online(w->config.fwd);
    } while (round_of(w, ready, count));
    fwd_worker_leave(w->config.fwd);
    return NULL;
}

/* ---- start and stop ---- */

static int watch(struct worker *w, int fd, unsigned source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) ? ERR_IO : 0;
}

/* What is closed is watched no longer. */
int worker_watch_side(struct worker *w, unsigned number)
{
    const struct udp_socket *s = sides_socket(w->config.ports.sides, number);
    return s ? watch(w, s->fd, SOURCE_SIDES + number) : 0;
}

static int open_injected(struct worker *w)
{
    w->headroom = NEIGH_HEADROOM;
    w->inject = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->inject < 0)
        return ERR_IO;
    int err = ring_new(EVENT_RING, &w->injected);
    return err ? err : watch(w, w->inject, SOURCE_INJECTED);
}

static int open_descriptors(struct worker *w)
{
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->epoll < 0 || w->stop < 0)
        return ERR_IO;
    int err = watch(w, w->stop, SOURCE_STOP);
    if (!err)
        err = watch(w, worker_tap(w), SOURCE_TAP);
    if (!err)
        err = watch(w, w->config.ports.udp->fd, SOURCE_UDP);
    if (!err && w->config.neigh)
        err = open_injected(w);
    for (unsigned i = 0; !err && i < CARRIER_CHANNELS; i++)
        if (w->config.ports.channels[i] >= 0)
            err = watch(w, w->config.ports.channels[i], SOURCE_CHANNELS + i);
    return err;
}

static int make_buffers(struct worker *w)
{
    w->frame = malloc(OFFLOAD_FRAME_MAX);
    uint8_t *room = malloc(ENDPOINT_ENVELOPE_MAX + WIRE_DATAGRAM_MAX);
    w->send = room ? room + ENDPOINT_ENVELOPE_MAX : NULL;
    if (!w->frame || !w->send)
        return ERR_NOMEM;
    bool channels = false;
    for (unsigned i = 0; i < CARRIER_CHANNELS; i++)
        channels |= w->config.ports.channels[i] >= 0;
    if (channels && !(w->message = malloc(UPLINK_MESSAGE_MAX)))
        return ERR_NOMEM;
    if (w->config.profile && !(w->profile = calloc(1, sizeof(*w->profile))))
        return ERR_NOMEM;
    int err = udp_batch_new(&w->batch);
    if (!err)
        err = overload_new(&w->overload);
    if (!err)
        err = intake_new(&w->intake);
    return err ? err : ring_new(EVENT_RING, &w->events);
}

static void free_worker(struct worker *w)
{
    if (w->epoll >= 0)
        close(w->epoll);
    if (w->stop >= 0)
        close(w->stop);
    if (w->inject >= 0)
        close(w->inject);
    ring_free(w->injected);
    ring_free(w->events);
    intake_free(w->intake);
    overload_free(w->overload);
    udp_batch_free(w->batch);
    free(w->profile);
    if (w->send)
        free(w->send - ENDPOINT_ENVELOPE_MAX);
    free(w->message);
    free(w->frame);
    free(w);
}

/* Signals are the control thread's. */
static int start_thread(struct worker *w)
{
    sigset_t all, before;
    char name[16];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return ERR_NOMEM;
    (void)snprintf(name, sizeof(name), "worker%u", w->config.index);
    (void)pthread_setname_np(w->thread, name);
    return 0;
}

int worker_start(const struct worker_config *config, struct worker **out)
{
    size_t size = (sizeof(struct worker) + 63) & ~(size_t)63;
    struct worker *w = aligned_alloc(64, size);
    if (!w)
        return ERR_NOMEM;
    memset(w, 0, size);
    w->config = *config;
    worker_trace(w, config->traces);
    w->epoll = w->stop = w->inject = -1;
    backlog_init(&w->backlog);
    int err = make_buffers(w);
    if (!err)
        err = open_descriptors(w);
    if (!err)
        err = start_thread(w);
    if (err)
        free_worker(w);
    else
        *out = w;
    return err;
}

void worker_stop(struct worker *w)
{
    if (!w)
        return;
    uint64_t one = 1;
    (void)!write(w->stop, &one, sizeof(one));
    pthread_join(w->thread, NULL);
    free_worker(w);
}

/* ---- figures ---- */

const struct worker_counters *worker_counters(const struct worker *w)
{
    return &w->counters;
}

static void log_histogram(const char *name, unsigned index, const struct profile_histogram *h,
                          struct profile_mark *mark)
{
    char text[PROFILE_TEXT_MAX];
    struct profile_summary s = profile_take(h, mark);
    if (s.count)
        log_info("[%s] worker=%u %s", name, index, profile_format(&s, text));
}

void worker_profile_log(struct worker *w)
{
    struct worker_profile *p = w->profile;
    if (!p)
        return;
    log_histogram("PROFILE-UDP-SEND", w->config.index, &p->udp_send, &p->udp_send_mark);
    log_histogram("PROFILE-UDP-RECV", w->config.index, &p->udp_recv, &p->udp_recv_mark);
    log_histogram("PROFILE-TAP-UDP", w->config.index, &p->tap_udp, &p->tap_udp_mark);
}
