/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/changes: a log of members that is bounded, and read back as it was written. */

#include "proto/network/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct changes *changes;
static uint8_t file[CHANGES_ENCODED_MAX];

static int setup(void **state)
{
    (void)state;
    return changes_new(&changes);
}

static int teardown(void **state)
{
    (void)state;
    changes_free(changes);
    return 0;
}

static struct node_id id_of(unsigned number)
{
    return (struct node_id){{(uint8_t)(number >> 8), (uint8_t)number, 1}};
}

static void put(enum change_kind kind, unsigned member, unsigned signer)
{
    struct change c = {.kind = kind, .time = 1000 + member, .id = id_of(member), .signer = id_of(signer)};

    c.until = kind == CHANGE_REVOKED ? 0 : UINT64_MAX - member;
    snprintf(c.name, sizeof(c.name), "node-%u", member);
    snprintf(c.by, sizeof(c.by), "token %u", member);
    changes_put(changes, &c);
}

static unsigned count_of(enum change_kind kind, unsigned signer)
{
    const struct node_id id = id_of(signer);
    unsigned count = 0;

    for (size_t i = 0; i < changes_count(changes); i++)
        count +=
            changes_at(changes, i)->kind == kind && id_compare(&changes_at(changes, i)->signer, &id) == 0;
    return count;
}

static void the_newest_of_a_member_is_found(void **state)
{
    const struct node_id one = id_of(1), none = id_of(9);

    (void)state;
    put(CHANGE_JOINED, 1, 7);
    put(CHANGE_JOINED, 2, 7);
    put(CHANGE_REVOKED, 1, 7);
    assert_int_equal(changes_last(changes, &one)->kind, CHANGE_REVOKED);
    assert_null(changes_last(changes, &none));
    assert_int_equal(changes_at(changes, 0)->kind, CHANGE_JOINED);
    assert_null(changes_at(changes, 3));
    assert_int_equal(changes_version(changes), 3);
}

static void a_full_log_loses_the_oldest_renewals_first(void **state)
{
    (void)state;
    put(CHANGE_JOINED, 1, 7);
    for (unsigned i = 0; i < CHANGES_MAX + 5; i++)
        put(CHANGE_RENEWED, i, 7);
    assert_int_equal(changes_count(changes), CHANGES_MAX);
    assert_int_equal(changes_at(changes, 0)->kind, CHANGE_JOINED);
    assert_int_equal(changes_at(changes, 1)->time, 1000 + 6);
    for (unsigned i = 0; i < CHANGES_MAX + 5; i++)
        put(CHANGE_JOINED, i, 7);
    assert_int_equal(changes_count(changes), CHANGES_MAX);
    assert_int_equal(count_of(CHANGE_RENEWED, 7), 0);
    assert_int_equal(changes_at(changes, 0)->time, 1000 + 5);
}

static void an_issuer_that_floods_it_pushes_out_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        put(CHANGE_RENEWED, i, 7);
    for (unsigned i = 0; i < 3 * CHANGES_MAX; i++)
        put(CHANGE_JOINED, i, 8);
    assert_int_equal(changes_count(changes), CHANGES_MAX);
    assert_int_equal(count_of(CHANGE_RENEWED, 7), 40);
}

static size_t encode(void)
{
    struct writer w = writer_init(file, sizeof(file));

    changes_encode(changes, &w);
    assert_false(w.bad);
    return writer_len(&w);
}

static void what_is_written_is_read_back(void **state)
{
    struct changes *again;

    (void)state;
    put(CHANGE_JOINED, 1, 7);
    put(CHANGE_EXPIRED, 2, 8);
    size_t len = encode();
    assert_int_equal(changes_new(&again), 0);
    assert_int_equal(changes_decode(again, file, len), 0);
    assert_int_equal(changes_count(again), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct change *a = changes_at(changes, i), *b = changes_at(again, i);
        assert_true(a->kind == b->kind && a->time == b->time && a->until == b->until);
        assert_true(id_compare(&a->id, &b->id) == 0 && id_compare(&a->signer, &b->signer) == 0);
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->by, b->by);
    }
    changes_free(again);
}

static void the_longest_log_fits_its_file(void **state)
{
    struct change c = {.kind = CHANGE_EXPIRED, .time = UINT64_MAX, .until = UINT64_MAX};

    (void)state;
    memset(c.name, 'n', sizeof(c.name) - 1);
    memset(c.by, 'b', sizeof(c.by) - 1);
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        changes_put(changes, &c);
    assert_true(encode() > CHANGES_MAX * 100);
}

static void damaged_file_is_none(void **state)
{
    struct changes *again;

    (void)state;
    put(CHANGE_JOINED, 1, 7);
    size_t len = encode();
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(changes_new(&again), 0);
        assert_int_equal(changes_decode(again, file, cut), ERR_FORMAT);
        changes_free(again);
    }
    file[4] = 0; /* a kind that there is not */
    assert_int_equal(changes_new(&again), 0);
    assert_int_equal(changes_decode(again, file, len), ERR_FORMAT);
    changes_free(again);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_of_a_member_is_found),
        TEST(a_full_log_loses_the_oldest_renewals_first),
        TEST(an_issuer_that_floods_it_pushes_out_its_own),
        TEST(what_is_written_is_read_back),
        TEST(the_longest_log_fits_its_file),
        TEST(damaged_file_is_none),
    };

    return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
