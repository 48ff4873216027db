/* SPDX-License-Identifier: Apache-2.0 */
/* The forwarding table: two hashes with chains, peers by slot, and a list of those that are flooded to. The control
 * thread links entries in and out by single stores, workers follow the links. An entry never changes but for its links,
 * and lives until each worker has passed a quiescent state (QSBR). */

#include "node/data/fwd.h"

#include "proto/wire/wire.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

/* A path that cannot carry headers and a useful part of a frame is none. */
#define SIZE_MIN (WIRE_OVERHEAD + 256)

/* Fixed, so that no change of one peer moves what workers know of the others. With all slots taken by peers of three
 * sessions each, a chain has less than one entry. */
#define INDEX_BITS  14
#define TARGET_BITS 12

/* A session that may receive. */
struct receiver {
    uint32_t index;
    struct session *session;
    struct receiver *_Atomic next; /* in its chain */
    struct receiver *other;        /* of its slot, then of those that were taken away; control's */
};

/* How to send to a peer. */
struct sender {
    struct fwd_peer peer;               /* the first: workers have its address alone */
    uint32_t target;                    /* receiver index that tx sends to */
    struct sender *_Atomic next_target; /* in its chain */
    struct sender *_Atomic next_ready;
    struct sender *_Atomic
        *ready_at;        /* what leads to it among those that are ready; NULL: it is not; control's */
    struct sender *other; /* of those that were taken away; control's */
    struct endpoint relays[];
};

struct fwd {
    struct receiver *_Atomic receivers[1 << INDEX_BITS]; /* by receiver index */
    struct sender *_Atomic targets[1 << TARGET_BITS];    /* by the index that they send to */
    struct sender *_Atomic senders[FWD_PEERS];           /* by slot; NULL: none */
    struct sender *_Atomic ready;
    _Atomic size_t ready_count;
    struct receiver *of_slot[FWD_PEERS]; /* control's */
    struct receiver *old_receivers;      /* taken away, and maybe still in use */
    struct sender *old_senders;
};

static size_t hash_of(uint32_t key, unsigned bits)
{
    return (key * 2654435769u) >> (32 - bits);
}

/* ---- what workers ask ---- */

struct session *fwd_session(const struct fwd *fwd, uint32_t rx_index)
{
    const struct receiver *r =
        atomic_load_explicit(&fwd->receivers[hash_of(rx_index, INDEX_BITS)], memory_order_acquire);
    while (r && r->index != rx_index)
        r = atomic_load_explicit(&r->next, memory_order_acquire);
    return r ? r->session : NULL;
}

static const struct fwd_peer *peer_of(struct sender *const _Atomic *at)
{
    const struct sender *s = atomic_load_explicit(at, memory_order_acquire);
    return s ? &s->peer : NULL;
}

const struct fwd_peer *fwd_peer(const struct fwd *fwd, uint32_t slot)
{
    return slot < FWD_PEERS ? peer_of(&fwd->senders[slot]) : NULL;
}

bool fwd_takes_relayed(const struct fwd_peer *peer, const struct addr *relay, uint32_t channel)
{
    for (size_t i = 0; i < peer->relay_count; i++)
        if (peer->relays[i].channel == channel && addr_equal(&peer->relays[i].remote, relay))
            return true;
    return false;
}

bool fwd_sends_to(const struct fwd *fwd, uint32_t tx_index)
{
    const struct sender *s =
        atomic_load_explicit(&fwd->targets[hash_of(tx_index, TARGET_BITS)], memory_order_acquire);
    while (s && s->target != tx_index)
        s = atomic_load_explicit(&s->next_target, memory_order_acquire);
    return s && tx_index;
}

const struct fwd_peer *fwd_ready_first(const struct fwd *fwd)
{
    return peer_of(&fwd->ready);
}

const struct fwd_peer *fwd_ready_next(const struct fwd_peer *peer)
{
    return peer_of(&((const struct sender *)peer)->next_ready);
}

size_t fwd_ready_count(const struct fwd *fwd)
{
    return atomic_load_explicit(&fwd->ready_count, memory_order_relaxed);
}

/* ---- sessions that receive ---- */

static void receiver_link(struct fwd *fwd, struct receiver *r)
{
    struct receiver *_Atomic *at = &fwd->receivers[hash_of(r->index, INDEX_BITS)];
    atomic_init(&r->next, *at);
    atomic_store_explicit(at, r, memory_order_release);
}

static void receiver_unlink(struct fwd *fwd, const struct receiver *r)
{
    struct receiver *_Atomic *at = &fwd->receivers[hash_of(r->index, INDEX_BITS)];
    while (*at != r)
        at = &(*at)->next;
    atomic_store_explicit(at, r->next, memory_order_release);
}

static bool is_among(struct session *const *list, size_t count, const struct session *s)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == s)
            return true;
    return false;
}

static bool receives(const struct fwd *fwd, uint32_t slot, const struct session *s)
{
    const struct receiver *r = fwd->of_slot[slot];
    while (r && r->session != s)
        r = r->other;
    return r != NULL;
}

static void drop_receivers(struct fwd *fwd, uint32_t slot, struct session *const *kept, size_t count)
{
    struct receiver **at = &fwd->of_slot[slot];
    while (*at) {
        struct receiver *r = *at;
        if (is_among(kept, count, r->session)) {
            at = &r->other;
            continue;
        }
        *at = r->other;
        receiver_unlink(fwd, r);
        r->other = fwd->old_receivers;
        fwd->old_receivers = r;
    }
}

static int add_receivers(struct fwd *fwd, uint32_t slot, struct session *const *rx, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (receives(fwd, slot, rx[i]))
            continue;
        struct receiver *r = malloc(sizeof(*r));
        if (!r)
            return ERR_NOMEM;
        r->index = session_rx_index(rx[i]);
        r->session = rx[i];
        r->other = fwd->of_slot[slot];
        fwd->of_slot[slot] = r;
        receiver_link(fwd, r);
    }
    return 0;
}

/* ---- peers that are sent to ---- */

static void target_link(struct fwd *fwd, struct sender *s)
{
    struct sender *_Atomic *at = &fwd->targets[hash_of(s->target, TARGET_BITS)];
    atomic_init(&s->next_target, *at);
    atomic_store_explicit(at, s, memory_order_release);
}

static void target_unlink(struct fwd *fwd, const struct sender *s)
{
    struct sender *_Atomic *at = &fwd->targets[hash_of(s->target, TARGET_BITS)];
    while (*at != s)
        at = &(*at)->next_target;
    atomic_store_explicit(at, s->next_target, memory_order_release);
}

static bool is_ready(const struct sender *s)
{
    return s && s->peer.has_path;
}

/* What leads to one leads to the other from now on. */
static void ready_put(struct sender *s, struct sender *_Atomic *at, struct sender *behind)
{
    atomic_init(&s->next_ready, behind);
    s->ready_at = at;
    if (behind)
        behind->ready_at = &s->next_ready;
    atomic_store_explicit(at, s, memory_order_release);
}

static void ready_remove(struct sender *s)
{
    struct sender *behind = s->next_ready;
    if (behind)
        behind->ready_at = s->ready_at;
    atomic_store_explicit(s->ready_at, behind, memory_order_release);
}

/* In the place of the old one: a walk meets either of them, once. */
static void ready_replace(struct fwd *fwd, struct sender *old, struct sender *s)
{
    if (is_ready(s) && is_ready(old))
        ready_put(s, old->ready_at, old->next_ready);
    else if (is_ready(s))
        ready_put(s, &fwd->ready, fwd->ready);
    else if (is_ready(old))
        ready_remove(old);
    size_t count = fwd_ready_count(fwd) + is_ready(s) - is_ready(old);
    atomic_store_explicit(&fwd->ready_count, count, memory_order_relaxed);
}

/* Either may be NULL. The new one is found before the old one is not. */
static void sender_replace(struct fwd *fwd, uint32_t slot, struct sender *old, struct sender *s)
{
    if (s)
        target_link(fwd, s);
    atomic_store_explicit(&fwd->senders[slot], s, memory_order_release);
    ready_replace(fwd, old, s);
    if (!old)
        return;
    target_unlink(fwd, old);
    old->other = fwd->old_senders;
    fwd->old_senders = old;
}

static bool same_relays(const struct fwd_peer *a, const struct fwd_peer *b)
{
    for (size_t i = 0; i < a->relay_count && i < b->relay_count; i++)
        if (!endpoint_same_way(&a->relays[i], &b->relays[i]))
            return false;
    return a->relay_count == b->relay_count;
}

static bool same(const struct fwd_peer *a, const struct fwd_peer *b)
{
    return a->tx == b->tx && a->has_path == b->has_path && a->sleeps == b->sleeps && a->size == b->size &&
           a->overhead == b->overhead && endpoint_same(&a->endpoint, &b->endpoint) && same_relays(a, b);
}

static struct sender *new_sender(const struct fwd_peer *peer)
{
    size_t relays = peer->relay_count * sizeof(*peer->relays);
    struct sender *s = calloc(1, sizeof(*s) + relays);
    if (!s)
        return NULL;
    s->peer = *peer;
    s->peer.relays = s->relays;
    if (relays)
        memcpy(s->relays, peer->relays, relays);
    return s;
}

static int set_sender(struct fwd *fwd, uint32_t slot, const struct fwd_peer *peer)
{
    struct sender *old = fwd->senders[slot], *s = NULL;
    struct fwd_peer wanted = {0};
    if (peer) {
        wanted = *peer;
        wanted.overhead = WIRE_OVERHEAD + peer->to.envelope;
        wanted.has_path = peer->has_path && peer->size >= SIZE_MIN;
    }
    if (peer ? old && same(&old->peer, &wanted) : !old)
        return 0;
    if (peer && (s = new_sender(&wanted)))
        s->target = session_tx_index(peer->tx);
    sender_replace(fwd, slot, old, s);
    return peer && !s ? ERR_NOMEM : 0;
}

int fwd_set(struct fwd *fwd, uint32_t slot, const struct fwd_peer *peer, struct session *const *rx,
            size_t rx_count)
{
    assert(slot < FWD_PEERS);
    drop_receivers(fwd, slot, rx, rx_count);
    int not_added = add_receivers(fwd, slot, rx, rx_count);
    int err = set_sender(fwd, slot, peer);
    return err ? err : not_added;
}

/* ---- all of it ---- */

/* liburcu orders a worker's last use of an entry before the return from synchronize_rcu, but does so in a
 * library that ThreadSanitizer does not see into. In its builds alone, these two draw that edge; the other one,
 * control to worker, is the release and acquire on the link itself. */
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
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

static void free_old(struct fwd *fwd)
{
    struct receiver *r;
    struct sender *s;
    while ((r = fwd->old_receivers)) {
        fwd->old_receivers = r->other;
        free(r);
    }
    while ((s = fwd->old_senders)) {
        fwd->old_senders = s->other;
        free(s);
    }
}

void fwd_settle(struct fwd *fwd, bool else_taken)
{
    if (!fwd->old_receivers && !fwd->old_senders && !else_taken)
        return;
    urcu_qsbr_synchronize_rcu();
    readers_done(fwd);
    free_old(fwd);
}

void fwd_free(struct fwd *fwd)
{
    if (!fwd)
        return;
    for (uint32_t slot = 0; slot < FWD_PEERS; slot++)
        (void)!fwd_set(fwd, slot, NULL, NULL, 0);
    free_old(fwd);
    free(fwd);
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

void fwd_worker_quiesce(struct fwd *fwd)
{
    reader_done(fwd);
    urcu_qsbr_quiescent_state();
}
