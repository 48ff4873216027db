/* SPDX-License-Identifier: Apache-2.0 */
/* The forwarding table: two open-addressing hashes over memory that never changes once published, and the
 * pointer that publishes it. The control thread writes, workers read; a worker's references end at its next
 * quiescent state (QSBR). */

#include "node/data/fwd.h"

#include "proto/wire/wire.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

/* A path that cannot carry headers and a useful part of a frame is none. */
#define SIZE_MIN (WIRE_OVERHEAD + 256)

struct session_entry {
    uint32_t rx_index;
    struct session *session; /* NULL: the place is free */
};

struct peer_entry {
    uint32_t slot;
    uint32_t place; /* in peers, counted from 1; 0: free */
};

struct fwd_table {
    size_t session_cap, peer_cap; /* how many were announced to fwd_table_new */
    size_t session_count, ready, idle;
    unsigned session_shift, peer_shift; /* 32 - log2 of the hash's size */
    struct session_entry *sessions;
    struct peer_entry *slots;
    uint32_t *targets;      /* receiver indices that we send to; as many places as slots; 0: free */
    struct fwd_peer *peers; /* ready ones from the front, the others from the back */
};

struct fwd {
    struct fwd_table *_Atomic current;
};

/* The size is a power of two, at least twice the number of entries: probes end soon, and a free place always
 * exists. */
static unsigned hash_shift(size_t entries)
{
    unsigned bits = 3;
    while (((size_t)1 << bits) < 2 * entries)
        bits++;
    return 32 - bits;
}

static size_t hash_size(unsigned shift)
{
    return (size_t)1 << (32 - shift);
}

static size_t hash_at(uint32_t key, unsigned shift)
{
    return (key * 2654435769u) >> shift;
}

struct fwd_table *fwd_table_new(size_t peers, size_t sessions)
{
    struct fwd_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->peer_cap = peers;
    t->session_cap = sessions;
    t->peer_shift = hash_shift(peers);
    t->session_shift = hash_shift(sessions);
    t->sessions = calloc(hash_size(t->session_shift), sizeof(*t->sessions));
    t->slots = calloc(hash_size(t->peer_shift), sizeof(*t->slots));
    t->targets = calloc(hash_size(t->peer_shift), sizeof(*t->targets));
    t->peers = calloc(peers ? peers : 1, sizeof(*t->peers));
    if (t->sessions && t->slots && t->targets && t->peers)
        return t;
    fwd_table_free(t);
    return NULL;
}

void fwd_table_free(struct fwd_table *t)
{
    if (!t)
        return;
    free(t->sessions);
    free(t->slots);
    free(t->targets);
    free(t->peers);
    free(t);
}

/* The place of an index, or a free one. */
static size_t target_at(const struct fwd_table *t, uint32_t tx_index)
{
    size_t mask = hash_size(t->peer_shift) - 1, at = hash_at(tx_index, t->peer_shift);
    while (t->targets[at] && t->targets[at] != tx_index)
        at = (at + 1) & mask;
    return at;
}

void fwd_table_add_peer(struct fwd_table *t, const struct fwd_peer *peer)
{
    assert(t->ready + t->idle < t->peer_cap);
    size_t mask = hash_size(t->peer_shift) - 1, at = hash_at(peer->slot, t->peer_shift);
    while (t->slots[at].place && t->slots[at].slot != peer->slot)
        at = (at + 1) & mask;
    assert(!t->slots[at].place);
    bool ready = peer->tx && peer->has_path && peer->size >= SIZE_MIN;
    size_t place = ready ? t->ready++ : t->peer_cap - ++t->idle;
    t->peers[place] = *peer;
    t->peers[place].overhead = WIRE_OVERHEAD + peer->to.envelope;
    t->peers[place].has_path = peer->has_path && peer->size >= SIZE_MIN;
    t->slots[at] = (struct peer_entry){.slot = peer->slot, .place = (uint32_t)place + 1};
    uint32_t target = peer->tx ? session_tx_index(peer->tx) : 0;
    if (target)
        t->targets[target_at(t, target)] = target;
}

void fwd_table_add_session(struct fwd_table *t, struct session *rx)
{
    assert(t->session_count < t->session_cap);
    uint32_t index = session_rx_index(rx);
    size_t mask = hash_size(t->session_shift) - 1, at = hash_at(index, t->session_shift);
    while (t->sessions[at].session && t->sessions[at].rx_index != index)
        at = (at + 1) & mask;
    assert(!t->sessions[at].session);
    t->sessions[at] = (struct session_entry){.rx_index = index, .session = rx};
    t->session_count++;
}

struct session *fwd_session(const struct fwd_table *t, uint32_t rx_index)
{
    size_t mask = hash_size(t->session_shift) - 1, at = hash_at(rx_index, t->session_shift);
    while (t->sessions[at].session && t->sessions[at].rx_index != rx_index)
        at = (at + 1) & mask;
    return t->sessions[at].session;
}

const struct fwd_peer *fwd_peer(const struct fwd_table *t, uint32_t slot)
{
    size_t mask = hash_size(t->peer_shift) - 1, at = hash_at(slot, t->peer_shift);
    while (t->slots[at].place && t->slots[at].slot != slot)
        at = (at + 1) & mask;
    return t->slots[at].place ? &t->peers[t->slots[at].place - 1] : NULL;
}

bool fwd_sends_to(const struct fwd_table *t, uint32_t tx_index)
{
    return tx_index && t->targets[target_at(t, tx_index)];
}

const struct fwd_peer *fwd_peers(const struct fwd_table *t, size_t *count)
{
    *count = t->ready;
    return t->peers;
}

/* liburcu orders a worker's last use of a table before the publisher's return from synchronize_rcu, but does
 * so in a library that ThreadSanitizer does not see into. In its builds alone, these two draw that edge; the
 * other one, publisher to reader, is the release and acquire on the pointer itself. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define FWD_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(FWD_TSAN)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define readers_done(fwd) __tsan_acquire(fwd)
#define reader_done(fwd)  __tsan_release(fwd)
#else
#define readers_done(fwd) ((void)(fwd))
#define reader_done(fwd)  ((void)(fwd))
#endif

int fwd_new(struct fwd **out)
{
    struct fwd *fwd = malloc(sizeof(*fwd));
    struct fwd_table *empty = fwd_table_new(0, 0);
    if (!fwd || !empty) {
        free(fwd);
        fwd_table_free(empty);
        return ERR_NOMEM;
    }
    atomic_init(&fwd->current, empty);
    *out = fwd;
    return 0;
}

void fwd_free(struct fwd *fwd)
{
    if (!fwd)
        return;
    fwd_table_free(atomic_load_explicit(&fwd->current, memory_order_relaxed));
    free(fwd);
}

void fwd_publish(struct fwd *fwd, struct fwd_table *table)
{
    struct fwd_table *old = atomic_exchange_explicit(&fwd->current, table, memory_order_acq_rel);
    urcu_qsbr_synchronize_rcu();
    readers_done(fwd);
    fwd_table_free(old);
}

void fwd_worker_enter(struct fwd *fwd)
{
    (void)fwd;
    urcu_qsbr_register_thread();
}

void fwd_worker_leave(struct fwd *fwd)
{
    reader_done(fwd);
    urcu_qsbr_unregister_thread();
}

void fwd_worker_offline(struct fwd *fwd)
{
    reader_done(fwd);
    urcu_qsbr_thread_offline();
}

void fwd_worker_online(struct fwd *fwd)
{
    (void)fwd;
    urcu_qsbr_thread_online();
}

const struct fwd_table *fwd_worker_quiesce(struct fwd *fwd)
{
    reader_done(fwd);
    urcu_qsbr_quiescent_state();
    return atomic_load_explicit(&fwd->current, memory_order_acquire);
}
