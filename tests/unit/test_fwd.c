/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/fwd: look-ups, changes of one peer, and readers who never meet what is gone nor miss what stays. */

#include "node/data/fwd.h"

#include "crypto/secret.h"
#include "proto/wire/wire.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY 300

static struct fwd *fwd;
static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return no_memory ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}

static int open_fwd(void **state)
{
    (void)state;
    return fwd_new(&fwd);
}

static int close_fwd(void **state)
{
    (void)state;
    no_memory = false;
    fwd_free(fwd);
    return 0;
}

static struct session *session_to(uint32_t rx_index, uint32_t tx_index, uint32_t slot)
{
    const uint8_t root[KDF_LEN] = {1};
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = 1,
                                          .rx_lanes = 1,
                                          .rx_index = rx_index,
                                          .tx_index = tx_index,
                                          .peer_slot = slot};
    struct session *s;
    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static struct session *session(uint32_t rx_index, uint32_t slot)
{
    return session_to(rx_index, 1, slot);
}

static struct fwd_peer peer(uint32_t slot, struct session *tx, bool has_path)
{
    return (struct fwd_peer){.slot = slot, .tx = tx, .has_path = has_path, .size = 1472};
}

/* The peer in slot sends and receives under one session. */
static void set(uint32_t slot, struct session *s)
{
    const struct fwd_peer p = peer(slot, s, true);
    assert_int_equal(fwd_set(fwd, slot, &p, &s, 1), 0);
}

static void remove_peer(uint32_t slot)
{
    assert_int_equal(fwd_set(fwd, slot, NULL, NULL, 0), 0);
}

static void sessions_are_found_by_receiver_index(void **state)
{
    (void)state;
    struct session *s[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        s[i] = session(i * 0x01000000u + i, i); /* many share a hash */
        assert_int_equal(fwd_set(fwd, i, NULL, &s[i], 1), 0);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_ptr_equal(fwd_session(fwd, i * 0x01000000u + i), s[i]);
    assert_null(fwd_session(fwd, 0x7fffffff));
    for (uint32_t i = 0; i < MANY; i += 2)
        remove_peer(i);
    for (uint32_t i = 0; i < MANY; i++)
        assert_ptr_equal(fwd_session(fwd, i * 0x01000000u + i), i % 2 ? s[i] : NULL);
    for (uint32_t i = 0; i < MANY; i++)
        session_free(s[i]);
}

static void a_peers_sessions_come_and_go_one_by_one(void **state)
{
    (void)state;
    struct session *s[] = {session(10, 4), session(11, 4), session(12, 4)};
    assert_int_equal(fwd_set(fwd, 4, NULL, s, 2), 0);
    assert_ptr_equal(fwd_session(fwd, 10), s[0]);
    assert_ptr_equal(fwd_session(fwd, 11), s[1]);
    assert_int_equal(fwd_set(fwd, 4, NULL, s + 1, 2), 0);
    assert_null(fwd_session(fwd, 10));
    assert_ptr_equal(fwd_session(fwd, 11), s[1]);
    assert_ptr_equal(fwd_session(fwd, 12), s[2]);
    for (unsigned i = 0; i < 3; i++)
        session_free(s[i]);
}

static size_t walk(bool met[FWD_PEERS])
{
    size_t count = 0;
    memset(met, 0, FWD_PEERS * sizeof(met[0]));
    for (const struct fwd_peer *p = fwd_ready_first(fwd); p; p = fwd_ready_next(p), count++) {
        assert_true(p->tx && p->has_path && !met[p->slot]);
        assert_ptr_equal(fwd_peer(fwd, p->slot), p);
        met[p->slot] = true;
    }
    assert_int_equal(count, fwd_ready_count(fwd));
    return count;
}

static void only_peers_with_a_path_are_flooded(void **state)
{
    (void)state;
    static bool met[FWD_PEERS];
    struct session *s = session(7, 0);
    size_t ready = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct fwd_peer p = peer(i * 13, s, i % 5);
        if (i % 7 == 0)
            p.size = WIRE_OVERHEAD; /* carries nothing */
        ready += i % 3 && i % 5 && i % 7;
        assert_int_equal(fwd_set(fwd, i * 13, i % 3 ? &p : NULL, NULL, 0), 0);
    }
    assert_int_equal(walk(met), ready);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(fwd_peer(fwd, i * 13) != NULL, i % 3 != 0);
        assert_int_equal(met[i * 13], i % 3 && i % 5 && i % 7);
    }
    assert_null(fwd_peer(fwd, 1));
    assert_null(fwd_peer(fwd, FWD_PEERS));
    session_free(s);
}

/* First, in the middle, last; with a path, without, not at all. */
static void flooding_follows_what_happens_to_a_peer(void **state)
{
    (void)state;
    static bool met[FWD_PEERS];
    struct session *s = session(7, 0);
    for (uint32_t changed = 0; changed < 3; changed++) {
        const struct fwd_peer bare = peer(changed, s, false);
        struct fwd_peer small = peer(changed, s, true);
        small.size = 1200;
        for (uint32_t i = 0; i < 3; i++)
            set(i, s);
        assert_int_equal(walk(met), 3);
        assert_int_equal(fwd_set(fwd, changed, &small, NULL, 0), 0);
        assert_int_equal(walk(met), 3);
        assert_int_equal(fwd_peer(fwd, changed)->size, 1200);
        assert_int_equal(fwd_set(fwd, changed, &bare, NULL, 0), 0);
        assert_int_equal(walk(met), 2);
        assert_false(met[changed] || fwd_peer(fwd, changed)->has_path);
        set(changed, s);
        assert_int_equal(walk(met), 3);
        remove_peer(changed);
        assert_int_equal(walk(met), 2);
        assert_null(fwd_peer(fwd, changed));
    }
    session_free(s);
}

static void what_has_not_changed_stays_where_it_is(void **state)
{
    (void)state;
    struct session *s = session(7, 3);
    set(3, s);
    const struct fwd_peer *before = fwd_peer(fwd, 3);
    set(3, s);
    assert_ptr_equal(fwd_peer(fwd, 3), before);
    session_free(s);
}

static void what_we_send_to_is_known_by_its_receiver_index(void **state)
{
    (void)state;
    struct session *s = session(7, 1), *twin = session(8, 2); /* both send to index 1 */
    const struct fwd_peer bare = peer(1, s, false);
    assert_false(fwd_sends_to(fwd, 1));
    assert_int_equal(fwd_set(fwd, 1, &bare, NULL, 0), 0);
    set(2, twin);
    assert_true(fwd_sends_to(fwd, 1));
    assert_false(fwd_sends_to(fwd, 7));
    assert_false(fwd_sends_to(fwd, 0));
    remove_peer(1);
    assert_true(fwd_sends_to(fwd, 1));
    remove_peer(2);
    assert_false(fwd_sends_to(fwd, 1));
    session_free(s);
    session_free(twin);
}

static void nothing_is_found_before_the_first_peer(void **state)
{
    (void)state;
    fwd_worker_enter(fwd);
    fwd_worker_quiesce(fwd);
    assert_null(fwd_session(fwd, 0));
    assert_null(fwd_peer(fwd, 0));
    assert_null(fwd_ready_first(fwd));
    assert_int_equal(fwd_ready_count(fwd), 0);
    fwd_worker_leave(fwd);
}

/* The old session may be freed all the same, and another try mends it. */
static void without_memory_nothing_refers_to_what_was_taken_away(void **state)
{
    (void)state;
    struct session *old = session_to(10, 20, 3), *s = session_to(11, 21, 3);
    const struct fwd_peer p = peer(3, s, true);
    set(3, old);
    no_memory = true;
    assert_int_equal(fwd_set(fwd, 3, &p, &s, 1), ERR_NOMEM);
    assert_null(fwd_session(fwd, 10));
    assert_null(fwd_peer(fwd, 3));
    assert_false(fwd_sends_to(fwd, 20));
    assert_null(fwd_ready_first(fwd));
    fwd_settle(fwd, false);
    session_free(old);
    no_memory = false;
    assert_int_equal(fwd_set(fwd, 3, &p, &s, 1), 0);
    assert_ptr_equal(fwd_session(fwd, 11), s);
    assert_ptr_equal(fwd_peer(fwd, 3)->tx, s);
    session_free(s);
}

/* Those with even slots stay, those with odd ones come and go, and change their sessions. */
#define STAY 8

struct race {
    _Atomic bool stop;
    _Atomic unsigned looks;
    _Atomic bool torn, missed;
};

static void look(struct race *r)
{
    unsigned met[2 * STAY] = {0};
    for (const struct fwd_peer *p = fwd_ready_first(fwd); p; p = fwd_ready_next(p)) {
        met[p->slot]++;
        if (session_peer_slot(p->tx) != p->slot)
            atomic_store(&r->torn, true);
    }
    for (uint32_t slot = 0; slot < 2 * STAY; slot++) {
        const struct fwd_peer *p = fwd_peer(fwd, slot);
        const struct session *s = fwd_session(fwd, 1000 + slot);
        if ((p && session_peer_slot(p->tx) != slot) || (s && session_rx_index(s) != 1000 + slot))
            atomic_store(&r->torn, true);
        if (met[slot] > 1 ||
            (slot % 2 == 0 && (met[slot] != 1 || !p || !s || !fwd_sends_to(fwd, 2000 + slot))))
            atomic_store(&r->missed, true);
    }
}

static void *read_on(void *arg)
{
    struct race *r = arg;
    fwd_worker_enter(fwd);
    while (!atomic_load(&r->stop)) {
        fwd_worker_quiesce(fwd);
        look(r);
        if (atomic_fetch_add(&r->looks, 1) % 64 == 0) {
            fwd_worker_offline(fwd);
            fwd_worker_online(fwd);
        }
    }
    fwd_worker_leave(fwd);
    return NULL;
}

/* A stayer has another path now and then, another peer another session, or none. */
static struct session *change(uint32_t i, struct session *const stayers[STAY], struct session *last)
{
    uint32_t slot = i * 7 % (2 * STAY);
    struct session *s = slot % 2 ? session_to(1000 + slot, 2000 + slot, slot) : stayers[slot / 2];
    struct fwd_peer p = peer(slot, s, true);
    p.size = (uint16_t)(1200 + i % 3);
    if (slot % 2)
        remove_peer(slot);
    if (slot % 2 == 0 || i % 4)
        assert_int_equal(fwd_set(fwd, slot, &p, &s, 1), 0);
    if (slot % 2 == 0)
        s = NULL;
    fwd_settle(fwd, false);
    session_free(last); /* as documented: no worker still refers to it */
    return s;
}

static void readers_never_meet_what_is_gone_nor_miss_what_stays(void **state)
{
    (void)state;
    struct race r = {.stop = false};
    struct session *stayers[STAY], *last[2 * STAY] = {NULL};
    pthread_t threads[2];
    for (uint32_t i = 0; i < STAY; i++) {
        stayers[i] = session_to(1000 + 2 * i, 2000 + 2 * i, 2 * i);
        set(2 * i, stayers[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (uint32_t i = 0; i < 2000 || atomic_load(&r.looks) < 1000; i++) {
        uint32_t slot = i * 7 % (2 * STAY);
        last[slot] = change(i, stayers, last[slot]);
    }
    atomic_store(&r.stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&r.torn));
    assert_false(atomic_load(&r.missed));
    for (uint32_t slot = 0; slot < 2 * STAY; slot++)
        session_free(slot % 2 ? last[slot] : stayers[slot / 2]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fwd, close_fwd)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sessions_are_found_by_receiver_index),
        TEST(a_peers_sessions_come_and_go_one_by_one),
        TEST(only_peers_with_a_path_are_flooded),
        TEST(flooding_follows_what_happens_to_a_peer),
        TEST(what_has_not_changed_stays_where_it_is),
        TEST(what_we_send_to_is_known_by_its_receiver_index),
        TEST(nothing_is_found_before_the_first_peer),
        TEST(without_memory_nothing_refers_to_what_was_taken_away),
        TEST(readers_never_meet_what_is_gone_nor_miss_what_stays),
    };
    return cmocka_run_group_tests_name("fwd", tests, NULL, NULL);
}
