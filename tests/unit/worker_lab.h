/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole data workers without root, for test_worker*.c: the TAP queue is one end of a socket pair (a virtio
 * header and a frame per message, as the kernel's), the underlay is loopback, sessions share a root.
 *
 *   test ──socketpair──▶ worker A ──UDP on 127.0.0.1──▶ worker B ──socketpair──▶ test
 */

#include "base/clock.h"
#include "crypto/secret.h"
#include "frame/flow.h"
#include "frame/offload.h"
#include "node/data/bulk.h"
#include "node/data/worker.h"
#include "proto/switch/floods.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define LAB_TIMEOUT_MS 20000
#define LAB_PEERS      4
#define LAB_SIZE       1472
#define LAB_FRAME_MAX  OFFLOAD_FRAME_MAX

struct lab_node {
    unsigned workers;
    int tap[WORKER_MAX], tap_test[WORKER_MAX]; /* the worker's end, ours */
    struct udp_socket socket[WORKER_MAX];
    struct switch_table *sw;
    struct fwd *fwd;
    struct reassembly *reassembly;
    const struct neigh_view *neigh; /* NULL: its device has a link layer; not the lab's to free */
    bool plain;                     /* its device's frames have no virtio header */
    struct relay_desk *desk;        /* NULL: it relays for nobody; not the lab's to free */
    struct bulk bulk;
    bool carries_much;
    struct worker *worker[WORKER_MAX];
    int woken[2]; /* a pipe: one byte per wake */
    struct session *tx[LAB_PEERS], *rx[LAB_PEERS];
    struct addr remote[LAB_PEERS];
    uint16_t size[LAB_PEERS];
    uint8_t envelope[LAB_PEERS];
    bool sleeps[LAB_PEERS];
    struct sides *sides;     /* NULL: none; not the lab's to close */
    uint8_t side[LAB_PEERS]; /* by which of them a peer is reached; 0: by the port's socket */
    bool by_uplink;          /* all peers are reached by it: */
    int uplink;              /* of the first worker, when by_uplink */
};

struct lab_frame {
    struct virtio_net_hdr vnet;
    uint8_t data[LAB_FRAME_MAX];
    size_t len;
};

static inline void lab_wake(void *context)
{
    struct lab_node *n = context;
    (void)!write(n->woken[1], "w", 1);
}

static inline struct addr lab_address(const struct udp_socket *s)
{
    return (struct addr){.family = 4, .port = s->port, .ip = {127, 0, 0, 1}};
}

static inline void lab_set_buffers(int fd)
{
    int size = 4 << 20;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static inline void lab_node_open_lanes(struct lab_node *n, unsigned workers)
{
    int pair[2];
    *n = (struct lab_node){.workers = workers};
    for (unsigned i = 0; i < workers; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
        n->tap[i] = pair[0];
        n->tap_test[i] = pair[1];
        lab_set_buffers(pair[0]);
        lab_set_buffers(pair[1]);
    }
    assert_int_equal(pipe(n->woken), 0);
    assert_int_equal(udp_open(0, workers, n->socket), 0);
    assert_int_equal(switch_new(LAB_PEERS, 1024, &secret_source, &n->sw), 0);
    assert_int_equal(fwd_new(&n->fwd), 0);
    assert_int_equal(reassembly_new(workers, &n->reassembly), 0);
}

static inline void lab_node_open(struct lab_node *n)
{
    lab_node_open_lanes(n, 1);
}

static inline void lab_node_start(struct lab_node *n, unsigned traces, bool profile)
{
    struct worker_config config = {.workers = n->workers,
                                   .tap_queues = n->tap,
                                   .tap_offloads = n->plain ? 0 : OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO,
                                   .tap_plain = n->plain,
                                   .neigh = n->neigh,
                                   .sw = n->sw,
                                   .fwd = n->fwd,
                                   .desk = n->desk,
                                   .reassembly = n->reassembly,
                                   .bulk = &n->bulk,
                                   .traces = traces,
                                   .profile = profile,
                                   .wake = lab_wake,
                                   .context = n};
    for (unsigned i = 0; i < n->workers; i++) {
        config.index = i;
        config.ports = carrier_ports_of(&n->socket[i]);
        config.ports.sides = n->sides;
        if (n->by_uplink && i == 0)
            config.ports.channels[0] = n->uplink;
        assert_int_equal(worker_start(&config, &n->worker[i]), 0);
    }
}

/* From now on all flows are bulk flows to it, or none is yet. */
static inline void lab_flows_are(struct lab_node *n, bool bulk)
{
    n->carries_much = bulk;
    for (unsigned i = 0; i < BULK_FLOWS; i++) {
        atomic_store(&n->bulk.flows[i].carried, 0);
        atomic_store(&n->bulk.flows[i].until_us, bulk ? UINT64_MAX : 0);
    }
}

/* The workers go first: nothing may still be read by them. */
static inline void lab_node_close(struct lab_node *n)
{
    for (unsigned i = 0; i < n->workers; i++)
        worker_stop(n->worker[i]);
    reassembly_free(n->reassembly);
    fwd_free(n->fwd);
    switch_free(n->sw);
    udp_close(n->socket, n->workers);
    for (unsigned i = 0; i < LAB_PEERS; i++) {
        session_free(n->tx[i]);
        if (n->rx[i] != n->tx[i])
            session_free(n->rx[i]);
    }
    for (unsigned i = 0; i < n->workers; i++) {
        close(n->tap[i]);
        close(n->tap_test[i]);
    }
    close(n->woken[0]);
    close(n->woken[1]);
}

static inline void lab_publish(struct lab_node *n)
{
    for (unsigned i = 0; i < LAB_PEERS; i++) {
        struct fwd_peer p = {.slot = i,
                             .tx = n->tx[i],
                             .has_path = true,
                             .sleeps = n->sleeps[i],
                             .endpoint = endpoint_side(&n->remote[i], n->side[i]),
                             .size = n->size[i]};
        if (n->by_uplink)
            p.endpoint = endpoint_uplink(0, &(struct node_id){{(uint8_t)i}});
        assert_int_equal(carrier_remote_init(n->socket, &p.endpoint, &p.to), 0);
        p.to.envelope = n->envelope[i];
        assert_int_equal(fwd_set(n->fwd, i, n->tx[i] ? &p : NULL, &n->rx[i], n->rx[i] != NULL), 0);
    }
    fwd_settle(n->fwd, false);
}

/* Two sessions from one root, a pair: a's receiver index is b's transmit index, and its lanes b's to open. The
 * indices end with the slots, as a node's do. */
static inline void lab_sessions_lanes(uint32_t slot_at_a, unsigned lanes_of_a, uint32_t slot_at_b,
                                      unsigned lanes_of_b, const struct session_limits *limits,
                                      struct session **a, struct session **b)
{
    uint8_t root[KDF_LEN];
    struct session_config config = {.suite = AEAD_AES_256_GCM,
                                    .tx_lanes = (uint8_t)lanes_of_a,
                                    .rx_lanes = (uint8_t)lanes_of_b,
                                    .sparse = true,
                                    .limits = limits};
    secret_random(root, sizeof(root));
    secret_random(&config.rx_index, sizeof(config.rx_index));
    secret_random(&config.tx_index, sizeof(config.tx_index));
    config.rx_index = (config.rx_index & ~0xffu) | slot_at_a;
    config.tx_index = (config.tx_index & ~0xffu) | slot_at_b;
    config.initiator = true;
    config.peer_slot = slot_at_a;
    assert_int_equal(session_new(&config, root, a), 0);
    uint32_t swap = config.rx_index;
    config.rx_index = config.tx_index;
    config.tx_index = swap;
    config.tx_lanes = (uint8_t)lanes_of_b;
    config.rx_lanes = (uint8_t)lanes_of_a;
    config.initiator = false;
    config.peer_slot = slot_at_b;
    assert_int_equal(session_new(&config, root, b), 0);
}

static inline void lab_sessions(uint32_t slot_at_a, uint32_t slot_at_b, const struct session_limits *limits,
                                struct session **a, struct session **b)
{
    lab_sessions_lanes(slot_at_a, 1, slot_at_b, 1, limits, a, b);
}

/* Makes node b the peer slot_at_a of node a, and the reverse; the caller publishes. */
static inline void lab_connect(struct lab_node *a, uint32_t slot_at_a, struct lab_node *b, uint32_t slot_at_b,
                               uint16_t size)
{
    lab_sessions_lanes(slot_at_a, a->workers, slot_at_b, b->workers, NULL, &a->tx[slot_at_a],
                       &b->tx[slot_at_b]);
    a->rx[slot_at_a] = a->tx[slot_at_a];
    b->rx[slot_at_b] = b->tx[slot_at_b];
    a->remote[slot_at_a] = lab_address(b->socket);
    b->remote[slot_at_b] = lab_address(a->socket);
    a->size[slot_at_a] = b->size[slot_at_b] = size;
}

/* A frame enters the device, where the kernel chose this queue for it. */
static inline void lab_put_at(struct lab_node *n, unsigned queue, const struct lab_frame *f)
{
    int fd = n->tap_test[queue];
    size_t header = n->plain ? 0 : sizeof(f->vnet);
    struct iovec iov[] = {{(void *)&f->vnet, header}, {(void *)f->data, f->len}};
    ssize_t sent;
    while ((sent = writev(fd, iov, 2)) < 0 && errno == EAGAIN) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    }
    assert_int_equal(sent, header + f->len);
}

static inline void lab_put(struct lab_node *n, const struct lab_frame *f)
{
    lab_put_at(n, 0, f);
}

/* The next frame that leaves the device through a queue. */
static inline void lab_get_at(struct lab_node *n, unsigned queue, struct lab_frame *f)
{
    struct pollfd p = {.fd = n->tap_test[queue], .events = POLLIN};
    assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    size_t header = n->plain ? 0 : sizeof(f->vnet);
    struct iovec iov[] = {{&f->vnet, header}, {f->data, sizeof(f->data)}};
    ssize_t got = readv(p.fd, iov, 2);
    assert_true(got > (ssize_t)header);
    f->len = (size_t)got - header;
}

static inline void lab_get(struct lab_node *n, struct lab_frame *f)
{
    lab_get_at(n, 0, f);
}

static inline bool lab_has_frame(struct lab_node *n)
{
    struct pollfd p[WORKER_MAX];
    for (unsigned i = 0; i < n->workers; i++)
        p[i] = (struct pollfd){.fd = n->tap_test[i], .events = POLLIN};
    return poll(p, n->workers, 0) > 0;
}

struct lab_taker {
    void (*handler)(void *context, const struct worker_event *e);
    void *context;
};

static inline void lab_take_event(void *context, const struct worker_event *e)
{
    const struct lab_taker *taker = context;
    if (e->kind != WORKER_EVENT_LANES)
        taker->handler(taker->context, e);
}

/* All that wait, but that lanes are used: sessions here are new, or their lanes not made on purpose. */
static inline void
lab_take_events(struct worker *w, void (*handler)(void *context, const struct worker_event *e), void *context)
{
    struct lab_taker taker = {handler, context};
    while (worker_take_events(w, 16, lab_take_event, &taker))
        continue;
}

/* Waits for the worker to wake us. */
static inline void lab_wait_wake(struct lab_node *n)
{
    char byte;
    struct pollfd p = {.fd = n->woken[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    assert_int_equal(read(n->woken[0], &byte, 1), 1);
}

/* An Ethernet frame of len bytes with a pattern that names it; hosts are numbered, 0xff is everybody. */
static inline void lab_frame_make(struct lab_frame *f, uint8_t dst, uint8_t src, size_t len, uint8_t seed)
{
    f->vnet = (struct virtio_net_hdr){0};
    f->len = len;
    for (size_t i = 0; i < len; i++)
        f->data[i] = (uint8_t)(i * 7 + seed);
    memcpy(f->data, (uint8_t[]){2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5}, 14);
    if (dst == 0xff)
        memset(f->data, 0xff, 6);
}

/* Such a frame to everybody as UDP over IPv4, of a flow of one of so many classes. */
static inline void lab_flow_make(struct lab_frame *f, unsigned class, unsigned classes, uint8_t src,
                                 size_t len, uint8_t seed)
{
    lab_frame_make(f, 0xff, src, len, seed);
    memcpy(f->data + 12, (uint8_t[]){8, 0, 0x45, 0}, 4);
    memset(f->data + 20, 0, 2); /* not a fragment */
    f->data[23] = 17;
    memcpy(f->data + 26, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 0}, 12);
    do
        f->data[37]++;
    while (flow_hash(f->data, len) % classes != class);
}

static inline void lab_assert_same(const struct lab_frame *a, const struct lab_frame *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

/* A worker counts a datagram after the kernel took it, so the other end may be ahead of the counter. */
static inline void lab_await(const _Atomic uint64_t *counter, uint64_t value)
{
    uint64_t deadline = clock_monotonic_us() + LAB_TIMEOUT_MS * USEC_PER_MSEC;
    while (atomic_load(counter) < value && clock_monotonic_us() < deadline)
        sched_yield();
    assert_int_equal(atomic_load(counter), value);
}

static inline uint64_t lab_count(const struct lab_node *n, enum drop reason)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n->workers; i++)
        sum += atomic_load_explicit(&worker_counters(n->worker[i])->drops[reason], memory_order_relaxed);
    return sum;
}

static inline uint64_t lab_drops(const struct lab_node *n)
{
    uint64_t sum = 0;
    for (int i = 1; i < DROP_COUNT; i++)
        sum += lab_count(n, (enum drop)i);
    return sum;
}
