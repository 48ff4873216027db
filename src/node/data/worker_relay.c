/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is opened, copied or queued: what the socket does not take is lost, as a relay is to have no queue. */

#include "node/data/worker_relay.h"

#include "node/data/worker_impl.h"
#include "proto/relay/relay_desk.h"
#include <assert.h>

static_assert(RELAY_TRAIN_DATAGRAMS <= UDP_SEGMENTS_MAX, "a train is one call");

static enum drop drop_of(enum relay_verdict verdict)
{
    switch (verdict) {
    case RELAY_PASS:
        return DROP_NONE;
    case RELAY_SHARE:
    case RELAY_SOURCE_RATE:
    case RELAY_RATE:
    case RELAY_BIND_RATE:
        return DROP_RELAY_RATE;
    case RELAY_ANSWER:
    case RELAY_MALFORMED:
    case RELAY_NESTED:
    case RELAY_UNKNOWN:
    case RELAY_SOURCE:
    case RELAY_UNBOUND:
    case RELAY_FORGED:
    case RELAY_REPLAYED:
    case RELAY_VERDICTS:
        break;
    }
    return DROP_RELAY;
}

static enum drop send_on(struct worker *w, const struct udp_message *m, const uint8_t *data,
                         const struct relay_train *train)
{
    struct udp_remote to;
    udp_remote_init(w->config.ports.udp, &train->to.local, &train->to.remote, &to);
    if (udp_send(w->config.ports.udp, &to, data, train->len, m->segment, m->ecn))
        return DROP_SEND;
    worker_count(&w->counters.relayed_bytes, train->len);
    worker_count(&w->counters.relayed_trains, 1);
    return DROP_NONE;
}

bool worker_relay_pass(struct worker *w, const struct udp_message *m, uint8_t *data, size_t *len,
                       enum drop *drop)
{
    struct relay_train train;
    size_t left = m->len - (size_t)(data - m->data);
    enum relay_verdict verdict =
        relay_desk_pass(w->config.desk, &m->from, data, left, m->segment, w->now_us, &train);
    if (verdict == RELAY_UNKNOWN)
        return false;
    *drop = drop_of(verdict);
    if (!*drop)
        *drop = send_on(w, m, data, &train);
    *len = train.len;
    uint64_t behind = (train.len + m->segment - 1) / m->segment - 1;
    worker_count(&w->counters.udp_rx_datagrams, behind);
    if (*drop)
        worker_drop(w, *drop, behind);
    return true;
}
