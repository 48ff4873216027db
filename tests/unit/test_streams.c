/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/streams: control streams over TCP in a network namespace, and one of a kind that the test makes up. */

#include "node/carrier/streams.h"

#include "net_lab.h"
#include "node/carrier/stream.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define PORT       8443
#define TIMEOUT_MS 20000

/* One end: what it was told. */
struct end {
    struct streams *streams;
    bool refuses;
    enum target_kind kind;    /* of the last one accepted */
    uint64_t next_conn, conn; /* the last one accepted, or dialled */
    unsigned accepted, connected, closed;
    char reason[100];
    uint8_t bytes[100];
    size_t len;
    size_t *only_counts; /* instead of keeping bytes */
};

static struct lab {
    uv_loop_t loop;
    struct end listener, dialler;
} lab;

static uint64_t on_accepted(void *context, const struct target *from)
{
    struct end *e = context;
    assert_int_not_equal(from->addr.family, 0);
    e->accepted++;
    e->kind = from->kind;
    return e->conn = e->refuses ? 0 : ++e->next_conn;
}

static void on_connected(void *context, uint64_t conn)
{
    struct end *e = context;
    assert_int_equal(conn, e->conn);
    e->connected++;
}

static void on_bytes(void *context, uint64_t conn, const uint8_t *data, size_t len)
{
    struct end *e = context;
    assert_int_equal(conn, e->conn);
    if (e->only_counts) {
        *e->only_counts += len;
        return;
    }
    assert_true(e->len + len <= sizeof(e->bytes));
    memcpy(e->bytes + e->len, data, len);
    e->len += len;
}

static void on_closed(void *context, uint64_t conn, const char *reason)
{
    struct end *e = context;
    assert_int_equal(conn, e->conn);
    e->closed++;
    snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

static int bind_error; /* of the next uv_tcp_bind */

int __real_uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *at, unsigned flags);
int __wrap_uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *at, unsigned flags);
int __wrap_uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *at, unsigned flags)
{
    int err = bind_error;
    bind_error = 0;
    return err ? err : __real_uv_tcp_bind(tcp, at, flags);
}

static int write_status; /* what becomes of the next uv_write: nothing is sent, and it is told */

int __real_uv_write(uv_write_t *w, uv_stream_t *to, const uv_buf_t *list, unsigned count, uv_write_cb done);
int __wrap_uv_write(uv_write_t *w, uv_stream_t *to, const uv_buf_t *list, unsigned count, uv_write_cb done);
int __wrap_uv_write(uv_write_t *w, uv_stream_t *to, const uv_buf_t *list, unsigned count, uv_write_cb done)
{
    int status = write_status;
    write_status = 0;
    if (!status)
        return __real_uv_write(w, to, list, count, done);
    w->handle = to;
    done(w, status);
    return 0;
}

static void open_end(struct end *e, uint16_t port)
{
    const struct streams_events events = {on_accepted, on_connected, on_bytes, on_closed, e};
    *e = (struct end){.next_conn = port};
    assert_int_equal(streams_new(&lab.loop, port, &events, &e->streams), 0);
}

static void lab_open(void)
{
    lab_enter();
    assert_int_equal(uv_loop_init(&lab.loop), 0);
    open_end(&lab.listener, PORT);
    open_end(&lab.dialler, PORT + 1);
}

/* Nothing is left open, whatever the streams were doing. */
static void lab_close(void)
{
    streams_close_all(lab.listener.streams);
    streams_close_all(lab.dialler.streams);
    uv_run(&lab.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&lab.loop), 0);
}

static void on_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened");
}

#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        uv_timer_t late;                                                                                     \
        uv_timer_init(&lab.loop, &late);                                                                     \
        uv_timer_start(&late, on_late, TIMEOUT_MS, 0);                                                       \
        while (!(condition))                                                                                 \
            uv_run(&lab.loop, UV_RUN_ONCE);                                                                  \
        uv_close((uv_handle_t *)&late, NULL);                                                                \
        uv_run(&lab.loop, UV_RUN_NOWAIT);                                                                    \
    } while (0)

static void dial(const char *address, uint16_t port)
{
    struct addr a;
    assert_int_equal(addr_parse(address, 0, &a), 0);
    a.port = port;
    const struct target to = target_tcp(&a);
    lab.dialler.conn = ++lab.dialler.next_conn;
    streams_dial(lab.dialler.streams, lab.dialler.conn, &to);
}

static void connect_at(const char *address)
{
    unsigned before = lab.dialler.connected, accepted = lab.listener.accepted;
    dial(address, PORT);
    AWAIT(lab.dialler.connected >= before + 1);
    AWAIT(lab.listener.accepted >= accepted + 1);
}

static void say(struct end *e, const char *text)
{
    streams_send(e->streams, e->conn, (const uint8_t *)text, strlen(text));
}

static void assert_heard(struct end *e, const char *text)
{
    AWAIT(e->len >= strlen(text));
    assert_int_equal(e->len, strlen(text));
    assert_memory_equal(e->bytes, text, e->len);
    e->len = 0;
}

static void bytes_pass_both_ways_in_both_families(void **state)
{
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    say(&lab.dialler, "hello");
    assert_heard(&lab.listener, "hello");
    connect_at("::1");
    say(&lab.listener, "good ");
    say(&lab.listener, "evening");
    assert_heard(&lab.dialler, "good evening");
    lab_close();
}

static void who_closes_is_heard_to_the_end_and_told_nothing(void **state)
{
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    say(&lab.listener, "unread");
    say(&lab.dialler, "last words");
    streams_close(lab.dialler.streams, lab.dialler.conn);
    AWAIT(lab.listener.closed >= 1);
    assert_heard(&lab.listener, "last words");
    assert_string_equal(lab.listener.reason, "the connection was closed");
    assert_int_equal(lab.dialler.closed, 0);
    assert_int_equal(lab.dialler.len, 0);
    say(&lab.dialler, "more"); /* it is not known any more */
    streams_close(lab.dialler.streams, lab.dialler.conn);
    streams_abort(lab.dialler.streams, lab.dialler.conn);
    lab_close();
}

/* More than the kernel takes at once. */
static void last_words_are_said_whatever_comes_meanwhile(void **state)
{
    static const uint8_t words[200000];
    size_t heard = 0;
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    lab.listener.only_counts = &heard;
    say(&lab.listener, "too late");
    streams_send(lab.dialler.streams, lab.dialler.conn, words, sizeof(words));
    streams_close(lab.dialler.streams, lab.dialler.conn);
    AWAIT(lab.listener.closed >= 1);
    assert_int_equal(heard, sizeof(words));
    assert_string_equal(lab.listener.reason, "the connection was closed");
    lab_close();
}

static void machine_without_ipv6_is_listened_on_all_the_same(void **state)
{
    static const int errors[] = {UV_EAFNOSUPPORT, UV_EADDRNOTAVAIL};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        bind_error = errors[i];
        lab_open();
        connect_at("127.0.0.1");
        say(&lab.dialler, "hello");
        assert_heard(&lab.listener, "hello");
        lab_close();
    }
}

static void aborting_resets(void **state)
{
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    streams_abort(lab.listener.streams, lab.listener.conn);
    AWAIT(lab.dialler.closed >= 1);
    assert_string_equal(lab.dialler.reason, "the connection was reset");
    assert_int_equal(lab.listener.closed, 0);
    lab_close();
}

static void who_is_not_wanted_is_reset_at_once(void **state)
{
    (void)state;
    lab_open();
    lab.listener.refuses = true;
    dial("127.0.0.1", PORT);
    AWAIT(lab.dialler.closed >= 1);
    assert_int_equal(lab.listener.accepted, 1);
    assert_int_equal(lab.listener.closed, 0);
    lab_close();
}

static void dialling_nobody_is_told(void **state)
{
    (void)state;
    lab_open();
    dial("127.0.0.1", 9);
    AWAIT(lab.dialler.closed >= 1);
    assert_string_equal(lab.dialler.reason, "connection refused");
    dial("192.0.2.1", PORT); /* no route */
    AWAIT(lab.dialler.closed >= 2);
    assert_int_equal(lab.dialler.connected, 0);
    lab_close();
}

/* The kernel would try for minutes. */
static void closing_what_still_connects_takes_no_time(void **state)
{
    (void)state;
    lab_open();
    lab_run("ip link add left type veth peer name right");
    lab_run("ip link set left up");
    lab_run("ip addr add 10.7.0.1/24 dev left");
    lab_run("ip neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev left");
    dial("10.7.0.2", PORT);
    streams_close(lab.dialler.streams, lab.dialler.conn);
    dial("10.7.0.2", PORT); /* left to streams_close_all */
    uv_run(&lab.loop, UV_RUN_NOWAIT);
    assert_int_equal(lab.dialler.closed, 0);
    lab_close();
}

static void who_does_not_read_is_given_up(void **state)
{
    (void)state;
    lab_open();
    static const uint8_t much[16384];
    connect_at("127.0.0.1");
    for (unsigned i = 0; i < 4096; i++)
        streams_send(lab.dialler.streams, lab.dialler.conn, much, sizeof(much));
    lab.listener.conn = 0; /* what did arrive is no matter of this test */
    streams_close(lab.listener.streams, lab.listener.next_conn);
    AWAIT(lab.dialler.closed >= 1);
    assert_string_equal(lab.dialler.reason, "the peer does not read");
    lab_close();
}

static void bytes_that_cannot_be_sent_end_the_stream(void **state)
{
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    write_status = UV_EPIPE;
    say(&lab.dialler, "lost");
    AWAIT(lab.dialler.closed);
    assert_string_equal(lab.dialler.reason, uv_strerror(UV_EPIPE));
    lab_close();
}

/* libuv gives up what waits when a handle is closed, which is our doing. */
static void bytes_that_were_given_up_do_not_end_the_stream(void **state)
{
    (void)state;
    lab_open();
    connect_at("127.0.0.1");
    write_status = UV_ECANCELED;
    say(&lab.dialler, "given up");
    say(&lab.dialler, "sent");
    assert_heard(&lab.listener, "sent");
    assert_int_equal(lab.dialler.closed, 0);
    lab_close();
}

static void streams_end_with_their_local_address(void **state)
{
    (void)state;
    lab_open();
    lab_run("ip addr add 10.8.0.1/32 dev lo");
    connect_at("10.8.0.1");
    streams_drop_homeless(lab.dialler.streams);
    say(&lab.dialler, "still here");
    assert_heard(&lab.listener, "still here");
    lab_run("ip addr del 10.8.0.1/32 dev lo");
    streams_drop_homeless(lab.dialler.streams);
    assert_int_equal(lab.dialler.closed, 0); /* not from within the call */
    AWAIT(lab.dialler.closed >= 1);
    assert_string_equal(lab.dialler.reason, "its local address is gone");
    lab_close();
}

static void a_port_in_use_is_told(void **state)
{
    (void)state;
    lab_open();
    const struct streams_events events = {on_accepted, on_connected, on_bytes, on_closed, &lab.dialler};
    struct streams *other;
    assert_int_equal(streams_new(&lab.loop, PORT, &events, &other), ERR_BUSY);
    lab_close();
}

/* Its owner's from then on: nothing of it is told any more, and the other end notices nothing. */
static void a_released_socket_goes_on_without_its_stream(void **state)
{
    (void)state;
    uint8_t got[5];
    lab_open();
    connect_at("127.0.0.1");
    uint64_t conn = lab.listener.conn;
    int fd = streams_release(lab.listener.streams, conn);
    assert_true(fd >= 0);
    assert_int_equal(streams_release(lab.listener.streams, conn), -1);
    assert_int_equal(streams_release(lab.listener.streams, conn + 99), -1);
    streams_abort(lab.listener.streams, conn); /* is another's by now */
    uv_run(&lab.loop, UV_RUN_NOWAIT);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    AWAIT(lab.dialler.len == 5);
    streams_send(lab.dialler.streams, lab.dialler.conn, (const uint8_t *)"there", 5);
    uv_run(&lab.loop, UV_RUN_NOWAIT);
    fcntl(fd, F_SETFL, 0);
    assert_int_equal(recv(fd, got, sizeof(got), MSG_WAITALL), 5);
    assert_memory_equal(got, "there", 5);
    assert_int_equal(lab.listener.closed + lab.dialler.closed, 0);
    close(fd);
    AWAIT(lab.dialler.closed);
    lab_close();
}

struct other_stream {
    struct stream base;
    char orders[100];
};

static void note(struct stream *st, const char *order, size_t len)
{
    struct other_stream *o = (struct other_stream *)st;
    snprintf(o->orders + strlen(o->orders), sizeof(o->orders) - strlen(o->orders), "%s %zu; ", order, len);
}

static void other_send(struct stream *st, const uint8_t *data, size_t len)
{
    (void)data;
    note(st, "send", len);
}

static void other_close(struct stream *st)
{
    note(st, "close", 0);
}

static void other_abort(struct stream *st)
{
    note(st, "abort", 0);
}

static const struct stream_ops other_ops = {other_send, other_close, other_abort, NULL};

static void a_stream_of_another_kind_is_a_number_like_any(void **state)
{
    (void)state;
    lab_open();
    struct other_stream o = {.base = {.ops = &other_ops, .all = lab.listener.streams}};
    const struct target from = {(enum target_kind)77, {.family = 4, .port = 1, .ip = {192, 0, 2, 1}}};
    connect_at("127.0.0.1");
    uint64_t tcp = lab.listener.conn;
    assert_int_equal(lab.listener.kind, TARGET_TCP);
    assert_int_equal(stream_accepted(&o.base, &from), 0);
    assert_int_equal(o.base.conn, lab.listener.conn);
    assert_int_equal(lab.listener.kind, from.kind);
    stream_connected(&o.base);
    stream_bytes(&o.base, (const uint8_t *)"hello", 5);
    assert_heard(&lab.listener, "hello");
    say(&lab.listener, "hello");
    streams_send(lab.listener.streams, tcp, (const uint8_t *)"you", 3);
    assert_heard(&lab.dialler, "you");
    streams_close(lab.listener.streams, o.base.conn);
    streams_abort(lab.listener.streams, o.base.conn);
    assert_string_equal(o.orders, "send 5; close 0; abort 0; ");
    const struct stream gone = o.base;
    stream_leave(&o.base);
    stream_leave(&o.base);
    streams_abort(lab.listener.streams, gone.conn);
    assert_string_equal(o.orders, "send 5; close 0; abort 0; ");
    stream_closed(&gone, "over");
    assert_string_equal(lab.listener.reason, "over");
    lab.listener.refuses = true;
    assert_int_equal(stream_accepted(&o.base, &from), ERR_PERMISSION);
    lab_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_in_both_families),
        cmocka_unit_test(who_closes_is_heard_to_the_end_and_told_nothing),
        cmocka_unit_test(last_words_are_said_whatever_comes_meanwhile),
        cmocka_unit_test(machine_without_ipv6_is_listened_on_all_the_same),
        cmocka_unit_test(aborting_resets),
        cmocka_unit_test(who_is_not_wanted_is_reset_at_once),
        cmocka_unit_test(dialling_nobody_is_told),
        cmocka_unit_test(closing_what_still_connects_takes_no_time),
        cmocka_unit_test(who_does_not_read_is_given_up),
        cmocka_unit_test(bytes_that_cannot_be_sent_end_the_stream),
        cmocka_unit_test(bytes_that_were_given_up_do_not_end_the_stream),
        cmocka_unit_test(streams_end_with_their_local_address),
        cmocka_unit_test(a_port_in_use_is_told),
        cmocka_unit_test(a_released_socket_goes_on_without_its_stream),
        cmocka_unit_test(a_stream_of_another_kind_is_a_number_like_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
