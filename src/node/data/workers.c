/* SPDX-License-Identifier: Apache-2.0 */
/* What is shared is made before the first thread, and freed after the last. */

#include "node/data/workers.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "node/data/bulk.h"
#include <stdlib.h>

#define ADDRESSES_MAX 65536              /* of the switch */
#define PRESSED_US    (2 * USEC_PER_SEC) /* what a burst was about may still be missing in what peers compare */
#define AGE_US        (10 * USEC_PER_SEC) /* a sweep reads the switch's whole table, 2 MB */

static int make_shared(struct workers *w, const struct workers_config *c)
{
    int err = switch_new(c->peers_max, ADDRESSES_MAX, &secret_source, &w->sw);
    if (!err) {
        switch_pass_bpdus(w->sw, c->pass_bpdus);
        switch_local(w->sw, c->mac, clock_monotonic_us());
        err = fwd_new(&w->fwd);
    }
    w->bulk = calloc(1, sizeof(*w->bulk));
    if (!err && !w->bulk)
        err = ERR_NOMEM;
    return err ? err : reassembly_new(c->count, &w->reassembly);
}

static struct carrier_ports ports_of(const struct workers_config *c, unsigned i)
{
    struct carrier_ports ports = carrier_ports_of(&c->sockets[i]);
    ports.sides = c->sides;
    for (unsigned j = 0; j < CARRIER_CHANNELS; j++)
        if (c->channels[j])
            ports.channels[j] = c->channels[j][i];
    return ports;
}

int workers_start(struct workers *w, const struct workers_config *c)
{
    int err = make_shared(w, c);
    for (unsigned i = 0; !err && i < c->count; i++) {
        const struct worker_config config = {.index = i,
                                             .workers = c->count,
                                             .tap_queues = c->tap->queues,
                                             .tap_offloads = c->tap->offloads,
                                             .tap_plain = c->tap->plain,
                                             .neigh = c->neigh,
                                             .ports = ports_of(c, i),
                                             .sw = w->sw,
                                             .fwd = w->fwd,
                                             .desk = c->desk,
                                             .reassembly = w->reassembly,
                                             .bulk = w->bulk,
                                             .profile = c->profile,
                                             .traces = c->traces,
                                             .wake = c->wake,
                                             .context = c->context};
        err = worker_start(&config, &w->list[i]);
        w->count += err == 0;
    }
    return err;
}

void workers_stop(struct workers *w)
{
    for (unsigned i = 0; i < w->count; i++)
        worker_stop(w->list[i]);
    w->count = 0;
}

void workers_fini(struct workers *w)
{
    reassembly_free(w->reassembly);
    free(w->bulk);
    fwd_free(w->fwd);
    switch_free(w->sw);
}

int workers_watch_side(const struct workers *w, unsigned number)
{
    return worker_watch_side(w->list[number % w->count], number);
}

bool workers_inject(const struct workers *w, uint32_t worker, const struct virtio_net_hdr *vnet,
                    const uint8_t *frame, size_t len)
{
    return w->count > 0 &&
           worker_inject(w->list[worker < w->count ? worker : w->count - 1], vnet, frame, len);
}

void workers_trace(const struct workers *w, unsigned traces)
{
    for (unsigned i = 0; i < w->count; i++)
        worker_trace(w->list[i], traces);
}

unsigned workers_bulk(const struct workers *w)
{
    return w->count - (w->count > 1);
}

bool workers_take_events(const struct workers *w, unsigned max,
                         void (*handler)(void *context, const struct worker_event *e), void *context)
{
    bool more = false;
    for (unsigned i = 0; i < w->count; i++)
        more |= worker_take_events(w->list[i], max, handler, context);
    return more;
}

void workers_tick(struct workers *w, const uint8_t mac[6], uint64_t now_us)
{
    switch_local(w->sw, mac, now_us);
    if (now_us - w->aged_us < AGE_US)
        return;
    w->aged_us = now_us;
    switch_age(w->sw, now_us);
}

static uint64_t relaxed(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t workers_dropped(const struct workers *w, enum drop why)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->count; i++)
        sum += relaxed(&worker_counters(w->list[i])->drops[why]);
    return sum;
}

bool workers_pressed(struct workers *w, uint64_t now_us)
{
    uint64_t before = w->missed;
    w->missed = workers_dropped(w, DROP_OVERLOAD);
    for (unsigned i = 0; i < w->count; i++)
        w->missed += relaxed(&worker_counters(w->list[i])->socket_overflows);
    if (w->missed != before)
        w->pressed_until_us = now_us + PRESSED_US;
    return now_us < w->pressed_until_us;
}

struct workers_frames workers_frames(const struct workers *w)
{
    struct workers_frames sum = {0};
    for (unsigned i = 0; i < w->count; i++) {
        const struct worker_counters *c = worker_counters(w->list[i]);
        sum.from_device += relaxed(&c->tap_rx_frames);
        sum.bytes_from_device += relaxed(&c->tap_rx_bytes);
        sum.to_device += relaxed(&c->tap_tx_frames);
        sum.bytes_to_device += relaxed(&c->tap_tx_bytes);
    }
    return sum;
}

struct workers_relayed workers_relayed(const struct workers *w)
{
    struct workers_relayed sum = {0};
    for (unsigned i = 0; i < w->count; i++) {
        sum.bytes += relaxed(&worker_counters(w->list[i])->relayed_bytes);
        sum.trains += relaxed(&worker_counters(w->list[i])->relayed_trains);
    }
    return sum;
}

void workers_profile_log(const struct workers *w)
{
    for (unsigned i = 0; i < w->count; i++)
        worker_profile_log(w->list[i]);
}
