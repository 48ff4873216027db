/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/fwd: look-ups, and readers that never see a table that is gone. */

#include "node/data/fwd.h"

#include "crypto/secret.h"
#include "proto/wire/wire.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>

#define MANY 300

static struct session *session(uint32_t rx_index, uint32_t slot)
{
    const uint8_t root[KDF_LEN] = {1};
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = 1,
                                          .rx_lanes = 1,
                                          .rx_index = rx_index,
                                          .tx_index = 1,
                                          .peer_slot = slot};
    struct session *s;
    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static struct fwd_peer peer(uint32_t slot, struct session *tx, bool has_path)
{
    return (struct fwd_peer){.slot = slot, .tx = tx, .has_path = has_path, .size = 1472};
}

static void sessions_are_found_by_receiver_index(void **state)
{
    (void)state;
    struct session *s[MANY];
    struct fwd_table *t = fwd_table_new(0, MANY);
    assert_non_null(t);
    for (uint32_t i = 0; i < MANY; i++) {
        s[i] = session(i * 0x01000000u + i, i); /* many share a hash */
        fwd_table_add_session(t, s[i]);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_ptr_equal(fwd_session(t, i * 0x01000000u + i), s[i]);
    assert_null(fwd_session(t, 0x7fffffff));
    fwd_table_free(t);
    for (uint32_t i = 0; i < MANY; i++)
        session_free(s[i]);
}

static void only_peers_with_session_and_path_are_flooded(void **state)
{
    (void)state;
    struct session *s = session(7, 0);
    struct fwd_table *t = fwd_table_new(MANY, 0);
    size_t count, ready = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct fwd_peer p = peer(i * 13, i % 3 ? s : NULL, i % 5);
        if (i % 7 == 0)
            p.size = WIRE_OVERHEAD; /* carries nothing */
        ready += i % 3 && i % 5 && i % 7;
        fwd_table_add_peer(t, &p);
    }
    const struct fwd_peer *list = fwd_peers(t, &count);
    assert_int_equal(count, ready);
    for (size_t i = 0; i < count; i++) {
        assert_true(list[i].tx && list[i].has_path);
        assert_ptr_equal(fwd_peer(t, list[i].slot), &list[i]);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(fwd_peer(t, i * 13)->slot, i * 13);
    assert_null(fwd_peer(t, 1));
    fwd_table_free(t);
    session_free(s);
}

static void what_we_send_to_is_known_by_its_receiver_index(void **state)
{
    (void)state;
    struct session *tx = session(7, 1); /* sends to index 1 */
    struct fwd_table *t = fwd_table_new(2, 1);
    const struct fwd_peer with = peer(1, tx, false), without = peer(2, NULL, false);
    assert_false(fwd_sends_to(t, 1));
    fwd_table_add_peer(t, &with);
    fwd_table_add_peer(t, &without);
    assert_true(fwd_sends_to(t, 1));
    assert_false(fwd_sends_to(t, 7));
    assert_false(fwd_sends_to(t, 0));
    fwd_table_free(t);
    session_free(tx);
}

static void nothing_is_found_before_the_first_publication(void **state)
{
    (void)state;
    struct fwd *fwd;
    size_t count;
    assert_int_equal(fwd_new(&fwd), 0);
    fwd_worker_enter(fwd);
    const struct fwd_table *t = fwd_worker_quiesce(fwd);
    assert_null(fwd_session(t, 0));
    assert_null(fwd_peer(t, 0));
    (void)fwd_peers(t, &count);
    assert_int_equal(count, 0);
    fwd_worker_leave(fwd);
    fwd_free(fwd);
}

struct race {
    struct fwd *fwd;
    _Atomic bool stop;
    _Atomic unsigned looks;
    _Atomic bool torn;
};

/* Every table holds one session and one peer that belong together. */
static void *read_tables(void *arg)
{
    struct race *r = arg;
    fwd_worker_enter(r->fwd);
    while (!atomic_load(&r->stop)) {
        const struct fwd_table *t = fwd_worker_quiesce(r->fwd);
        size_t count;
        const struct fwd_peer *p = fwd_peers(t, &count);
        for (size_t i = 0; i < count; i++)
            if (fwd_session(t, p[i].slot) != p[i].tx || session_peer_slot(p[i].tx) != p[i].slot)
                atomic_store(&r->torn, true);
        if (atomic_fetch_add(&r->looks, 1) % 64 == 0) {
            fwd_worker_offline(r->fwd);
            fwd_worker_online(r->fwd);
        }
    }
    fwd_worker_leave(r->fwd);
    return NULL;
}

static void readers_never_see_a_table_that_is_gone(void **state)
{
    (void)state;
    struct race r = {.stop = false};
    struct session *last = NULL;
    pthread_t threads[2];
    assert_int_equal(fwd_new(&r.fwd), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_tables, &r), 0);
    for (uint32_t i = 0; i < 500 || atomic_load(&r.looks) < 1000; i++) {
        struct session *s = session(i, i);
        struct fwd_table *t = fwd_table_new(1, 1);
        const struct fwd_peer p = peer(i, s, true);
        fwd_table_add_peer(t, &p);
        fwd_table_add_session(t, s);
        fwd_publish(r.fwd, t);
        session_free(last); /* as documented: no worker still refers to it */
        last = s;
    }
    atomic_store(&r.stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&r.torn));
    fwd_free(r.fwd);
    session_free(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_found_by_receiver_index),
        cmocka_unit_test(only_peers_with_session_and_path_are_flooded),
        cmocka_unit_test(what_we_send_to_is_known_by_its_receiver_index),
        cmocka_unit_test(nothing_is_found_before_the_first_publication),
        cmocka_unit_test(readers_never_see_a_table_that_is_gone),
    };
    return cmocka_run_group_tests_name("fwd", tests, NULL, NULL);
}
