/* SPDX-License-Identifier: Apache-2.0 */
/* The process that serves doors as a thread, without its cage, between clients and a server over loopback, which stands for the
 * mesh's device, too. The test is the node. */
#include "node/doors/doors_process.h"

#include "node/doors/doors_counts.h"
#include "node/doors/mesh_side.h"
#include "node/helper/helper_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000

enum { AT_ADDRESS, AT_NAME, AT_CLOSED, FROM_MESH, SOCKS, HTTP, COUNT };

static struct doors_process_config config;
static pthread_t thread;
static int node, helper, server, closed_one; /* the last one does not listen */
static struct addr served;                   /* the server's address */
static struct addr entries[COUNT];           /* where doors listen */
static struct helper_packet packet;

static int bind_at_loopback(struct addr *at)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(own);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&own, len), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&own, &len), errno);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&own, at), 0);
    return fd;
}

static int listen_at_loopback(struct addr *at)
{
    int fd = bind_at_loopback(at);
    assert_return_code(listen(fd, 16), errno);
    return fd;
}

static void await(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
}

static void *serve(void *code)
{
    *(int *)code = doors_process_run(helper, &config);
    return NULL;
}

static void tell(const struct helper_message *m)
{
    assert_int_equal(helper_channel_send(node, m), 0);
}

/* The next message of that kind. */
static const struct helper_message *hear(enum helper_kind kind)
{
    do {
        await(node);
        assert_int_equal(helper_channel_receive(node, &packet), 0);
    } while (packet.message.kind != kind);
    return &packet.message;
}

/* ---- clients ---- */

static int knock(unsigned door)
{
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(&entries[door], false, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(connect(fd, (struct sockaddr *)&to, len), errno);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void expect(int fd, const void *bytes, size_t len)
{
    uint8_t got[64];
    await(fd);
    assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
    assert_memory_equal(got, bytes, len);
}

static void expect_end(int fd)
{
    char c;
    await(fd);
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);
}

static void expect_reset(int fd)
{
    char c;
    await(fd);
    assert_int_equal(recv(fd, &c, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

/* What the client says arrives, what the server answers comes back, and so does the end. */
static void pass_both_ways(int client)
{
    await(server);
    int there = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    assert_return_code(there, errno);
    say(client, "ping", 4);
    expect(there, "ping", 4);
    say(there, "pong!", 5);
    expect(client, "pong!", 5);
    assert_return_code(shutdown(client, SHUT_WR), errno);
    expect_end(there);
    expect_end(client);
}

/* A client of SOCKS up to its request: its words are right. */
static int greet(void)
{
    int fd = knock(SOCKS);
    say(fd, "\5\1\2", 3);
    expect(fd, "\5\2", 2);
    say(fd, "\1\4user\6secret", 13);
    expect(fd, "\1\0", 2);
    return fd;
}

static void expect_refusal(int fd, uint8_t code)
{
    const uint8_t reply[10] = {5, code, 0, 1};
    expect(fd, reply, sizeof(reply));
    expect_end(fd);
}

/* ---- what is so ---- */

static void doors_lead_where_they_are_said_to(void **state)
{
    (void)state;
    pass_both_ways(knock(AT_ADDRESS));
    pass_both_ways(knock(FROM_MESH));
    expect_reset(knock(AT_CLOSED));
}

static void a_name_is_asked_for(void **state)
{
    (void)state;
    int client = knock(AT_NAME);
    const struct helper_message *asked = hear(HELPER_ASK_NAME);
    struct helper_message answer = {
        .kind = HELPER_NAME, .token = asked->token + 1, .address_count = 1, .addresses = {served}};
    assert_string_equal(asked->text, "web.home.internal");
    tell(&answer); /* to nobody's question */
    answer.token--;
    tell(&answer);
    pass_both_ways(client);
    client = knock(AT_NAME);
    answer = (struct helper_message){.kind = HELPER_NAME, .token = hear(HELPER_ASK_NAME)->token};
    tell(&answer);
    expect_reset(client);
}

static void socks_leads_not_to_this_machine_itself(void **state)
{
    (void)state;
    int fd = greet();
    say(fd, "\5\1\0\1\177\0\0\1\0\120", 10);
    expect_refusal(fd, 2);
    fd = greet();
    say(fd, "\5\1\0\3\1b\0\120", 8);
    struct helper_message answer = {.kind = HELPER_NAME,
                                    .token = hear(HELPER_ASK_NAME)->token,
                                    .address_count = 1,
                                    .addresses = {served}};
    tell(&answer);
    expect_refusal(fd, 2);
}

static void socks_says_what_it_cannot(void **state)
{
    (void)state;
    int fd = greet();
    say(fd, "\5\3\0\1\0\0\0\0\0\0", 10); /* UDP ASSOCIATE */
    expect_refusal(fd, 7);
    fd = greet();
    say(fd, "\5\1\0\3\7nowhere\0\120", 14);
    struct helper_message answer = {.kind = HELPER_NAME, .token = hear(HELPER_ASK_NAME)->token};
    tell(&answer);
    expect_refusal(fd, 4);
}

static void who_does_not_know_the_words_is_refused(void **state)
{
    (void)state;
    int fd = knock(SOCKS), web = knock(HTTP), silent = knock(SOCKS);
    say(fd, "\5\1\2\1\4user\5wrong", 15);
    say(web, "CONNECT a:80 HTTP/1.1\r\n\r\n", 25);
    expect(fd, "\5\2\1\1", 4);
    expect_end(fd);
    expect(web, "HTTP/1.1 407 ", 13);
    close(web);
    say(silent, "\5\1\0", 3); /* offers no words at all */
    expect(silent, "\5\377", 2);
    expect_end(silent);
}

static void proxy_of_http_says_what_it_cannot(void **state)
{
    (void)state;
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"CONNECT 127.0.0.1:80 HTTP/1.1\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n",
         "HTTP/1.1 403 "},
        {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = knock(HTTP);
        say(fd, cases[i].request, strlen(cases[i].request));
        expect(fd, cases[i].answer, strlen(cases[i].answer));
        close(fd);
    }
}

static void all_of_it_is_counted(void **state)
{
    (void)state;
    static const struct {
        enum doors_count which;
        uint64_t value;
    } expected[] = {{DOORS_OPEN, 0},        {DOORS_HALF_OPEN, 0},  {DOORS_SERVED, 3},
                    {DOORS_TO_MESH, 13},    {DOORS_FROM_MESH, 14}, {DOORS_UNREACHABLE, 1},
                    {DOORS_NO_NAME, 2},     {DOORS_FORBIDDEN, 3},  {DOORS_UNSUPPORTED, 1},
                    {DOORS_WRONG_WORDS, 2}, {DOORS_MALFORMED, 2},  {DOORS_FULL, 0}};
    const size_t count = sizeof(expected) / sizeof(expected[0]);
    struct doors_counts told;
    size_t same;
    do {
        assert_int_equal(doors_counts_decode(hear(HELPER_DOORS_COUNTS)->data, &told), 0);
        same = 0;
        for (size_t i = 0; i < count; i++)
            same += told.of[expected[i].which] == expected[i].value;
    } while (same < count);
}

/* ---- the frame ---- */

static void open_entries(const struct addr *closed)
{
    for (unsigned i = 0; i < COUNT; i++) {
        const struct addr *target = i == AT_CLOSED ? closed : &served;
        bool leads = i == AT_ADDRESS || i == AT_CLOSED || i == FROM_MESH;
        int fd = listen_at_loopback(&entries[i]);
        config.doors[i] = (struct door){.kind = DOOR_FORWARD,
                                        .at = entries[i],
                                        .target_count = leads,
                                        .targets = {*target},
                                        .port = target->port,
                                        .fd = fd};
    }
    strcpy(config.doors[AT_NAME].name, "web.home.internal");
    config.doors[FROM_MESH].kind = DOOR_LISTEN;
    config.doors[SOCKS].kind = DOOR_SOCKS;
    config.doors[HTTP].kind = DOOR_HTTP;
}

/* The door of the mesh gets its socket from the node. */
static int setup(void **state)
{
    static int code;
    struct addr closed;
    *state = &code;
    server = listen_at_loopback(&served);
    closed_one = bind_at_loopback(&closed);
    config = (struct doors_process_config){
        .max = 16, .authenticates = true, .words = {"user", "secret"}, .broker = -1, .count = COUNT};
    open_entries(&closed);
    int of_mesh = config.doors[FROM_MESH].fd;
    config.doors[FROM_MESH].fd = -1;
    assert_int_equal(helper_channel_open(&node, &helper), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &code), 0);
    hear(HELPER_READY);
    struct mesh_side mesh = {.prefix_count = 1, .prefixes = {{served, 8}}};
    uint8_t prefixes[MESH_SIDE_LEN_MAX];
    struct helper_message m = {.kind = HELPER_DOORS_OPEN,
                               .interface = if_nametoindex("lo"),
                               .data = {prefixes, mesh_side_encode(&mesh, prefixes)}};
    tell(&m);
    m = (struct helper_message){.kind = HELPER_DOORS_LISTEN, .number = FROM_MESH};
    assert_int_equal(helper_channel_send_file(node, &m, of_mesh), 0);
    close(of_mesh);
    return 0;
}

/* Its end of the channel is how the node ends the process. */
static int teardown(void **state)
{
    const int *code = *state;
    close(node);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(*code, EXIT_SUCCESS);
    close(server);
    close(closed_one);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doors_lead_where_they_are_said_to),
        cmocka_unit_test(a_name_is_asked_for),
        cmocka_unit_test(socks_leads_not_to_this_machine_itself),
        cmocka_unit_test(socks_says_what_it_cannot),
        cmocka_unit_test(who_does_not_know_the_words_is_refused),
        cmocka_unit_test(proxy_of_http_says_what_it_cannot),
        cmocka_unit_test(all_of_it_is_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
