/* SPDX-License-Identifier: Apache-2.0 */
/* The backbone whole: a process with its flags, asked by HTTP and STUN over loopback, ended by signals. And its HTTP
 * server alone, with a clock of the test's. */

#include "backbone/server.h"

#include "backbone/http.h"
#include "backbone/store_sqlite.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/sandbox.h"
#include "proto/message/stun.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_MS 30000
#define TEXT_MAX    65536
#define READ_MAX    (1u << 20) /* of a body, though it is too large */

struct backbone {
    pid_t pid;
    int log;
    char dir[64], lines[TEXT_MAX];
    char file[96]; /* given in the place of -v, unless it is empty */
    size_t lines_len;
    struct addr at;
};

/* ---- its process ---- */

static void make_folder(struct backbone *b)
{
    *b = (struct backbone){.dir = "/tmp/backbone-XXXXXX", .log = -1};
    assert_non_null(mkdtemp(b->dir));
}

static void remove_folder(struct backbone *b)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", b->dir);
    assert_int_equal(system(command), 0);
}

/* As main.c does it. */
static int run(int argc, char **argv)
{
    struct backbone_config config;
    signal(SIGPIPE, SIG_IGN);
    if (backbone_config_parse(argc, argv, &config) != FLAGS_RUN)
        return 2;
    log_set_level(config.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    return server_run(&config);
}

static void start(struct backbone *b, const char *listen, const char *data, const char *sandbox)
{
    const char *args[] = {"backbone", "-listen", listen, "-data", data,
                          "-sandbox", sandbox,   "-v",   NULL,    NULL};
    int ends[2], count = sizeof(args) / sizeof(*args) - 2;
    if (b->file[0]) {
        args[count - 1] = "-config";
        args[count++] = b->file;
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    if (b->log >= 0)
        close(b->log);
    b->log = ends[0];
    b->lines_len = 0;
    fflush(NULL);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        exit(run(count, (char **)args));
    }
    close(ends[1]);
}

static void wait_log(struct backbone *b, const char *text)
{
    b->lines[b->lines_len] = '\0';
    while (!strstr(b->lines, text)) {
        struct pollfd p = {.fd = b->log, .events = POLLIN};
        ssize_t n = poll(&p, 1, DEADLINE_MS) > 0
                        ? read(b->log, b->lines + b->lines_len, TEXT_MAX - 1 - b->lines_len)
                        : 0;
        if (n <= 0)
            fail_msg("no \"%s\" in:\n%s", text, b->lines);
        b->lines_len += (size_t)n;
        b->lines[b->lines_len] = '\0';
    }
}

static void start_well(struct backbone *b, const char *sandbox)
{
    char at[ADDR_TEXT_MAX];
    start(b, "127.0.0.1:0", b->dir, sandbox);
    wait_log(b, " (HTTP and STUN)");
    assert_int_equal(sscanf(strstr(b->lines, "listening on "), "listening on %63s", at), 1);
    assert_int_equal(addr_parse(at, 0, &b->at), 0);
}

static int end(struct backbone *b, int number)
{
    int status;
    if (number)
        kill(b->pid, number);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    close(b->log);
    b->log = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- what it is asked ---- */

static int connect_to(const struct addr *at, int type)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, false, &sa);
    int fd = socket(sa.ss_family, type | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

/* Everything that fd says until it hangs up. */
static void read_all(int fd, char out[TEXT_MAX])
{
    size_t len = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (ssize_t n; poll(&p, 1, DEADLINE_MS) > 0 && (n = recv(fd, out + len, TEXT_MAX - 1 - len, 0)) > 0;)
        len += (size_t)n;
    out[len] = '\0';
}

/* Sends `text`, then `filler` bytes of 'x'. What is refused early hangs up while it is still sent. */
static void ask(const struct addr *at, const char *text, size_t filler, char out[TEXT_MAX])
{
    static char fill[4096];
    int fd = connect_to(at, SOCK_STREAM);
    memset(fill, 'x', sizeof(fill));
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    for (ssize_t n; filler > 0; filler -= (size_t)n)
        if ((n = send(fd, fill, filler < sizeof(fill) ? filler : sizeof(fill), MSG_NOSIGNAL)) <= 0)
            break;
    read_all(fd, out);
    close(fd);
}

static void assert_answer(const struct addr *at, const char *request, unsigned status, const char *part)
{
    static char out[TEXT_MAX];
    char first[32];
    ask(at, request, 0, out);
    snprintf(first, sizeof(first), "HTTP/1.1 %u ", status);
    if (strncmp(out, first, strlen(first)) != 0 || !strstr(out, part))
        fail_msg("no %u with \"%s\": %s", status, part, out);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"

static void answers_http_and_ends_by_a_signal(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    assert_answer(&b.at, GET("/health"), 200, "application/json");
    assert_answer(&b.at, GET("/v1/nodes?limit=3"), 200, "\"nodes\":[]");
    assert_answer(&b.at, GET("/v1/nodes?limit=many"), 400, "\"error\"");
    assert_answer(&b.at, GET("/metrics"), 200, "shadowmesh_");
    assert_answer(&b.at, GET("/nowhere"), 404, "\"error\"");
    assert_answer(&b.at, "DELETE /health HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", 405, "Allow: ");
    assert_int_equal(end(&b, SIGTERM), 0);
    start_well(&b, "off"); /* with what the first left */
    assert_answer(&b.at, GET("/v1/nodes"), 200, "\"nodes\":[]");
    assert_int_equal(end(&b, SIGINT), 0);
    remove_folder(&b);
}

static void caged_backbone_answers_too(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, SANDBOX_DEFAULT ? "on" : "off");
    assert_answer(&b.at, GET("/v1/nodes"), 200, "\"nodes\":[]");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void write_conf(const struct backbone *b, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s.new", b->file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(rename(path, b->file), 0);
}

static void hang_up(struct backbone *b, const char *told)
{
    b->lines_len = 0;
    kill(b->pid, SIGHUP);
    wait_log(b, told);
}

static void file_is_read_again_at_a_hang_up(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    snprintf(b.file, sizeof(b.file), "%s/backbone.conf", b.dir);
    write_conf(&b, "relay-rate = 10\nurl = b.example\n");
    start_well(&b, SANDBOX_DEFAULT ? "on" : "off");
    hang_up(&b, "read again: nothing has changed");
    write_conf(&b, "relay-rate = 10\nurl = b.example\nv = true\n");
    hang_up(&b, "reload: the flags were read again\n");
    assert_non_null(strstr(b.lines, "reload: -v added"));
    write_conf(&b, "relay-rate = 11\nurl = b.example\n");
    hang_up(&b, "reload: the flags were read again\n");
    assert_non_null(strstr(b.lines, "reload: -relay-rate has another value, which the next start takes"));
    assert_null(strstr(b.lines, "-url"));
    write_conf(&b, "relay-rate = 10\nurll = b.example\n");
    hang_up(&b, "backbone.conf: line 2: unknown flag urll: did you mean url?");
    assert_non_null(strstr(b.lines, "reload: nothing has changed: "));
    assert_int_equal(unlink(b.file), 0);
    hang_up(&b, "No such file");
    assert_answer(&b.at, GET("/v1/nodes"), 200, "\"nodes\":[]");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void without_a_file_a_hang_up_changes_nothing(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    hang_up(&b, "there is no file to read again");
    assert_answer(&b.at, GET("/v1/nodes"), 200, "\"nodes\":[]");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void requests_that_proxies_read_otherwise_are_refused(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    assert_answer(&b.at,
                  "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\nContent-Length: 3\r\n"
                  "Connection: close\r\n\r\nabc",
                  400, "more than one Content-Length");
    assert_answer(&b.at, "GET /health HTTP/1.1\r\nHost: b\r\nA\001b: c\r\nConnection: close\r\n\r\n", 400,
                  "no token");
    assert_answer(&b.at,
                  "GET /health HTTP/1.1\r\nHost: b\r\nazAZ09!#$%&'*+-.^_`|~: every letter of a token\r\n"
                  "Connection: close\r\n\r\n",
                  200, "application/json");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void body_that_is_too_large_is_413_however_it_is_sent(void **state)
{
    static char out[TEXT_MAX];
    struct backbone b;
    char head[256];
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    ask(&b.at, "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n",
        0, out);
    assert_int_equal(strncmp(out, "HTTP/1.1 413 ", 13), 0);
    snprintf(head, sizeof(head),
             "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nContent-Length: %u\r\nConnection: close\r\n\r\n",
             ROUTES_BODY_MAX + 1);
    ask(&b.at, head, ROUTES_BODY_MAX + 1, out);
    assert_int_equal(strncmp(out, "HTTP/1.1 413 ", 13), 0);
    snprintf(head, sizeof(head),
             "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nContent-Length: %u\r\nConnection: close\r\n\r\n",
             READ_MAX);
    ask(&b.at, head, READ_MAX, out);
    assert_int_equal(strncmp(out, "HTTP/1.1 413 ", 13), 0);
    /* One that never ends is not read for ever. */
    ask(&b.at, "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n", 0x400000,
        out);
    assert_string_equal(out, "");
    ask(&b.at, "POST /v1/nodes HTTP/1.1\r\nHost: b\r\nContent-Length: 20000\r\nConnection: close\r\n\r\n",
        20000, out);
    assert_int_equal(strncmp(out, "HTTP/1.1 4", 10), 0);
    assert_null(strstr(out, "413"));
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Its own end of a connection lingers. */
static void backbone_starts_again_at_once_on_its_port(void **state)
{
    struct backbone b;
    char at[ADDR_TEXT_MAX];
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    assert_answer(&b.at, GET("/health"), 200, "application/json");
    assert_int_equal(end(&b, SIGTERM), 0);
    start(&b, addr_format(&b.at, at), b.dir, "off");
    wait_log(&b, " (HTTP and STUN)");
    assert_answer(&b.at, GET("/health"), 200, "application/json");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void limit_on_the_size_of_files_does_not_end_it(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    kill(b.pid, SIGXFSZ);
    assert_answer(&b.at, GET("/health"), 200, "application/json");
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

/* True when it says how we are seen, within ms. */
static bool is_reflected(int fd, int ms)
{
    const uint8_t transaction[STUN_TRANSACTION_LEN] = {1, 2, 3};
    uint8_t message[STUN_MESSAGE_MAX];
    struct addr mapped, ours;
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = stun_request_encode(transaction, message);
    assert_int_equal(send(fd, message, len, 0), len);
    if (poll(&p, 1, ms) <= 0)
        return false;
    ssize_t got = recv(fd, message, sizeof(message), 0);
    assert_true(got > 0);
    assert_int_equal(stun_response_decode(message, (size_t)got, transaction, &mapped), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &sa_len), 0);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, &ours), 0);
    assert_true(addr_equal(&mapped, &ours));
    return true;
}

static void who_asks_is_told_its_address_and_a_flood_is_not(void **state)
{
    struct backbone b;
    (void)state;
    make_folder(&b);
    start_well(&b, "off");
    int fd = connect_to(&b.at, SOCK_DGRAM);
    assert_true(is_reflected(fd, DEADLINE_MS));
    assert_int_equal(send(fd, "nonsense", 8, 0), 8);
    assert_true(is_reflected(fd, DEADLINE_MS));
    bool limited = false;
    for (unsigned i = 0; i < 5000 && !limited; i++)
        limited = !is_reflected(fd, 300);
    assert_true(limited);
    assert_answer(&b.at, GET("/metrics"), 200, "malformed\"} 1\n");
    close(fd);
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

static void start_that_fails_says_why(void **state)
{
    struct backbone b, other;
    char at[ADDR_TEXT_MAX], file[80];
    (void)state;
    make_folder(&b);
    make_folder(&other);
    start_well(&b, "off");
    start(&other, addr_format(&b.at, at), other.dir, "off");
    wait_log(&other, "another program uses this port (TCP or UDP); choose another with -listen");
    assert_int_equal(end(&other, 0), 1);
    start(&other, "192.0.2.1:0", other.dir, "off");
    wait_log(&other, "cannot listen on 192.0.2.1");
    assert_int_equal(end(&other, 0), 1);
    snprintf(file, sizeof(file), "%s/file", other.dir);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    start(&other, "127.0.0.1:0", file, "off");
    wait_log(&other, "cannot make the data directory");
    assert_int_equal(end(&other, 0), 1);
    start(&other, "127.0.0.1:what", other.dir, "off");
    assert_int_equal(end(&other, 0), 2);
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
    remove_folder(&other);
}

static void every_address_is_listened_on_by_default(void **state)
{
    struct backbone b;
    const struct addr v4 = {.family = 4, .ip = {127, 0, 0, 1}};
    (void)state;
    make_folder(&b);
    start(&b, "0", b.dir, "off");
    wait_log(&b, " (HTTP and STUN)");
    b.at = v4;
    const char *port = strstr(b.lines, "listening on ");
    assert_non_null(port);
    port = strstr(port, " (HTTP");
    while (port[-1] >= '0' && port[-1] <= '9')
        port--;
    b.at.port = (uint16_t)strtoul(port, NULL, 10);
    assert_answer(&b.at, GET("/health"), 200, "application/json");
    int fd = connect_to(&b.at, SOCK_DGRAM);
    assert_true(is_reflected(fd, DEADLINE_MS));
    close(fd);
    assert_int_equal(end(&b, SIGTERM), 0);
    remove_folder(&b);
}

/* ---- the HTTP server alone ---- */

static int listen_on_loopback(struct addr *at)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *at = (struct addr){.family = 4, .port = ntohs(sa.sin_port), .ip = {127, 0, 0, 1}};
    return fd;
}

static struct http_lab {
    struct directory *directory;
    struct metrics metrics;
    struct desk *desk;
    struct routes *routes;
    struct http *http;
    struct addr at;
} lab;

static void open_routes(void)
{
    struct store *store;
    lab = (struct http_lab){0};
    assert_int_equal(store_sqlite_open(":memory:", 10, &store), 0);
    assert_int_equal(directory_new(store, &lab.directory), 0);
    const struct desk_config desk = {.store = store};
    const struct routes_config config = {
        .directory = lab.directory, .metrics = &lab.metrics, .stun_port = 80};
    assert_int_equal(desk_start(&desk, &lab.desk), 0);
    assert_int_equal(routes_new(&config, &lab.routes), 0);
}

static void close_routes(void)
{
    desk_close(lab.desk);
    routes_free(lab.routes);
    directory_free(lab.directory);
    desk_free(lab.desk);
}

/* Without uplinks. */
static int start_http(int tcp)
{
    static const struct forwarded_proxies nobody;
    const struct http_with with = {lab.routes, lab.desk, NULL, &nobody, &lab.metrics};
    return http_start(tcp, &with, &lab.http);
}

/* One connection, and it is known to the server. */
static int open_http(void)
{
    open_routes();
    assert_int_equal(start_http(listen_on_loopback(&lab.at)), 0);
    int fd = connect_to(&lab.at, SOCK_STREAM);
    for (int i = 0; i < DEADLINE_MS && atomic_load(&lab.metrics.connections) == 0; i++)
        poll(NULL, 0, 1);
    return fd;
}

static void close_http(int fd)
{
    close(fd);
    desk_close(lab.desk);
    http_stop(lab.http);
    close_routes();
}

static void request_that_takes_too_long_is_cut(void **state)
{
    static char out[TEXT_MAX];
    uint64_t now_us = clock_monotonic_us();
    (void)state;
    int fd = open_http();
    send_text(fd, "GET /health HT");
    http_cut_slow(lab.http, now_us + (HTTP_REQUEST_S - 5) * USEC_PER_SEC);
    assert_int_equal(lab.metrics.cut, 0);
    for (int i = 0; i < DEADLINE_MS && lab.metrics.cut == 0;
         i++) { /* it is in the books some time after it was accepted */
        http_cut_slow(lab.http, clock_monotonic_us() + (HTTP_REQUEST_S + 1) * USEC_PER_SEC);
        poll(NULL, 0, 1);
    }
    assert_int_equal(lab.metrics.cut, 1);
    read_all(fd, out);
    assert_string_equal(out, "");
    close_http(fd);
}

/* Reads on until there are `count` answers. */
static void await_answers(int fd, unsigned count)
{
    static char out[TEXT_MAX];
    size_t len = 0;
    for (unsigned seen = 0; seen < count;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, DEADLINE_MS) > 0 ? recv(fd, out + len, TEXT_MAX - 1 - len, 0) : 0;
        assert_true(n > 0);
        out[len += (size_t)n] = '\0';
        seen = 0;
        for (const char *at = out; (at = strstr(at, "HTTP/1.1 200 ")) != NULL; at++)
            seen++;
    }
}

/* The second answer shows that the first request is over for the server, too. */
static void connection_that_is_served_has_its_time_anew(void **state)
{
    static const char get[] = "GET /health HTTP/1.1\r\nHost: b\r\n\r\n";
    (void)state;
    int fd = open_http();
    uint64_t before_us = clock_monotonic_us();
    poll(NULL, 0, 2);
    send_text(fd, get);
    await_answers(fd, 1);
    send_text(fd, get);
    await_answers(fd, 1);
    http_cut_slow(lab.http, before_us + HTTP_REQUEST_S * USEC_PER_SEC);
    assert_int_equal(lab.metrics.cut, 0);
    close_http(fd);
}

static void socket_that_cannot_be_served_is_an_error(void **state)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    open_routes();
    assert_int_equal(start_http(fd), ERR_IO);
    close(fd);
    close_routes();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_http_and_ends_by_a_signal),
        cmocka_unit_test(caged_backbone_answers_too),
        cmocka_unit_test(file_is_read_again_at_a_hang_up),
        cmocka_unit_test(without_a_file_a_hang_up_changes_nothing),
        cmocka_unit_test(requests_that_proxies_read_otherwise_are_refused),
        cmocka_unit_test(body_that_is_too_large_is_413_however_it_is_sent),
        cmocka_unit_test(who_asks_is_told_its_address_and_a_flood_is_not),
        cmocka_unit_test(start_that_fails_says_why),
        cmocka_unit_test(every_address_is_listened_on_by_default),
        cmocka_unit_test(backbone_starts_again_at_once_on_its_port),
        cmocka_unit_test(limit_on_the_size_of_files_does_not_end_it),
        cmocka_unit_test(request_that_takes_too_long_is_cut),
        cmocka_unit_test(connection_that_is_served_has_its_time_anew),
        cmocka_unit_test(socket_that_cannot_be_served_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
