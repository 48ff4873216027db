/* SPDX-License-Identifier: Apache-2.0 */
/* What a node answers, as `shadowmesh` reads and prints it: two nodes that say anything, over their sockets. Input:
 * the verb and its options (1 byte), then the answers, one a line. Nothing printed is more than text and newlines;
 * with --json it is JSON. */

#include "base/text.h"
#include "cli/cli.h"
#include "cli/cmd.h"
#include <jansson.h>
#include <pthread.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NODES 2

static char dir[] = "/tmp/fuzz-cli-XXXXXX";
static char paths[NODES][108];
static int listeners[NODES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the nodes' thread takes what the input sets: */
static const char *answers;                              /* the next one */
static size_t answers_len;

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* As main.c's, into nothing: its arguments are read. */
void cli_complain(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
}

static void set_answers(const uint8_t *data, size_t len)
{
    pthread_mutex_lock(&lock);
    answers = (const char *)data;
    answers_len = len;
    pthread_mutex_unlock(&lock);
}

/* A copy of the next answer, to be freed: the input may be gone before it is sent. */
static char *take_answer(size_t *len)
{
    pthread_mutex_lock(&lock);
    const char *end = answers_len ? memchr(answers, '\n', answers_len) : NULL;
    *len = end ? (size_t)(end - answers) + 1 : answers_len;
    char *line = malloc(*len + 1);
    check(line != NULL);
    if (*len)
        memcpy(line, answers, *len);
    answers += *len;
    answers_len -= *len;
    pthread_mutex_unlock(&lock);
    return line;
}

static void answer(int fd)
{
    char request[256];
    if (recv(fd, request, sizeof(request), 0) > 0) {
        size_t len, sent = 0;
        char *line = take_answer(&len);
        for (ssize_t n; sent < len && (n = send(fd, line + sent, len - sent, MSG_NOSIGNAL)) > 0;)
            sent += (size_t)n;
        free(line);
    }
    close(fd);
}

static void *run_nodes(void *context)
{
    (void)context;
    for (;;) {
        struct pollfd p[NODES];
        for (int i = 0; i < NODES; i++)
            p[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
        if (poll(p, NODES, -1) <= 0)
            continue;
        for (int i = 0; i < NODES; i++)
            if (p[i].revents)
                answer(accept(listeners[i], NULL, NULL));
    }
    return NULL;
}

static void clean_up(void)
{
    for (int i = 0; i < NODES; i++)
        unlink(paths[i]);
    rmdir(dir);
}

static void start(void)
{
    pthread_t thread;
    check(mkdtemp(dir) != NULL);
    for (int i = 0; i < NODES; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(paths[i], sizeof(paths[i]), "%s/%040d.sock", dir, i);
        strcpy(address.sun_path, paths[i]);
        listeners[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(bind(listeners[i], (struct sockaddr *)&address, sizeof(address)) == 0);
        check(listen(listeners[i], 8) == 0);
    }
    atexit(clean_up);
    check(pthread_create(&thread, NULL, run_nodes, NULL) == 0);
}

static void check_text(const char *text, size_t len)
{
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;
        check(text_ok(text, line));
        text += end ? line + 1 : line;
        len -= end ? line + 1 : line;
    }
}

static void check_json(const char *text, size_t len)
{
    json_t *json = len > 1 ? json_loadb(text, len, JSON_DECODE_ANY, NULL) : NULL;
    check(json || len <= 1);
    json_decref(json);
    for (size_t i = 0; i < len; i++)
        check((unsigned char)text[i] >= ' ' || text[i] == '\n');
}

static void run(uint8_t choice)
{
    static int (*const verbs[])(const struct cli_options *) = {
        cmd_status, cmd_peers,    cmd_fdb,     cmd_ping,       cmd_id,
        cmd_allow,  cmd_disallow, cmd_connect, cmd_disconnect, cmd_netcheck};
    static const char *words[] = {"peer", "0123456789abcdef0123456789abcdef01234567"};
    unsigned verb = (choice & 0x0f) % (sizeof(verbs) / sizeof(verbs[0]));
    const struct cli_options options = {.run_dir = dir,
                                        .json = choice & 0x10,
                                        .whole = choice & 0x20,
                                        .node = choice & 0x40 ? "node" : NULL,
                                        .count = 1,
                                        .interval_s = 1,
                                        .words = &words[verb > 3],
                                        .word_count = 1};
    int verdict = verbs[verb](&options);
    check(verdict == CLI_OK || verdict == CLI_FAILURE || verdict == CLI_NO_NODE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!paths[0][0])
        start();
    if (size < 1)
        return 0;
    set_answers(data + 1, size - 1);
    char *printed = NULL;
    size_t len = 0;
    FILE *terminal = stdout;
    check((stdout = open_memstream(&printed, &len)) != NULL);
    run(data[0]);
    fclose(stdout);
    stdout = terminal;
    set_answers(data + size, 0);
    if (data[0] & 0x10)
        check_json(printed, len);
    else
        check_text(printed, len);
    free(printed);
    return 0;
}
