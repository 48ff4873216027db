/* SPDX-License-Identifier: Apache-2.0 */
/* What every store does: the same cases for SQLite in memory and for a Redis server of the test's own. */

#include "store_lab.h"

#include <stdlib.h>

#define MAX 1000

static struct store_lab lab;

static struct store *fresh(uint64_t max)
{
    return store_lab_fresh(&lab, max);
}

static int put(struct store *s, unsigned number, uint64_t seq, uint64_t expiry_s)
{
    struct test_entry t;
    uint64_t stored_seq;
    return store_lab_put(s, test_entry_init(&t, number, seq, expiry_s), NOW, &stored_seq);
}

static bool copy_entry(void *context, const struct store_entry *e)
{
    struct test_entry *t = context;
    t->entry = *e;
    assert_true(e->record.len <= sizeof(t->record) && e->signature.len <= sizeof(t->signature));
    memcpy(t->record, e->record.data, e->record.len);
    memcpy(t->signature, e->signature.data, e->signature.len);
    return true;
}

static int get(struct store *s, unsigned number, uint64_t now_s, struct test_entry *out)
{
    struct test_entry t;
    return store_lab_get(s, &test_entry_init(&t, number, 0, 0)->id, now_s, copy_entry, out);
}

struct seen {
    unsigned count, stop_after;
    unsigned numbers[MAX];
    size_t record_len;
};

static bool note_entry(void *context, const struct store_entry *e)
{
    struct seen *seen = context;
    seen->numbers[seen->count++] = (unsigned)e->id.bytes[0] << 8 | e->id.bytes[1];
    seen->record_len = e->record.len;
    return seen->count != seen->stop_after;
}

static void stored_entry_comes_back_whole(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct test_entry in, out;
    uint64_t stored_seq;
    test_entry_init(&in, 7, 42, NOW + 10);
    in.entry.is_public = true;
    strcpy(in.entry.name, "Zürich ☃");
    strcpy(in.entry.network, "0123456789012345678901234567890123456789");
    assert_int_equal(store_lab_put(s, &in.entry, NOW, &stored_seq), 0);
    assert_int_equal(get(s, 7, NOW, &out), 0);
    assert_memory_equal(out.entry.id.bytes, in.entry.id.bytes, ID_LEN);
    assert_int_equal(out.entry.seq, 42);
    assert_int_equal(out.entry.expiry_s, NOW + 10);
    assert_true(out.entry.is_public);
    assert_string_equal(out.entry.name, in.entry.name);
    assert_string_equal(out.entry.network, in.entry.network);
    assert_int_equal(out.entry.record.len, sizeof(in.record));
    assert_memory_equal(out.record, in.record, sizeof(in.record));
    assert_int_equal(out.entry.signature.len, sizeof(in.signature));
    assert_memory_equal(out.signature, in.signature, sizeof(in.signature));
    store_close(s);
}

static void older_or_equal_seq_never_replaces(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct test_entry t, out;
    uint64_t stored_seq = 0;
    assert_int_equal(put(s, 1, 10, NOW + 10), 0);
    assert_int_equal(store_lab_put(s, test_entry_init(&t, 1, 10, NOW + 99), NOW, &stored_seq), ERR_EXISTS);
    assert_int_equal(stored_seq, 10);
    assert_int_equal(put(s, 1, 9, NOW + 99), ERR_EXISTS);
    assert_int_equal(get(s, 1, NOW, &out), 0);
    assert_int_equal(out.entry.expiry_s, NOW + 10);
    assert_int_equal(put(s, 1, 11, NOW + 20), 0);
    assert_int_equal(get(s, 1, NOW, &out), 0);
    assert_int_equal(out.entry.seq, 11);
    store_close(s);
}

static void largest_numbers_compare_right(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    assert_int_equal(put(s, 1, STORE_NUMBER_MAX - 1, NOW + 10), 0);
    assert_int_equal(put(s, 1, STORE_NUMBER_MAX, NOW + 10), 0);
    assert_int_equal(put(s, 1, STORE_NUMBER_MAX, NOW + 10), ERR_EXISTS);
    assert_int_equal(put(s, 1, 1, NOW + 10), ERR_EXISTS);
    store_close(s);
}

static void expired_entry_is_not_shown_but_its_seq_stays(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct test_entry out;
    uint64_t count;
    assert_int_equal(put(s, 1, 5, NOW + 10), 0);
    assert_int_equal(get(s, 1, NOW + 9, &out), 0);
    assert_int_equal(get(s, 1, NOW + 10, &out), ERR_NOT_FOUND);
    assert_int_equal(store_lab_count(s, NOW + 9, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(store_lab_count(s, NOW + 10, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(put(s, 1, 4, NOW + 100), ERR_EXISTS);
    store_close(s);
}

static void pruned_entry_is_gone_and_makes_room(void **state)
{
    (void)state;
    struct store *s = fresh(2);
    assert_int_equal(put(s, 1, 5, NOW + 10), 0);
    assert_int_equal(put(s, 2, 5, NOW + 50), 0);
    assert_int_equal(put(s, 3, 1, NOW + 50), ERR_SPACE);
    assert_int_equal(store_lab_prune(s, NOW + 10), 0);
    assert_int_equal(put(s, 3, 1, NOW + 50), ERR_SPACE);
    assert_int_equal(store_lab_prune(s, NOW + 11), 0);
    assert_int_equal(put(s, 3, 1, NOW + 50), 0);
    assert_int_equal(put(s, 1, 1, NOW + 50), ERR_SPACE);
    store_close(s);
}

static void full_store_still_renews(void **state)
{
    (void)state;
    struct store *s = fresh(1);
    assert_int_equal(put(s, 1, 1, NOW + 10), 0);
    assert_int_equal(put(s, 1, 2, NOW + 20), 0);
    assert_int_equal(put(s, 2, 1, NOW + 20), ERR_SPACE);
    store_close(s);
}

static void put_listed(struct store *s, unsigned number, bool is_public, const char *network,
                       uint64_t expiry_s)
{
    struct test_entry t;
    uint64_t stored_seq;
    test_entry_init(&t, number, 1, expiry_s);
    t.entry.is_public = is_public;
    strcpy(t.entry.network, network);
    assert_int_equal(store_lab_put(s, &t.entry, NOW, &stored_seq), 0);
}

static void public_listing_shows_public_nodes_only_in_order(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct seen seen = {0};
    struct store_query q = {.limit = 100, .now_s = NOW};
    for (unsigned n = 9; n > 0; n--)
        put_listed(s, n * 100, n % 2, "net", NOW + (n == 5 ? 0 : 10));
    assert_int_equal(store_lab_list(s, &q, note_entry, &seen), 0);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.numbers[0], 100);
    assert_int_equal(seen.numbers[1], 300);
    assert_int_equal(seen.numbers[2], 700);
    assert_int_equal(seen.numbers[3], 900);
    assert_int_equal(seen.record_len, 0);
    store_close(s);
}

static void network_listing_shows_its_members_only(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct seen seen = {0}, none = {0};
    struct store_query q = {.network = "blue", .limit = 100, .now_s = NOW};
    struct store_query empty = {.network = "", .limit = 100, .now_s = NOW};
    put_listed(s, 1, false, "blue", NOW + 10);
    put_listed(s, 2, true, "green", NOW + 10);
    put_listed(s, 3, true, "blue", NOW + 10);
    put_listed(s, 4, true, "", NOW + 10);
    assert_int_equal(store_lab_list(s, &q, note_entry, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.numbers[0], 1);
    assert_int_equal(seen.numbers[1], 3);
    assert_int_equal(seen.record_len, 64);
    assert_int_equal(store_lab_list(s, &empty, note_entry, &none), 0);
    assert_int_equal(none.count, 0);
    store_close(s);
}

static void pages_join_without_gap_or_overlap(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct seen seen = {0};
    struct node_id after;
    struct store_query q = {.limit = 7, .now_s = NOW};
    for (unsigned n = 1; n <= 300; n++)
        put_listed(s, n, true, "", NOW + 10);
    for (unsigned before = 1; before != seen.count;) {
        before = seen.count;
        assert_int_equal(store_lab_list(s, &q, note_entry, &seen), 0);
        after = (struct node_id){
            {(uint8_t)(seen.numbers[seen.count - 1] >> 8), (uint8_t)seen.numbers[seen.count - 1]}};
        q.after = &after;
    }
    assert_int_equal(seen.count, 300);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(seen.numbers[i], i + 1);
    store_close(s);
}

static void visitor_can_stop_a_listing(void **state)
{
    (void)state;
    struct store *s = fresh(MAX);
    struct seen seen = {.stop_after = 2};
    struct store_query q = {.limit = 100, .now_s = NOW};
    for (unsigned n = 1; n <= 5; n++)
        put_listed(s, n, true, "", NOW + 10);
    assert_int_equal(store_lab_list(s, &q, note_entry, &seen), 0);
    assert_int_equal(seen.count, 2);
    store_close(s);
}

static int open_sqlite(void **state)
{
    (void)state;
    store_lab_open(&lab, false);
    return 0;
}

static int open_redis(void **state)
{
    (void)state;
    store_lab_open(&lab, true);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    store_lab_close(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_entry_comes_back_whole),
        cmocka_unit_test(older_or_equal_seq_never_replaces),
        cmocka_unit_test(largest_numbers_compare_right),
        cmocka_unit_test(expired_entry_is_not_shown_but_its_seq_stays),
        cmocka_unit_test(pruned_entry_is_gone_and_makes_room),
        cmocka_unit_test(full_store_still_renews),
        cmocka_unit_test(public_listing_shows_public_nodes_only_in_order),
        cmocka_unit_test(network_listing_shows_its_members_only),
        cmocka_unit_test(pages_join_without_gap_or_overlap),
        cmocka_unit_test(visitor_can_stop_a_listing),
    };
    int failed = cmocka_run_group_tests_name("sqlite", tests, open_sqlite, close_lab);
    if (!store_lab_has_redis())
        return failed;
    return failed + cmocka_run_group_tests_name("redis", tests, open_redis, close_lab);
}
