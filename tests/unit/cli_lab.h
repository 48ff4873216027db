/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `shadowmesh` from its command line to what it prints and its exit code, with nodes that answer what the test says, for
 * test_cli*.c. */

#include "cli/cli.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define NODES_MAX    2
#define COMMANDS_MAX 3
#define REQUESTS_MAX 8
#define REQUEST_MAX  16384
#define ID_A         "a1b2c3d4e5f60718293a4b5c6d7e8f9001020304"
#define ID_B         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C         "c0ffee0000000000000000000000000000000000"

#define PATH "{\"kind\":\"direct\",\"remote\":\"203.0.113.7:9443\",\"mtu\":1452}"
#define PEER_REST                                                                                            \
    "\"addresses\":[\"10.10.10.4/24\"],\"state\":\"connected\",\"path\":" PATH                               \
    ",\"rtt_us\":412,\"loss\":0.0,\"rx_bytes\":1234567890,\"tx_bytes\":340000000,\"handshake_age_s\":3725,"  \
    "\"ratchet_age_s\":12,\"suite\":\"AES-256-GCM\",\"paths\":[" PATH                                        \
    ",{\"kind\":\"direct\",\"remote\":\"192.0.2.9:9443\",\"state\":\"probing\",\"why\":\"no answer "         \
    "yet\",\"rtt_us\":null,\"mtu\":"                                                                         \
    "null}]}"
#define PEER(id, name) "{\"id\":\"" id "\",\"name\":\"" name "\"," PEER_REST
#define SILENT                                                                                               \
    "{\"id\":\"" ID_C "\",\"name\":\"silent\",\"addresses\":[],\"state\":\"backoff\",\"path\":null,"         \
    "\"error\":\"no answer from 192.0.2.7\"}"
#define NODE_WITH(id, name, peers, more)                                                                     \
    "{\"id\":\"" id "\",\"name\":\"" name                                                                    \
    "\",\"device\":\"tap0\",\"mtu\":1500,\"addresses\":[\"10.10.10.3/24\"],\"workers\":2,"                   \
    "\"aead\":\"AES-256-GCM\",\"uptime_s\":7505,\"peers\":[" peers                                           \
    "],\"drops\":{\"replay\":3,\"auth\":0,\"no_peer\":17},\"frames\":{\"from_device\":12345,"                \
    "\"to_device\":11020,\"bytes_from_device\":1200000,\"bytes_to_device\":340000000}" more "}"
#define NODE(id, name, peers) NODE_WITH(id, name, peers, "")
#define OK(result)            "{\"ok\":true,\"result\":" result "}\n"
#define REFUSED(error)        "{\"ok\":false,\"error\":\"" error "\"}\n"
#define STATUS(id, name)      OK(NODE(id, name, PEER(ID_B, "site-b")))
#define PONG                  OK("{\"peer_id\":\"" ID_B "\",\"name\":\"site-b\",\"rtt_us\":420,\"path\":" PATH "}")

int cli_main(int argc, char **argv); /* main.c's */

struct answer {
    const char *command, *line; /* line NULL: hangs up */
};

static struct node {
    int listener;
    char path[108];
    pthread_t thread;
    struct answer answers[COMMANDS_MAX];
    _Atomic unsigned asked[COMMANDS_MAX];
    char requests[REQUESTS_MAX][REQUEST_MAX]; /* of the second command, in turn */
} nodes[NODES_MAX];
static unsigned node_count;
static char dir[32], *out, *err;

/* ---- nodes ---- */

/* A long one comes in parts. */
static inline ssize_t recv_line(int fd, char *line, size_t size)
{
    ssize_t len = 0, n = 1;
    while (n > 0 && (size_t)len < size && !memchr(line, '\n', (size_t)len)) {
        n = recv(fd, line + len, size - (size_t)len, 0);
        len += n > 0 ? n : 0;
    }
    return len;
}

static inline void serve(struct node *n, int fd)
{
    char request[REQUEST_MAX];
    ssize_t len = recv_line(fd, request, sizeof(request));
    json_t *json = len > 0 ? json_loadb(request, (size_t)len, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    const char *command = json ? json_string_value(json_object_get(json, "cmd")) : "";
    for (unsigned i = 0; i < COMMANDS_MAX; i++) {
        const struct answer *a = &n->answers[i];
        if (!a->command || strcmp(a->command, command) != 0)
            continue;
        if (i == 1 && n->asked[i] < REQUESTS_MAX)
            snprintf(n->requests[n->asked[i]], REQUEST_MAX, "%.*s", (int)len, request);
        n->asked[i]++;
        if (a->line)
            (void)!send(fd, a->line, strlen(a->line), MSG_NOSIGNAL);
        break; /* from here on the test may change what is answered */
    }
    json_decref(json);
}

static inline void *run_node(void *context)
{
    struct node *n = context;
    for (int fd; (fd = accept(n->listener, NULL, NULL)) >= 0; close(fd))
        serve(n, fd);
    return NULL;
}

static inline struct node *add_socket(const char *id, const char *ending, const char *status,
                                      const char *command, const char *line)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct node *n = &nodes[node_count++];
    *n = (struct node){.answers = {{"status", status}, {command, line}}};
    snprintf(n->path, sizeof(n->path), "%s/%s%s", dir, id, ending);
    strcpy(at.sun_path, n->path);
    n->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(n->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(n->listener, 8), 0);
    assert_int_equal(pthread_create(&n->thread, NULL, run_node, n), 0);
    return n;
}

static inline struct node *add_node(const char *id, const char *status, const char *command, const char *line)
{
    return add_socket(id, ".sock", status, command, line);
}

static inline int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/cli-XXXXXX");
    node_count = 0;
    return mkdtemp(dir) == NULL;
}

static inline void stop_node(struct node *n)
{
    shutdown(n->listener, SHUT_RDWR);
    pthread_join(n->thread, NULL);
    close(n->listener);
}

static inline int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < node_count; i++) {
        stop_node(&nodes[i]);
        unlink(nodes[i].path);
    }
    free(out);
    free(err);
    out = err = NULL;
    return rmdir(dir);
}

/* ---- the command ---- */

static inline int run_args(int argc, char **argv)
{
    size_t out_len, err_len;
    FILE *old_out = stdout, *old_err = stderr;
    free(out);
    free(err);
    stdout = open_memstream(&out, &out_len);
    stderr = open_memstream(&err, &err_len);
    int code = cli_main(argc, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = old_out;
    stderr = old_err;
    return code;
}

static inline int run(const char *line)
{
    char copy[256], name[] = "shadowmesh", run_flag[] = "-run", *args[24] = {name};
    int count = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        args[count++] = word;
    if (!strstr(line, "-run") && !strstr(line, "version")) {
        args[count++] = run_flag;
        args[count++] = dir;
    }
    args[count] = NULL;
    return run_args(count, args);
}

static inline void assert_run(const char *line, int code)
{
    int got = run(line);
    if (got != code)
        fail_msg("%s: exit code %d and not %d\n%s%s", line, got, code, out, err);
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static inline void assert_one_complaint(const char *part)
{
    assert_has(err, part);
    assert_int_equal(strncmp(err, "shadowmesh: ", 12), 0);
    assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
}

static inline json_t *json_out(void)
{
    json_t *json = json_loads(out, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
