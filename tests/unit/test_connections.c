/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections have kept the server waiting too long. */

#include "backbone/connections.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define MAX 4

static struct connections *connections;
static int pairs[MAX][2];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < MAX; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) != 0)
            return -1;
    return connections_new(MAX, &connections);
}

static int teardown(void **state)
{
    (void)state;
    connections_free(connections);
    for (int i = 0; i < MAX; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    return 0;
}

static bool is_cut(int pair)
{
    char byte;
    return recv(pairs[pair][1], &byte, 1, MSG_DONTWAIT) == 0;
}

static void only_those_that_wait_too_long_are_cut_and_once(void **state)
{
    (void)state;
    assert_non_null(connections_add(connections, pairs[0][0], 100));
    assert_non_null(connections_add(connections, pairs[1][0], 200));
    assert_int_equal(connections_cut(connections, 100), 0);
    assert_int_equal(connections_cut(connections, 101), 1);
    assert_true(is_cut(0));
    assert_false(is_cut(1));
    assert_int_equal(connections_cut(connections, 150), 0);
}

static void answered_request_buys_time(void **state)
{
    (void)state;
    struct connection *one = connections_add(connections, pairs[0][0], 100);
    connections_served(connections, one, 300);
    assert_int_equal(connections_cut(connections, 300), 0);
    assert_false(is_cut(0));
    assert_int_equal(connections_cut(connections, 301), 1);
    assert_true(is_cut(0));
}

static void removed_connection_is_left_alone(void **state)
{
    (void)state;
    struct connection *one = connections_add(connections, pairs[0][0], 100);
    connections_remove(connections, one);
    assert_int_equal(connections_cut(connections, 1000), 0);
    assert_false(is_cut(0));
}

static void number_of_connections_is_bounded_and_places_return(void **state)
{
    (void)state;
    struct connection *all[MAX];
    for (int i = 0; i < MAX; i++)
        assert_non_null(all[i] = connections_add(connections, pairs[i][0], 1));
    assert_null(connections_add(connections, pairs[0][0], 1));
    connections_remove(connections, all[2]);
    assert_non_null(connections_add(connections, pairs[2][0], 1));
    assert_null(connections_add(connections, pairs[0][0], 1));
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
        TEST(number_of_connections_is_bounded_and_places_return),
        TEST(connection_beyond_the_bound_is_no_ones_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
