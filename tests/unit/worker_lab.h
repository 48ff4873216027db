/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole data workers without root, for test_worker*.c: the TAP queue is one end of a socket pair (a virtio
 * header and a frame per message, as the kernel's), the underlay is loopback, sessions come from a shared
 * root.
 *
 *   test ──socketpair──▶ worker A ──UDP on 127.0.0.1──▶ worker B ──socketpair──▶ test
 */

#include "base/clock.h"
#include "crypto/secret.h"
#include "net/offload.h"
#include "node/worker.h"
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
    int tap, tap_test; /* the worker's end, ours */
    struct udp_socket socket;
    struct switch_table *sw;
    struct fwd *fwd;
    struct worker *worker;
    int woken[2]; /* a pipe: one byte per wake */
    struct session *tx[LAB_PEERS], *rx[LAB_PEERS];
    struct addr remote[LAB_PEERS];
    uint16_t size[LAB_PEERS];
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

static inline void lab_node_open(struct lab_node *n)
{
    int pair[2];
    *n = (struct lab_node){.tap = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    n->tap = pair[0];
    n->tap_test = pair[1];
    lab_set_buffers(pair[0]);
    lab_set_buffers(pair[1]);
    assert_int_equal(pipe(n->woken), 0);
    assert_int_equal(udp_open(0, 1, &n->socket), 0);
    assert_int_equal(switch_new(LAB_PEERS, 1024, &n->sw), 0);
    assert_int_equal(fwd_new(&n->fwd), 0);
}

static inline void lab_node_start(struct lab_node *n, bool trace, bool profile)
{
    const struct worker_config config = {.index = 0,
                                         .tap_queue = n->tap,
                                         .tap_offloads = TAP_OFFLOAD_CSUM | TAP_OFFLOAD_TSO | TAP_OFFLOAD_USO,
                                         .socket = &n->socket,
                                         .sw = n->sw,
                                         .fwd = n->fwd,
                                         .trace = trace,
                                         .profile = profile,
                                         .wake = lab_wake,
                                         .context = n};
    assert_int_equal(worker_start(&config, &n->worker), 0);
}

/* The worker goes first: nothing may still be read by it. */
static inline void lab_node_close(struct lab_node *n)
{
    worker_stop(n->worker);
    fwd_free(n->fwd);
    switch_free(n->sw);
    udp_close(&n->socket, 1);
    for (unsigned i = 0; i < LAB_PEERS; i++) {
        session_free(n->tx[i]);
        if (n->rx[i] != n->tx[i])
            session_free(n->rx[i]);
    }
    close(n->tap);
    close(n->tap_test);
    close(n->woken[0]);
    close(n->woken[1]);
}

static inline void lab_publish(struct lab_node *n)
{
    struct fwd_table *t = fwd_table_new(LAB_PEERS, LAB_PEERS);
    assert_non_null(t);
    for (unsigned i = 0; i < LAB_PEERS; i++) {
        if (n->rx[i])
            fwd_table_add_session(t, n->rx[i]);
        if (!n->tx[i])
            continue;
        struct fwd_peer p = {
            .slot = i, .tx = n->tx[i], .has_path = true, .remote = n->remote[i], .size = n->size[i]};
        udp_remote_init(&n->socket, &p.remote, &p.to);
        fwd_table_add_peer(t, &p);
    }
    fwd_publish(n->fwd, t);
}

/* Two sessions from one root, a pair: a's receiver index is b's transmit index. */
static inline void lab_sessions(uint32_t slot_at_a, uint32_t slot_at_b, const struct session_limits *limits,
                                struct session **a, struct session **b)
{
    uint8_t root[KDF_LEN];
    struct session_config config = {
        .suite = AEAD_AES_256_GCM, .tx_lanes = 1, .rx_lanes = 1, .limits = limits};
    secret_random(root, sizeof(root));
    secret_random(&config.rx_index, sizeof(config.rx_index));
    secret_random(&config.tx_index, sizeof(config.tx_index));
    config.initiator = true;
    config.peer_slot = slot_at_a;
    assert_int_equal(session_new(&config, root, a), 0);
    uint32_t swap = config.rx_index;
    config.rx_index = config.tx_index;
    config.tx_index = swap;
    config.initiator = false;
    config.peer_slot = slot_at_b;
    assert_int_equal(session_new(&config, root, b), 0);
}

/* Makes node b the peer slot_at_a of node a, and the reverse; the caller publishes. */
static inline void lab_connect(struct lab_node *a, uint32_t slot_at_a, struct lab_node *b, uint32_t slot_at_b,
                               uint16_t size)
{
    lab_sessions(slot_at_a, slot_at_b, NULL, &a->tx[slot_at_a], &b->tx[slot_at_b]);
    a->rx[slot_at_a] = a->tx[slot_at_a];
    b->rx[slot_at_b] = b->tx[slot_at_b];
    a->remote[slot_at_a] = lab_address(&b->socket);
    b->remote[slot_at_b] = lab_address(&a->socket);
    a->size[slot_at_a] = b->size[slot_at_b] = size;
}

/* A frame enters the device. */
static inline void lab_put(struct lab_node *n, const struct lab_frame *f)
{
    struct iovec iov[] = {{(void *)&f->vnet, sizeof(f->vnet)}, {(void *)f->data, f->len}};
    ssize_t sent;
    while ((sent = writev(n->tap_test, iov, 2)) < 0 && errno == EAGAIN) {
        struct pollfd p = {.fd = n->tap_test, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    }
    assert_int_equal(sent, sizeof(f->vnet) + f->len);
}

/* The next frame that leaves the device. */
static inline void lab_get(struct lab_node *n, struct lab_frame *f)
{
    struct pollfd p = {.fd = n->tap_test, .events = POLLIN};
    assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    struct iovec iov[] = {{&f->vnet, sizeof(f->vnet)}, {f->data, sizeof(f->data)}};
    ssize_t got = readv(n->tap_test, iov, 2);
    assert_true(got > (ssize_t)sizeof(f->vnet));
    f->len = (size_t)got - sizeof(f->vnet);
}

static inline bool lab_has_frame(struct lab_node *n)
{
    struct pollfd p = {.fd = n->tap_test, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
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
    return atomic_load_explicit(&worker_counters(n->worker)->drops[reason], memory_order_relaxed);
}

static inline uint64_t lab_drops(const struct lab_node *n)
{
    uint64_t sum = 0;
    for (int i = 1; i < DROP_COUNT; i++)
        sum += lab_count(n, (enum drop)i);
    return sum;
}
