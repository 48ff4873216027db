/* SPDX-License-Identifier: Apache-2.0 */
/* node/netcheck/survey: a server of this test's own stands for a NAT, by what it says of the sockets that ask. */

#include "node/netcheck/survey.h"

#include "net/udp.h"
#include "proto/message/stun.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOT  7
#define FIRST 30000

enum manner { KEEPS, COUNTS_UP, COUNTS_DOWN, DRAWS, IS_SILENT, LOSES_ONE };

static uv_loop_t loop;
static uv_poll_t poll;
static struct udp_socket server;
static struct addr at; /* whom to ask; family 0: nobody */
static struct survey *survey;
static enum manner manner;
static unsigned asked, told;
static struct punch_seen seen;
static struct udp_socket kept; /* fd -1: none … */
static uint32_t keeper;        /* … and whose it is */
static bool takes;

static uint16_t port_of(const struct addr *from)
{
    switch (manner) {
    case KEEPS:
        return from->port;
    case COUNTS_UP:
    case LOSES_ONE:
        return (uint16_t)(FIRST + 3 * asked);
    case COUNTS_DOWN:
        return (uint16_t)(FIRST - asked);
    case DRAWS:
        return (uint16_t)(FIRST + 1000 * asked);
    case IS_SILENT:
        break;
    }
    return 0;
}

static void on_request(uv_poll_t *handle, int status, int events)
{
    (void)handle, (void)status, (void)events;
    uint8_t data[256], answer[STUN_MESSAGE_MAX], transaction[STUN_TRANSACTION_LEN];
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    ssize_t n = recvfrom(server.fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&sa, &len);
    if (n < 0)
        return;
    struct addr mapped;
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, &mapped), 0);
    assert_int_equal(stun_request_decode(data, (size_t)n, transaction), 0);
    mapped.port = port_of(&mapped);
    asked++;
    if (manner == IS_SILENT || (manner == LOSES_ONE && asked == 1))
        return;
    size_t answer_len = stun_response_encode(transaction, &mapped, answer);
    assert_int_equal(sendto(server.fd, answer, answer_len, 0, (struct sockaddr *)&sa, len), answer_len);
}

static const struct addr *on_server(void *context)
{
    assert_ptr_equal(context, &loop);
    return &at;
}

static bool on_seen(void *context, uint32_t slot, const struct punch_seen *found,
                    const struct udp_socket *first)
{
    assert_ptr_equal(context, &loop);
    assert_true(slot == SLOT || slot == SLOT + 1);
    seen = *found;
    told++;
    if (!first || !takes)
        return false;
    assert_int_equal(kept.fd, -1);
    kept = *first;
    keeper = slot;
    return true;
}

static int setup(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(udp_open(0, 1, &server), 0);
    uv_poll_init(&loop, &poll, server.fd);
    uv_poll_start(&poll, UV_READABLE, on_request);
    at = (struct addr){.family = 4, .port = server.port, .ip = {127, 0, 0, 1}};
    const struct survey_config config = {&loop, on_server, on_seen, &loop};
    assert_int_equal(survey_new(&config, &survey), 0);
    asked = told = 0;
    kept.fd = -1;
    takes = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    survey_close(survey);
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    udp_close(&server, 1);
    if (kept.fd >= 0)
        udp_close(&kept, 1);
    return 0;
}

static void look(unsigned most_told)
{
    while (told < most_told)
        uv_run(&loop, UV_RUN_ONCE);
}

static void one_socket_is_enough_where_ports_are_kept(void **state)
{
    (void)state;
    manner = KEEPS;
    survey_look(survey, SLOT, false);
    survey_look(survey, SLOT + 1, false); /* while it runs */
    look(2);
    assert_int_equal(seen.ports, NAT_PORTS_KEPT);
    assert_int_equal(asked, 1);
    survey_look(survey, SLOT, false); /* that holds for a while … */
    assert_int_equal(told, 3);
    survey_forget(survey); /* … unless the network changes */
    survey_look(survey, SLOT, false);
    look(4);
    assert_int_equal(asked, 2);
}

static void assert_found(enum manner how, enum nat_ports ports, int32_t step)
{
    manner = how;
    asked = told = 0;
    survey_forget(survey);
    survey_look(survey, SLOT, false);
    look(1);
    assert_int_equal(seen.ports, ports);
    assert_int_equal(seen.step, step);
}

static void two_sockets_tell_a_sequence_from_chance(void **state)
{
    (void)state;
    assert_found(COUNTS_UP, NAT_PORTS_SEQUENTIAL, 3);
    assert_int_equal(seen.last.port, FIRST + 3);
    assert_found(COUNTS_DOWN, NAT_PORTS_SEQUENTIAL, -1);
    assert_found(DRAWS, NAT_PORTS_RANDOM, 1000);
    assert_found(LOSES_ONE, NAT_PORTS_SEQUENTIAL, 3);
    assert_int_equal(asked, 3);
}

/* Others may come between: it is looked at anew each time. */
static void a_sequence_is_not_remembered(void **state)
{
    (void)state;
    assert_found(COUNTS_UP, NAT_PORTS_SEQUENTIAL, 3);
    survey_look(survey, SLOT, false);
    look(2);
    assert_int_equal(asked, 4);
    assert_int_equal(seen.last.port, FIRST + 9);
}

static void nothing_is_known_where_no_server_is_or_answers(void **state)
{
    (void)state;
    assert_found(IS_SILENT, NAT_PORTS_UNKNOWN, 0);
    assert_int_equal(asked, 3);
    at = (struct addr){0};
    assert_found(KEEPS, NAT_PORTS_UNKNOWN, 0);
    assert_int_equal(asked, 0);
}

/* Though what the last look found still holds: it is a fresh port that is wanted. */
static void the_first_socket_is_kept_for_who_asks_for_it_first(void **state)
{
    (void)state;
    manner = KEEPS;
    survey_look(survey, SLOT, false);
    look(1);
    assert_int_equal(kept.fd, -1);
    survey_look(survey, SLOT, true);
    survey_look(survey, SLOT + 1, true);
    look(3);
    assert_int_equal(asked, 2);
    assert_true(kept.fd >= 0);
    assert_int_equal(keeper, SLOT);
    uint16_t port = kept.port;
    udp_close(&kept, 1);
    manner = COUNTS_UP;
    survey_look(survey, SLOT + 1, true);
    look(4);
    assert_int_equal(keeper, SLOT + 1);
    assert_true(kept.fd >= 0 && kept.port != port);
    assert_int_equal(seen.fresh.port, FIRST + 6);
    assert_int_equal(seen.last.port, FIRST + 9);
}

/* The next to be opened has the lowest number that is free. */
static int next_fd(void)
{
    int fd = dup(server.fd);
    close(fd);
    return fd;
}

static void a_first_socket_that_nobody_takes_is_closed(void **state)
{
    (void)state;
    manner = KEEPS;
    takes = false;
    int before = next_fd();
    survey_look(survey, SLOT, true);
    look(1);
    assert_int_equal(seen.fresh.port != 0, true);
    assert_int_equal(next_fd(), before);
    manner = IS_SILENT;
    survey_look(survey, SLOT, true);
    look(2);
    assert_int_equal(seen.fresh.family, 0);
    assert_int_equal(next_fd(), before);
}

/* At an exit in the middle of it. */
static void what_is_closed_tells_nobody(void **state)
{
    (void)state;
    manner = IS_SILENT;
    survey_look(survey, SLOT, false);
    assert_int_equal(told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_socket_is_enough_where_ports_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sockets_tell_a_sequence_from_chance, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sequence_is_not_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_known_where_no_server_is_or_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_socket_is_kept_for_who_asks_for_it_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_first_socket_that_nobody_takes_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_closed_tells_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
