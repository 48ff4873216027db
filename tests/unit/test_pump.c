/* SPDX-License-Identifier: Apache-2.0 */
/* The pump between two real TCP connections over loopback, by a loop of libuv. */
#include "node/doors/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 100000

static uv_loop_t loop;
static struct pipes pipes;
static uint64_t bytes[2];
static unsigned ended;
static int left, right; /* the ends of who speak by the pump */
static struct pump *pump;

static void on_ended(void *context)
{
    (void)context;
    ended++;
}

static void set_blocking(int fd, bool on)
{
    assert_return_code(fcntl(fd, F_SETFL, on ? 0 : O_NONBLOCK), errno);
}

/* A connection: one end is ours, the other the pump's. */
static void connect_pair(int *ours, int *pumps)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&at, len), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_return_code(getsockname(listener, (struct sockaddr *)&at, &len), errno);
    *ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(connect(*ours, (struct sockaddr *)&at, len), errno);
    *pumps = accept(listener, NULL, NULL);
    assert_return_code(*pumps, errno);
    close(listener);
    set_blocking(*ours, false);
    set_blocking(*pumps, false);
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

static int setup(void **state)
{
    int fds[2];
    (void)state;
    ended = 0;
    bytes[0] = bytes[1] = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    connect_pair(&left, &fds[0]);
    connect_pair(&right, &fds[1]);
    const struct pump_config config = {
        .loop = &loop, .pipes = &pipes, .bytes = {&bytes[0], &bytes[1]}, .ended = on_ended};
    return pump_new(&config, fds, &pump);
}

static int teardown(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT); /* a pump that has not ended would hold it up */
    assert_int_equal(uv_loop_close(&loop), 0);
    close(left);
    close(right);
    pipes_fini(&pipes);
    return 0;
}

/* Turns of the loop until fd has something, or its end: what recv says then, with errno. */
static ssize_t receive(int fd, void *out, size_t size)
{
    ssize_t n = -1;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        n = recv(fd, out, size, 0);
        if (n >= 0 || errno != EAGAIN)
            return n;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    fail_msg("nothing arrived");
    return n;
}

static void run_until_ended(void)
{
    for (unsigned i = 0; i < TURNS_MAX && !ended; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(ended, 1);
}

static void bytes_pass_both_ways_and_each_way_ends_by_itself(void **state)
{
    char got[16];
    (void)state;
    assert_int_equal(send(left, "to the right", 12, 0), 12);
    assert_int_equal(receive(right, got, sizeof(got)), 12);
    assert_memory_equal(got, "to the right", 12);
    assert_return_code(shutdown(left, SHUT_WR), errno);
    assert_int_equal(receive(right, got, sizeof(got)), 0);
    assert_int_equal(ended, 0);
    assert_int_equal(send(right, "still", 5, 0), 5);
    assert_int_equal(receive(left, got, sizeof(got)), 5);
    assert_return_code(shutdown(right, SHUT_WR), errno);
    assert_int_equal(receive(left, got, sizeof(got)), 0);
    run_until_ended();
    assert_int_equal(bytes[0], 12);
    assert_int_equal(bytes[1], 5);
}

static void reset(int *fd)
{
    const struct linger at_once = {.l_onoff = 1};
    assert_return_code(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), errno);
    close(*fd);
    *fd = -1;
}

static void reset_of_one_is_a_reset_of_the_other(void **state)
{
    char got[4];
    (void)state;
    assert_int_equal(send(left, "some", 4, 0), 4);
    assert_int_equal(receive(right, got, sizeof(got)), 4);
    reset(&left);
    assert_int_equal(receive(right, got, sizeof(got)), -1);
    assert_int_equal(errno, ECONNRESET);
    run_until_ended();
}

/* Fills all buffers of one way. Returns what went in. */
static size_t flood(int fd)
{
    static uint8_t piece[65536];
    size_t sent = 0;
    for (unsigned idle = 0; idle < 100; uv_run(&loop, UV_RUN_NOWAIT)) {
        ssize_t n = send(fd, piece, sizeof(piece), 0);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
    }
    return sent;
}

static void one_way_that_is_stuck_holds_one_pipe_and_not_the_other_way(void **state)
{
    static uint8_t piece[65536];
    unsigned before = count_files();
    (void)state;
    size_t sent = flood(left), got = 0;
    assert_int_equal(count_files(), before + 2);
    assert_int_equal(send(right, "back", 4, 0), 4);
    assert_int_equal(receive(left, piece, sizeof(piece)), 4);
    while (got < sent)
        got += (size_t)receive(right, piece, sizeof(piece));
    assert_int_equal(got, sent);
    assert_int_equal(bytes[0], sent);
    pump_close(pump);
}

static void closed_pump_breaks_both_and_leaves_nothing_open(void **state)
{
    char got[4];
    (void)state;
    flood(left);
    unsigned before = count_files();
    pump_close(pump);
    assert_int_equal(count_files() - pipes.count * 2, before - 4); /* two sockets, a pipe */
    assert_int_equal(ended, 0);
    while (receive(right, got, sizeof(got)) > 0)
        ;
    assert_int_equal(errno, ECONNRESET);
}

static void what_is_between_them_is_moved_by_few_pipes(void **state)
{
    char got[4];
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(send(left, "some", 4, 0), 4);
        assert_int_equal(receive(right, got, sizeof(got)), 4);
        assert_int_equal(send(right, "some", 4, 0), 4);
        assert_int_equal(receive(left, got, sizeof(got)), 4);
    }
    assert_int_equal(pipes.count, 1);
    pump_close(pump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_pass_both_ways_and_each_way_ends_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_of_one_is_a_reset_of_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(one_way_that_is_stuck_holds_one_pipe_and_not_the_other_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closed_pump_breaks_both_and_leaves_nothing_open, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_between_them_is_moved_by_few_pipes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
