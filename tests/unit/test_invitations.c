/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/invitations: what may be made, how much is kept, and who waits. */

#include "proto/network/invitations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW 1790000000ull

static struct invitation numbered(unsigned n)
{
    struct invitation i = {.uses = 1, .made = NOW, .expires = NOW + 3600};

    memcpy(i.key, &n, sizeof(n));
    return i;
}

static struct node_id node(unsigned n)
{
    struct node_id id = {{0}};

    memcpy(id.bytes, &n, sizeof(n));
    return id;
}

static struct invitations *none(void)
{
    struct invitations *all;

    assert_int_equal(invitations_new(&all), 0);
    return all;
}

static void what_breaks_a_limit_is_not_made(void **state)
{
    struct invitations *all = none();
    struct invitation i;

    (void)state;
    i = numbered(1);
    i.uses = 0;
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    i.uses = INVITATIONS_USES_MAX + 1;
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    i = numbered(1);
    i.expires = i.made;
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    i.expires = i.made + INVITATIONS_LIFE_MAX + 1;
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    i = numbered(1);
    snprintf(i.name, sizeof(i.name), "no name");
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    snprintf(i.name, sizeof(i.name), "berlin"); /* names are unique */
    i.uses = 2;
    assert_int_equal(invitations_add(all, &i, NOW), ERR_ARGUMENT);
    i.uses = 1;
    assert_int_equal(invitations_add(all, &i, NOW), 0);
    assert_int_equal(invitations_add(all, &i, NOW), ERR_EXISTS);
    assert_null(invitations_at(all, 1));
    invitations_free(all);
}

static void those_that_hold_are_bounded_and_ended_ones_give_way(void **state)
{
    struct invitations *all = none();
    struct invitation more = numbered(INVITATIONS_MAX);

    (void)state;
    for (unsigned n = 0; n < INVITATIONS_MAX; n++) {
        struct invitation i = numbered(n);
        assert_int_equal(invitations_add(all, &i, NOW), 0);
    }
    assert_int_equal(invitations_add(all, &more, NOW), ERR_SPACE);
    assert_int_equal(invitations_revoke(all, numbered(7).key), 0);
    assert_int_equal(invitations_add(all, &more, NOW), 0);
    assert_null(invitations_find(all, numbered(7).key));
    assert_non_null(invitations_find(all, more.key));
    more = numbered(INVITATIONS_MAX + 1);
    more.made = NOW + 4000;
    more.expires = more.made + 1;
    assert_int_equal(invitations_add(all, &more, NOW + 4000), 0); /* the others expired */
    assert_int_equal(invitations_revoke(all, numbered(7).key), ERR_NOT_FOUND);
    invitations_free(all);
}

static void as_many_wait_as_may_use_it_and_the_approved_stay(void **state)
{
    struct invitations *all = none();
    struct invitation i = numbered(1);
    struct node_id first = node(1), second = node(2), third = node(3);

    (void)state;
    i.uses = 2;
    assert_int_equal(invitations_add(all, &i, NOW), 0);
    assert_true(invitations_wait(all, &i, &first, "a", NOW));
    assert_false(invitations_wait(all, &i, &first, "a", NOW)); /* told once */
    assert_true(invitations_wait(all, &i, &first, "b", NOW));
    assert_true(invitations_wait(all, &i, &second, "", NOW));
    assert_int_equal(invitations_approve(all, &first), 0);
    assert_true(invitations_wait(all, &i, &third, "", NOW)); /* in the place of the second */
    assert_true(invitations_is_approved(all, &i, &first, "b"));
    assert_null(invitations_waiting_at(all, 2));
    assert_int_equal(id_compare(&invitations_waiting_at(all, 1)->id, &third), 0);
    assert_int_equal(invitations_approve(all, &third), 0);
    assert_false(invitations_wait(all, &i, &second, "", NOW)); /* all places are given */
    assert_int_equal(invitations_approve(all, &second), ERR_NOT_FOUND);
    invitations_free(all);
}

static void all_who_wait_are_bounded_and_the_silent_forgotten(void **state)
{
    struct invitations *all = none();
    struct invitation i = numbered(1);
    struct node_id id;
    size_t n = 0;

    (void)state;
    i.uses = INVITATIONS_USES_MAX;
    assert_int_equal(invitations_add(all, &i, NOW), 0);
    for (unsigned k = 0; k < INVITATIONS_WAITING_MAX + 9; k++) {
        id = node(k);
        assert_true(invitations_wait(all, &i, &id, "", NOW + k));
    }
    while (invitations_waiting_at(all, n))
        n++;
    assert_int_equal(n, INVITATIONS_WAITING_MAX);
    id = node(9);
    assert_int_equal(id_compare(&invitations_waiting_at(all, 0)->id, &id), 0);
    id = node(10000);
    invitations_wait(all, &i, &id, "", NOW + 300 + INVITATIONS_WAITING_LIFE);
    assert_null(invitations_waiting_at(all, 1));
    invitations_free(all);
}

static void the_fullest_has_room_and_is_read_as_it_was_written(void **state)
{
    static uint8_t once[INVITATIONS_ENCODED_MAX], again[INVITATIONS_ENCODED_MAX];
    struct writer a = writer_init(once, sizeof(once)), b = writer_init(again, sizeof(again));
    struct invitations *all = none(), *read = none();
    struct reader r;

    (void)state;
    for (unsigned n = 0; n < INVITATIONS_MAX; n++) {
        struct invitation i = numbered(n);
        memset(i.name, 'n', CERT_LABEL_MAX - 1);
        i.roles = UINT16_MAX;
        assert_int_equal(invitations_add(all, &i, NOW), 0);
        struct node_id id = node(n);
        invitations_wait(all, &i, &id, i.name, UINT64_MAX);
    }
    invitations_encode(all, &a);
    assert_false(a.bad);
    r = reader_init(once, writer_len(&a));
    invitations_decode(read, &r);
    assert_true(!r.bad && reader_left(&r) == 0);
    invitations_encode(read, &b);
    assert_int_equal(writer_len(&b), writer_len(&a));
    assert_memory_equal(again, once, writer_len(&a));
    invitations_free(read);
    invitations_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_a_limit_is_not_made),
        cmocka_unit_test(those_that_hold_are_bounded_and_ended_ones_give_way),
        cmocka_unit_test(as_many_wait_as_may_use_it_and_the_approved_stay),
        cmocka_unit_test(all_who_wait_are_bounded_and_the_silent_forgotten),
        cmocka_unit_test(the_fullest_has_room_and_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
