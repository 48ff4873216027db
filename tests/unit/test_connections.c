/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections have kept the server waiting too long, and which make room. */

#include "backbone/connections.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define MAX        4
#define PER_SOURCE 2
#define LEAVING    1

static struct connections *connections;
static int pairs[MAX + LEAVING][2];
static bool pushed;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < MAX + LEAVING; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) != 0)
            return -1;
    return connections_new(MAX, PER_SOURCE, LEAVING, &connections);
}

static int teardown(void **state)
{
    (void)state;
    connections_free(connections);
    for (int i = 0; i < MAX + LEAVING; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    return 0;
}

/* Connection i begins, from the /64 with that number. */
static struct connection *add(int i, uint8_t subnet, uint64_t now_us)
{
    const struct addr source = {.family = 6, .ip = {0x20, 0x01, 0x0d, 0xb8, 0, subnet, [15] = (uint8_t)i}};
    return connections_add(connections, pairs[i][0], &source, now_us, &pushed);
}

static bool is_cut(int pair)
{
    char byte;
    return recv(pairs[pair][1], &byte, 1, MSG_DONTWAIT) == 0;
}

static void only_those_that_wait_too_long_are_cut_and_once(void **state)
{
    (void)state;
    assert_non_null(add(0, 0, 100));
    assert_non_null(add(1, 1, 200));
    assert_int_equal(connections_cut(connections, 100), 0);
    assert_int_equal(connections_cut(connections, 101), 1);
    assert_true(is_cut(0));
    assert_false(is_cut(1));
    assert_int_equal(connections_cut(connections, 150), 0);
}

static void answered_request_buys_time(void **state)
{
    (void)state;
    struct connection *one = add(0, 0, 100);
    connections_served(connections, one, 300);
    assert_int_equal(connections_cut(connections, 300), 0);
    assert_false(is_cut(0));
    assert_int_equal(connections_cut(connections, 301), 1);
    assert_true(is_cut(0));
}

static void removed_connection_is_left_alone(void **state)
{
    (void)state;
    struct connection *one = add(0, 0, 100);
    connections_remove(connections, one);
    assert_int_equal(connections_cut(connections, 1000), 0);
    assert_false(is_cut(0));
}

static void newcomer_takes_the_place_of_who_waited_longest_in_its_subnet(void **state)
{
    (void)state;
    struct connection *first = add(0, 1, 100);
    add(1, 1, 200);
    assert_false(pushed);
    connections_served(connections, first, 300);
    assert_non_null(add(2, 1, 400));
    assert_true(pushed);
    assert_true(is_cut(1));
    assert_false(is_cut(0));
    assert_non_null(add(3, 2, 500));
    assert_false(pushed);
}

static void newcomer_takes_a_place_of_the_most_crowded_subnet(void **state)
{
    (void)state;
    add(0, 1, 100);
    add(1, 2, 200);
    add(2, 2, 300);
    add(3, 3, 400);
    assert_non_null(add(4, 4, 500));
    assert_true(pushed);
    assert_true(is_cut(1));
    assert_false(is_cut(0));
}

static void number_of_connections_is_bounded_and_places_return(void **state)
{
    (void)state;
    struct connection *all[MAX + LEAVING];
    for (int i = 0; i < MAX + LEAVING; i++)
        assert_non_null(all[i] = add(i, (uint8_t)i, 1));
    assert_null(add(0, 9, 1));
    assert_false(pushed);
    connections_remove(connections, all[2]);
    assert_non_null(add(2, 2, 1));
    assert_null(add(0, 9, 1));
}

static void connection_that_was_pushed_out_is_cut_and_served_no_more(void **state)
{
    (void)state;
    struct connection *loser = add(0, 1, 100);
    add(1, 1, 200);
    add(2, 1, 300);
    assert_true(is_cut(0));
    connections_served(connections, loser, 400);
    assert_int_equal(connections_cut(connections, 250), 1);
    assert_true(is_cut(1));
    connections_remove(connections, loser);
    assert_int_equal(connections_cut(connections, 301), 1);
}

static void connection_beyond_the_bound_is_no_ones_business(void **state)
{
    (void)state;
    connections_served(connections, NULL, 5);
    connections_remove(connections, NULL);
    assert_int_equal(connections_cut(connections, 1000), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_those_that_wait_too_long_are_cut_and_once),
        TEST(answered_request_buys_time),
        TEST(removed_connection_is_left_alone),
        TEST(newcomer_takes_the_place_of_who_waited_longest_in_its_subnet),
        TEST(newcomer_takes_a_place_of_the_most_crowded_subnet),
        TEST(connection_that_was_pushed_out_is_cut_and_served_no_more),
        TEST(number_of_connections_is_bounded_and_places_return),
        TEST(connection_beyond_the_bound_is_no_ones_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
