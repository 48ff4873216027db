/* SPDX-License-Identifier: Apache-2.0 */
/* The helper that keeps an uplink, really forked, between this test as a node and a WebSocket server of this test's own: what
 * passes each way, what is lost, and how a connection ends. Frames are written and read by hand here. */
#include "crypto/websocket.h"
#include "node/helper/backbone_helper.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/uplink_channel.h"
#include "proto/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS  20000
#define WORKERS  2
#define LOOPBACK 1 /* the interface */

enum opcode { BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct fixture {
    int listener, server; /* the server's ends: of the port, of the present connection */
    int helper;           /* the channel for requests */
    struct uplink_ends node;
    char url[64];
    struct backbone_helper_config config;
    size_t len;
    uint8_t packet[UPLINK_MESSAGE_MAX]; /* the last one that the node received */
};

/* ---- the node ---- */

static void await(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static void receive(struct fixture *f, int fd)
{
    await(fd);
    ssize_t len = uplink_channel_receive(fd, f->packet);
    assert_true(len > 0);
    f->len = (size_t)len;
}

/* What the helper says next on the uplink's channel. */
static struct helper_message hear(struct fixture *f)
{
    struct helper_message m;
    receive(f, f->node.control);
    assert_true(uplink_channel_is_told(f->packet));
    assert_int_equal(uplink_channel_read(f->packet, f->len, &m), 0);
    return m;
}

static void tell(struct fixture *f, enum helper_kind kind)
{
    const struct helper_message m = {.kind = kind, .number = WORKERS};
    assert_int_equal(uplink_channel_tell(f->node.control, &m), 0);
}

static void send_packet(int fd, const void *data, size_t len)
{
    const struct iovec whole = {(void *)data, len};
    assert_int_equal(uplink_channel_send(fd, &whole, 1), 0);
}

/* ---- the server ---- */

static void read_all(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        await(fd);
        ssize_t n = recv(fd, (uint8_t *)out + at, len - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

static void write_all(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Accepts, and reads a request up to its empty line. */
static void take_request(struct fixture *f, char *out, size_t cap)
{
    size_t len = 0;
    await(f->listener);
    f->server = accept(f->listener, NULL, NULL);
    assert_true(f->server >= 0);
    while (len < 4 || memcmp(out + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < cap - 1);
        read_all(f->server, out + len++, 1);
    }
    out[len] = '\0';
}

static void upgrade(struct fixture *f)
{
    char request[2048], accept[WEBSOCKET_ACCEPT_LEN + 1], text[512];
    take_request(f, request, sizeof(request));
    assert_memory_equal(request, "GET /v1/link HTTP/1.1\r\n", 23);
    const char *key = strstr(request, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    assert_int_equal(websocket_accept(key + 19, accept), 0);
    int len = snprintf(text, sizeof(text),
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: shadowmesh.link.v1\r\n\r\n",
                       accept);
    write_all(f->server, text, (size_t)len);
}

static void say(struct fixture *f, enum opcode opcode, const void *data, size_t len)
{
    uint8_t head[4] = {(uint8_t)(0x80 | opcode), (uint8_t)len};
    if (len > 125) {
        head[1] = 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
    }
    write_all(f->server, head, len > 125 ? 4 : 2);
    write_all(f->server, data, len);
}

/* The next frame of the helper, which has to be masked. */
static enum opcode listen_to(struct fixture *f, uint8_t *out, size_t *len)
{
    uint8_t head[2], more[2], mask[4];
    read_all(f->server, head, 2);
    assert_true(head[1] & 0x80);
    *len = head[1] & 0x7f;
    assert_true(*len <= 126);
    if (*len == 126) {
        read_all(f->server, more, 2);
        *len = (size_t)more[0] << 8 | more[1];
    }
    read_all(f->server, mask, 4);
    read_all(f->server, out, *len);
    for (size_t i = 0; i < *len; i++)
        out[i] ^= mask[i % 4];
    return (enum opcode)(head[0] & 0x0f);
}

static void assert_heard(struct fixture *f, const void *data, size_t len)
{
    static uint8_t got[UPLINK_MESSAGE_MAX];
    size_t got_len;
    assert_int_equal(listen_to(f, got, &got_len), BINARY);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, data, len);
}

/* ---- a pair of them ---- */

static void listen_at(struct fixture *f)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(f->listener, 8), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&sa, &len), 0);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", ntohs(sa.sin_port));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int more[1 + WORKERS], node[2 + WORKERS];
    *state = f;
    f->server = -1;
    listen_at(f);
    f->config = (struct backbone_helper_config){.count = 1,
                                                .places[0] = {.url = f->url, .ends.worker_count = WORKERS}};
    struct helper_job job = {.title = "test: backbone",
                             .name = "backbone",
                             .more = more,
                             .more_count = 1 + WORKERS,
                             .run = backbone_helper_run,
                             .context = &f->config};
    assert_int_equal(helper_channel_open(&f->helper, &job.fd), 0);
    assert_int_equal(uplink_channel_open(&f->node.control, &more[0]), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(uplink_channel_open(&f->node.workers[i], &more[1 + i]), 0);
    f->config.places[0].ends.control = more[0];
    memcpy(f->config.places[0].ends.workers, more + 1, sizeof(*more) * WORKERS);
    memcpy(node, (int[]){f->helper, f->node.control, f->node.workers[0], f->node.workers[1]}, sizeof(node));
    assert_int_equal(helper_keeper_start(&job, 1, node, 2 + WORKERS, false), 0);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_READY);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status = -1;
    close(f->helper);
    close(f->node.control);
    for (unsigned i = 0; i < WORKERS; i++)
        close(f->node.workers[i]);
    close(f->listener);
    if (f->server >= 0)
        close(f->server);
    free(f);
    return waitpid(-1, &status, 0) > 0 && status == 0 ? 0 : -1;
}

static void connect_both(struct fixture *f)
{
    if (f->server >= 0)
        close(f->server);
    tell(f, HELPER_UPLINK_CONNECT);
    upgrade(f);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_OPEN);
}

/* A message of datagrams whose one datagram is DATA of this lane. */
static void make_batch(uint8_t lane, uint32_t receiver, uint8_t out[UPLINK_BATCH_HEAD_LEN + 64])
{
    memset(out, 0, UPLINK_BATCH_HEAD_LEN + 64);
    out[0] = UPLINK_DATAGRAMS;
    out[UPLINK_BATCH_HEAD_LEN - 1] = 64;
    out[UPLINK_BATCH_HEAD_LEN] = WIRE_DATA;
    out[UPLINK_BATCH_HEAD_LEN + 1] = lane;
    out[UPLINK_BATCH_HEAD_LEN + 7] = (uint8_t)receiver;
}

/* ---- tests ---- */

static void messages_pass_as_they_are_both_ways(void **state)
{
    struct fixture *f = *state;
    static uint8_t longest[UPLINK_CONTROL_MAX] = {UPLINK_DATA, 0, 0, 0, 1, 7};
    connect_both(f);
    send_packet(f->node.control, longest, sizeof(longest));
    send_packet(f->node.control,
                "\x06"
                "abc",
                4);
    assert_heard(f, longest, sizeof(longest));
    assert_heard(f,
                 "\x06"
                 "abc",
                 4);
    say(f, BINARY,
        "\x01"
        "xyz",
        4);
    receive(f, f->node.control);
    assert_true(f->len == 4 && memcmp(f->packet,
                                      "\x01"
                                      "xyz",
                                      4) == 0);
}

static void datagrams_of_one_lane_go_to_one_worker(void **state)
{
    struct fixture *f = *state;
    uint8_t batch[UPLINK_BATCH_HEAD_LEN + 64];
    connect_both(f);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t lane = i % 4;
        uint32_t receiver = i / 4;
        make_batch(lane, receiver, batch);
        say(f, BINARY, batch, sizeof(batch));
        receive(f, f->node.workers[wire_worker(lane, receiver, WORKERS)]);
        assert_memory_equal(f->packet, batch, sizeof(batch));
    }
    make_batch(1, 0, batch);
    batch[UPLINK_BATCH_HEAD_LEN] = WIRE_PROBE;
    say(f, BINARY, batch, sizeof(batch));
    receive(f, f->node.workers[0]);
}

static void datagrams_of_each_worker_are_sent(void **state)
{
    struct fixture *f = *state;
    uint8_t batch[UPLINK_BATCH_HEAD_LEN + 64];
    connect_both(f);
    for (unsigned i = 0; i < WORKERS; i++) {
        make_batch((uint8_t)i, 0, batch);
        send_packet(f->node.workers[i], batch, sizeof(batch));
        assert_heard(f, batch, sizeof(batch));
    }
}

static void backbone_cannot_speak_for_the_helper(void **state)
{
    struct fixture *f = *state;
    const struct helper_message forged = {.kind = HELPER_UPLINK_CLOSED, .text = "forged"};
    uint8_t bytes[1 + HELPER_MESSAGE_MAX] = {0};
    size_t len;
    assert_int_equal(helper_message_encode(&forged, bytes + 1, &len), 0);
    connect_both(f);
    say(f, BINARY, bytes, 1 + len);
    say(f, BINARY, "", 0);
    say(f, BINARY, "\x01", 1);
    receive(f, f->node.control);
    assert_true(f->len == 1 && f->packet[0] == 1);
}

static void what_the_backbone_closes_is_told_with_its_reason(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    say(f, CLOSE, "\x0f\xa2replaced\x1b[2J", 14);
    struct helper_message m = hear(f);
    assert_int_equal(m.kind, HELPER_UPLINK_CLOSED);
    assert_int_equal(m.number, UPLINK_CLOSE_REPLACED);
    assert_string_equal(m.text, "replaced?[2J");
    connect_both(f);
}

static void connection_that_breaks_off_is_told_and_made_anew(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    shutdown(f->server, SHUT_RDWR);
    struct helper_message m = hear(f);
    assert_int_equal(m.kind, HELPER_UPLINK_CLOSED);
    assert_string_equal(m.text, "the connection broke off");
    send_packet(f->node.control, "\x06late", 5);
    connect_both(f);
    send_packet(f->node.control, "\x06new", 4);
    assert_heard(f, "\x06new", 4);
}

/* Its URL is the message's, which is gone by the time that the request is sent. */
static void other_instance_is_asked_by_its_own_name(void **state)
{
    struct fixture *f = *state;
    char request[2048], host[96];
    struct helper_message m = {.kind = HELPER_UPLINK_CONNECT, .number = WORKERS};
    close(f->listener);
    listen_at(f);
    helper_message_set_text(&m, f->url);
    assert_int_equal(uplink_channel_tell(f->node.control, &m), 0);
    take_request(f, request, sizeof(request));
    snprintf(host, sizeof(host), "GET /v1/link HTTP/1.1\r\nHost: %s\r\n", f->url + strlen("http://"));
    assert_memory_equal(request, host, strlen(host));
}

static void connect_by(struct fixture *f, uint32_t interface)
{
    const struct helper_message m = {
        .kind = HELPER_UPLINK_CONNECT, .number = WORKERS, .interface = interface};
    assert_int_equal(uplink_channel_tell(f->node.control, &m), 0);
}

static void uplink_leaves_by_the_interface_that_it_is_told(void **state)
{
    struct fixture *f = *state;
    connect_by(f, LOOPBACK);
    upgrade(f);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_OPEN);
    shutdown(f->server, SHUT_RDWR);
    assert_int_equal(hear(f).number, HELPER_END_BROKEN);
    connect_by(f, INT32_MAX); /* there is none of that number */
    struct helper_message m = hear(f);
    assert_int_equal(m.number, HELPER_END_SILENT);
    assert_string_equal(m.text, "No such device");
    connect_both(f);
}

static void backbone_cannot_tell_an_end_that_is_the_helpers_to_tell(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    say(f, CLOSE, "\x00\x01", 2);
    struct helper_message m = hear(f);
    assert_true(m.kind == HELPER_UPLINK_CLOSED && m.number == HELPER_END_BROKEN);
}

static void ping_is_answered(void **state)
{
    struct fixture *f = *state;
    uint8_t got[128];
    size_t len;
    connect_both(f);
    say(f, PING, "well?", 5);
    assert_int_equal(listen_to(f, got, &len), PONG);
    assert_true(len == 5 && memcmp(got, "well?", 5) == 0);
}

static void backbone_that_does_not_answer_a_check_is_left(void **state)
{
    struct fixture *f = *state;
    uint8_t got[128];
    size_t len;
    connect_both(f);
    tell(f, HELPER_UPLINK_CHECK);
    assert_int_equal(listen_to(f, got, &len), PING);
    say(f, PONG, got, len);
    tell(f, HELPER_UPLINK_CHECK);
    assert_int_equal(listen_to(f, got, &len), PING);
    struct helper_message m = hear(f);
    assert_string_equal(m.text, "the backbone does not answer any more");
    assert_int_equal(m.number, HELPER_END_SILENT);
}

static void server_that_is_no_backbone_is_told(void **state)
{
    struct fixture *f = *state;
    char request[2048];
    tell(f, HELPER_UPLINK_CONNECT);
    take_request(f, request, sizeof(request));
    write_all(f->server, "HTTP/1.1 404 Not Found\r\n\r\n", 26);
    assert_string_equal(hear(f).text,
                        "it keeps no uplinks: its version is older, or there is no backbone at this URL");
}

static void port_that_is_closed_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(shutdown(f->listener, SHUT_RDWR), 0);
    tell(f, HELPER_UPLINK_CONNECT);
    assert_string_equal(hear(f).text, "Connection refused");
}

static void message_longer_than_any_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    static const uint8_t head[11] = {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 24};
    connect_both(f);
    write_all(f->server, head, sizeof(head));
    assert_string_equal(hear(f).text, "the backbone broke the rules of WebSockets");
}

static void text_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    say(f, 1, "hello", 5);
    assert_string_equal(hear(f).text, "the backbone broke the rules of WebSockets");
}

/* The keeper starts another one, which knows of no connection. */
static void node_that_breaks_the_rules_gets_a_new_helper(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    send_packet(f->node.workers[0], "\x06no datagrams at all in this", 29);
    assert_int_equal(hear(f).kind, HELPER_UPLINK_READY);
    connect_both(f);
}

static void datagrams_that_the_backbone_does_not_take_are_lost_and_counted(void **state)
{
    struct fixture *f = *state;
    static uint8_t batch[UPLINK_BATCH_HEAD_LEN + 60000];
    connect_both(f);
    make_batch(0, 0, batch);
    batch[UPLINK_BATCH_HEAD_LEN - 2] = 60000 >> 8;
    batch[UPLINK_BATCH_HEAD_LEN - 1] = 60000 & 0xff;
    for (unsigned i = 0; i < 400; i++) {
        struct pollfd p = {.fd = f->node.workers[0], .events = POLLOUT};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        send_packet(f->node.workers[0], batch, sizeof(batch));
    }
    struct helper_message m = hear(f);
    assert_int_equal(m.kind, HELPER_UPLINK_DROPPED);
    assert_true(m.number > 0 && m.number < 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_pass_as_they_are_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(datagrams_of_one_lane_go_to_one_worker, setup, teardown),
        cmocka_unit_test_setup_teardown(datagrams_of_each_worker_are_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(backbone_cannot_speak_for_the_helper, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_backbone_closes_is_told_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(connection_that_breaks_off_is_told_and_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(other_instance_is_asked_by_its_own_name, setup, teardown),
        cmocka_unit_test_setup_teardown(uplink_leaves_by_the_interface_that_it_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(backbone_cannot_tell_an_end_that_is_the_helpers_to_tell, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ping_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(backbone_that_does_not_answer_a_check_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(server_that_is_no_backbone_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(port_that_is_closed_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(message_longer_than_any_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(text_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(node_that_breaks_the_rules_gets_a_new_helper, setup, teardown),
        cmocka_unit_test_setup_teardown(datagrams_that_the_backbone_does_not_take_are_lost_and_counted, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("uplink_helper", tests, NULL, NULL);
}
