/* SPDX-License-Identifier: Apache-2.0 */
/* Doors for UDP between two ends over loopback, which stands for the mesh's device, by a loop of libuv. */
#include "node/doors/datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define TURNS_MAX 1000000

static uv_loop_t loop;
static struct mesh_side mesh;
static struct places places;
static struct doors_counts counts;
static struct door door;
static struct datagrams *datagrams;
static int server, client = -1;

static int open_at_loopback(struct addr *at)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(own);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&own, len), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&own, &len), errno);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&own, at), 0);
    return fd;
}

static void connect_client(void)
{
    if (client >= 0)
        close(client);
    struct sockaddr_storage at;
    struct addr own;
    socklen_t len = addr_to_sockaddr(&door.at, false, &at);
    client = open_at_loopback(&own);
    assert_return_code(connect(client, (struct sockaddr *)&at, len), errno);
}

static int setup_with(uint64_t idle_ms)
{
    const struct datagrams_config config = {&loop, &mesh, &places, &counts, idle_ms};
    assert_int_equal(uv_loop_init(&loop), 0);
    mesh = (struct mesh_side){.broker = -1, .interface = if_nametoindex("lo")};
    places = (struct places){.max = 2};
    counts = (struct doors_counts){0};
    door = (struct door){.kind = DOOR_FORWARD, .udp = true, .target_count = 1};
    door.fd = open_at_loopback(&door.at);
    server = open_at_loopback(&door.targets[0]);
    connect_client();
    return datagrams_new(&config, &datagrams) ? -1 : datagrams_serve(datagrams, &door);
}

static int setup(void **state)
{
    (void)state;
    return setup_with(DATAGRAMS_IDLE_MS);
}

static int setup_for_a_moment(void **state)
{
    (void)state;
    return setup_with(1);
}

static int teardown(void **state)
{
    (void)state;
    datagrams_close(datagrams);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(places.count, 0);
    close(door.fd);
    close(client);
    client = -1;
    close(server);
    return 0;
}

static ssize_t receive_from(int fd, void *out, size_t size, struct sockaddr_storage *from)
{
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        socklen_t len = sizeof(*from);
        ssize_t n = recvfrom(fd, out, size, 0, (struct sockaddr *)from, &len);
        if (n >= 0)
            return n;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    fail_msg("nothing arrived");
    return -1;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void wait_for(enum doors_count which, uint64_t value)
{
    for (unsigned i = 0; i < TURNS_MAX && counts.of[which] != value; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(counts.of[which], value);
}

static void question_goes_there_and_its_answer_comes_back(void **state)
{
    char got[16];
    struct sockaddr_storage from, other;
    (void)state;
    say(client, "question");
    assert_int_equal(receive_from(server, got, sizeof(got), &from), 8);
    assert_memory_equal(got, "question", 8);
    assert_int_equal(sendto(server, "answer", 6, 0, (struct sockaddr *)&from, sizeof(struct sockaddr_in)), 6);
    assert_int_equal(receive_from(client, got, sizeof(got), &other), 6);
    assert_memory_equal(got, "answer", 6);
    say(client, "again");
    assert_int_equal(receive_from(server, got, sizeof(got), &other), 5);
    assert_memory_equal(&from, &other, sizeof(struct sockaddr_in)); /* by the same socket */
    assert_int_equal(counts.of[DOORS_OPEN], 1);
    assert_int_equal(counts.of[DOORS_TO_MESH], 13);
    assert_int_equal(counts.of[DOORS_FROM_MESH], 6);
}

static void clients_take_places_and_beyond_them_nothing_passes(void **state)
{
    (void)state;
    say(client, "a");
    wait_for(DOORS_OPEN, 1);
    connect_client();
    say(client, "b");
    wait_for(DOORS_OPEN, 2);
    connect_client();
    say(client, "c");
    wait_for(DOORS_FULL, 1);
    assert_int_equal(counts.of[DOORS_OPEN], 2);
}

static void client_of_which_nothing_passes_is_forgotten(void **state)
{
    (void)state;
    say(client, "a");
    wait_for(DOORS_SERVED, 1);
    wait_for(DOORS_OPEN, 0);
    assert_int_equal(places.count, 0);
    say(client, "b");
    wait_for(DOORS_SERVED, 2);
}

static void what_nobody_takes_there_is_lost_and_no_end(void **state)
{
    char got[4];
    struct sockaddr_storage from;
    (void)state;
    int port = server;
    close(port);
    say(client, "a");
    wait_for(DOORS_TO_MESH, 1);
    for (unsigned i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT); /* what ICMP says of it */
    struct sockaddr_storage at;
    socklen_t len = addr_to_sockaddr(&door.targets[0], false, &at);
    server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(server, (struct sockaddr *)&at, len), errno);
    say(client, "b");
    assert_int_equal(receive_from(server, got, sizeof(got), &from), 1);
    assert_int_equal(sendto(server, "c", 1, 0, (struct sockaddr *)&from, sizeof(struct sockaddr_in)), 1);
    assert_int_equal(receive_from(client, got, sizeof(got), &from), 1);
}

static void nothing_leaves_before_the_mesh_is_known(void **state)
{
    (void)state;
    mesh.interface = 0;
    say(client, "a");
    wait_for(DOORS_UNREACHABLE, 1);
    assert_int_equal(places.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(question_goes_there_and_its_answer_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_take_places_and_beyond_them_nothing_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(client_of_which_nothing_passes_is_forgotten, setup_for_a_moment,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_nobody_takes_there_is_lost_and_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_leaves_before_the_mesh_is_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
