/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/tables: what workers know follows the mesh peer by peer, and nothing is freed or forgotten before they have let
 * go of it. What the mesh says is made up here; how the rest is called is watched. */

#include "node/data/tables.h"

#include "node/data/fwd.h"
#include "proto/switch/switch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 8

static struct tables tables;
static struct fwd *fwd;
static struct udp_socket udp;
static struct mesh_forward says[SLOTS]; /* the mesh, by slot */
static struct path path;
static unsigned asked[SLOTS];
static bool no_memory;
static char order[64]; /* s: settled, f: a session is freed, F: the switch forgets */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_mesh_forward(const struct mesh *m, uint32_t slot, struct mesh_forward *out);
void __real_fwd_settle(struct fwd *f, bool else_taken);
void __wrap_fwd_settle(struct fwd *f, bool else_taken);
void __real_session_free(struct session *s);
void __wrap_session_free(struct session *s);
void __wrap_switch_forget(struct switch_table *t, uint32_t slot);

void *__wrap_malloc(size_t size)
{
    return no_memory ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return no_memory ? NULL : __real_realloc(p, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}

void __wrap_mesh_forward(const struct mesh *m, uint32_t slot, struct mesh_forward *out)
{
    (void)m;
    asked[slot]++;
    *out = says[slot];
}

static void note(char what)
{
    size_t len = strlen(order);
    assert_true(len + 1 < sizeof(order));
    order[len] = what;
}

void __wrap_fwd_settle(struct fwd *f, bool else_taken)
{
    note('s');
    __real_fwd_settle(f, else_taken);
}

void __wrap_session_free(struct session *s)
{
    note('f');
    __real_session_free(s);
}

void __wrap_switch_forget(struct switch_table *t, uint32_t slot)
{
    (void)t, (void)slot;
    note('F');
}

static int begin(void **state)
{
    (void)state;
    memset(says, 0, sizeof(says));
    memset(asked, 0, sizeof(asked));
    memset(order, 0, sizeof(order));
    path = (struct path){.endpoint =
                             endpoint_udp(&(struct addr){.family = 4, .ip = {192, 0, 2, 1}, .port = 9443}),
                         .size = 1472};
    int err = fwd_new(&fwd);
    tables_init(&tables, &(struct tables_config){.fwd = fwd, .socket = &udp});
    return err;
}

static int end(void **state)
{
    (void)state;
    no_memory = false;
    tables_fini(&tables);
    fwd_free(fwd);
    return 0;
}

static struct session *session(uint32_t slot, uint32_t index)
{
    const uint8_t root[KDF_LEN] = {1};
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = 1,
                                          .rx_lanes = 1,
                                          .rx_index = index,
                                          .tx_index = index + 1000,
                                          .peer_slot = slot};
    struct session *s;
    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static void peer_comes(uint32_t slot, struct session *s)
{
    says[slot] = (struct mesh_forward){.tx = s, .path = &path, .rx = {s}, .rx_count = 1};
    tables_change(&tables, slot);
}

/* As the mesh does it: the session is nowhere any more, then it is given away. */
static void peer_goes(uint32_t slot)
{
    struct session *s = says[slot].tx;
    says[slot] = (struct mesh_forward){.tx = NULL};
    tables_change(&tables, slot);
    tables_retire(&tables, s);
}

static void only_what_changed_is_asked_for(void **state)
{
    (void)state;
    peer_comes(1, session(1, 11));
    peer_comes(5, session(5, 15));
    tables_change(&tables, 5);
    tables_publish(&tables);
    assert_int_equal(asked[1], 1);
    assert_int_equal(asked[5], 1);
    assert_ptr_equal(fwd_session(fwd, 11), says[1].tx);
    assert_ptr_equal(fwd_peer(fwd, 5)->tx, says[5].tx);
    assert_int_equal(fwd_peer(fwd, 5)->size, 1472);
    path.size = 1200;
    tables_change(&tables, 1);
    tables_publish(&tables);
    tables_publish(&tables);
    assert_int_equal(asked[1], 2);
    assert_int_equal(asked[5], 1);
    assert_int_equal(fwd_peer(fwd, 1)->size, 1200);
    assert_int_equal(fwd_peer(fwd, 5)->size, 1472);
    peer_goes(1);
    peer_goes(5);
}

static void nothing_is_freed_or_forgotten_before_workers_have_let_go(void **state)
{
    (void)state;
    peer_comes(1, session(1, 11));
    peer_comes(2, session(2, 12));
    tables_publish(&tables);
    memset(order, 0, sizeof(order));
    peer_goes(1);
    tables_forget(&tables, 1);
    peer_goes(2);
    assert_string_equal(order, "");
    tables_publish(&tables);
    assert_string_equal(order, "sFff");
    assert_null(fwd_session(fwd, 11));
    assert_null(fwd_peer(fwd, 2));
    tables_publish(&tables);
    assert_string_equal(order, "sFff");
}

static void what_cannot_be_noted_is_freed_once_workers_have_let_go(void **state)
{
    (void)state;
    peer_comes(1, session(1, 11));
    tables_publish(&tables);
    memset(order, 0, sizeof(order));
    no_memory = true;
    peer_goes(1);
    assert_string_equal(order, "ssf");
    assert_null(fwd_session(fwd, 11));
    tables_publish(&tables);
    assert_string_equal(order, "ssf");
}

static void a_peer_for_whom_there_is_no_memory_is_tried_again_and_no_other_waits(void **state)
{
    (void)state;
    peer_comes(1, session(1, 11));
    tables_publish(&tables);
    peer_goes(1);
    peer_comes(2, session(2, 12));
    memset(order, 0, sizeof(order));
    no_memory = true;
    tables_publish(&tables);
    assert_string_equal(order, "sf");
    assert_null(fwd_session(fwd, 11));
    assert_null(fwd_session(fwd, 12));
    no_memory = false;
    tables_publish(&tables);
    assert_ptr_equal(fwd_session(fwd, 12), says[2].tx);
    assert_int_equal(asked[1], 2);
    peer_goes(2);
}

static void a_peer_without_a_way_to_it_receives_and_is_not_sent_to(void **state)
{
    (void)state;
    peer_comes(1, session(1, 11));
    path.endpoint.carrier = CARRIER_NONE;
    tables_publish(&tables);
    assert_ptr_equal(fwd_session(fwd, 11), says[1].tx);
    assert_false(fwd_peer(fwd, 1)->has_path);
    says[1].path = NULL;
    tables_change(&tables, 1);
    tables_publish(&tables);
    assert_false(fwd_peer(fwd, 1)->has_path);
    assert_int_equal(fwd_ready_count(fwd), 0);
    peer_goes(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_changed_is_asked_for),
        TEST(nothing_is_freed_or_forgotten_before_workers_have_let_go),
        TEST(what_cannot_be_noted_is_freed_once_workers_have_let_go),
        TEST(a_peer_for_whom_there_is_no_memory_is_tried_again_and_no_other_waits),
        TEST(a_peer_without_a_way_to_it_receives_and_is_not_sent_to),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
