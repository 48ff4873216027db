/* SPDX-License-Identifier: Apache-2.0 */
#include "node_twin.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/config/config.h"
#include "node/control/control.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_US   (30 * USEC_PER_SEC) /* sanitizers are slow */
#define FRAME_WAIT_MS 10000
#define ARGS_MAX      40
#define FILES_MAX     64    /* that the test may have open */
#define PORT_FIRST    20000 /* below those that the kernel hands out */
#define PORT_COUNT    10000

static bool port_is_free(uint16_t port, int type)
{
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_free = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return is_free;
}

static uint16_t free_port(int type)
{
    static unsigned tried;
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        unsigned at = (unsigned)getpid() * 31 + tried++;
        uint16_t port = (uint16_t)(PORT_FIRST + at % PORT_COUNT);
        if (port_is_free(port, type))
            return port;
    }
    fail_msg("no port is free");
    return 0;
}

static void make_key(struct twin *t);

static void open_device(struct twin *t, uint8_t host)
{
    int pair[2];
    t->device = mmap(NULL, sizeof(*t->device), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(t->device != MAP_FAILED);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    *t->device = (struct device_twin){.queue = pair[0], .mtu = 1500, .underlay_max = 1472};
    t->device->monitor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    t->tap = pair[1];
    t->device->address = (struct addr_prefix){.addr = {.family = 4, .ip = {10, 9, 0, host}}, .bits = 24};
}

void twin_init(struct twin *t, const char *name, uint8_t host)
{
    *t = (struct twin){.name = name, .log = -1, .dir = "/tmp/twin-XXXXXX"};
    assert_non_null(mkdtemp(t->dir));
    t->port = free_port(SOCK_DGRAM);
    t->control_port = free_port(SOCK_STREAM);
    open_device(t, host);
    make_key(t);
}

static void remove_files(struct twin *t)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", t->dir);
    assert_int_equal(system(command), 0);
}

void twin_fini(struct twin *t)
{
    if (t->pid)
        twin_end(t, SIGTERM);
    if (t->log >= 0)
        close(t->log);
    if (t->tap >= 0)
        close(t->tap);
    close(t->device->queue);
    close(t->device->monitor);
    munmap(t->device, sizeof(*t->device));
    remove_files(t);
}

/* ---- its process ---- */

static int fill_args(const struct twin *t, const char *const *more, char ports[2][8], const char **args)
{
    int count = 0;
    snprintf(ports[0], sizeof(ports[0]), "%u", t->port);
    snprintf(ports[1], sizeof(ports[1]), "%u", t->control_port);
    const char *const own[] = {"twin", "-name",    t->name,  "-keydir",       t->dir,   "-run",
                               t->dir, "-port",    ports[0], "-control-port", ports[1], "-tap",
                               "twin", "-sandbox", "off",    "-workers",      "1",      NULL};
    for (const char *const *a = own; *a; a++)
        args[count++] = *a;
    for (; more && *more && count < ARGS_MAX; more++)
        args[count++] = *more;
    args[count] = NULL;
    return count;
}

/* As main.c does it. */
static int run_node(const struct twin *t, const char *const *more)
{
    static struct config config;
    const char *args[ARGS_MAX + 1];
    char ports[2][8];
    int count = fill_args(t, more, ports, args);
    signal(SIGPIPE, SIG_IGN);
    device_twin_use(t->device);
    if (config_parse(count, (char **)args, &config) != FLAGS_RUN)
        return 2;
    if (config.verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    return control_run(&config);
}

/* The test's ends, also those of other nodes, would keep a removed device alive. */
static void become(const struct twin *t, int log)
{
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++)
        if (fd != t->device->queue && fd != t->device->monitor)
            close(fd);
}

void twin_start(struct twin *t, const char *const *more, void (*prepare)(void *context), void *context)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (t->log >= 0)
        close(t->log);
    t->log = ends[0];
    t->lines_len = 0;
    fflush(NULL);
    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing */
        become(t, ends[1]);
        if (prepare)
            prepare(context);
        exit(run_node(t, more));
    }
    close(ends[1]);
}

/* False at the end of the log. */
static bool read_log(struct twin *t)
{
    for (;;) {
        size_t room = sizeof(t->lines) - 1 - t->lines_len;
        ssize_t n = read(t->log, t->lines + t->lines_len, room);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        t->lines_len += (size_t)n;
        t->lines[t->lines_len] = '\0';
        assert_true(t->lines_len < sizeof(t->lines) - 1);
    }
}

bool twin_log_has(struct twin *t, const char *text)
{
    read_log(t);
    return strstr(t->lines, text) != NULL;
}

void twin_wait_log(struct twin *t, const char *text)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    bool open = true;
    t->lines[t->lines_len] = '\0';
    while (!strstr(t->lines, text)) {
        struct pollfd p = {.fd = t->log, .events = POLLIN};
        if (!open || clock_monotonic_us() > until_us)
            fail_msg("%s did not log \"%s\":\n%s", t->name, text, t->lines);
        poll(&p, 1, 100);
        open = read_log(t);
    }
}

int twin_end(struct twin *t, int number)
{
    int status;
    if (number)
        kill(t->pid, number);
    /* Its log may not fill up while it ends. */
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    while (waitpid(t->pid, &status, WNOHANG) == 0) {
        struct pollfd p = {.fd = t->log, .events = POLLIN};
        if (clock_monotonic_us() > until_us)
            fail_msg("%s does not end:\n%s", t->name, t->lines);
        poll(&p, 1, 20);
        if (!read_log(t))
            poll(NULL, 0, 5);
    }
    read_log(t);
    t->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* By a process of its own: what libraries keep of keys does not outlive a fork. */
static void make_key(struct twin *t)
{
    struct node_id id;
    twin_start(t, (const char *const[]){"-generate-keys", NULL}, NULL, NULL);
    twin_wait_log(t, "Peer ID: ");
    assert_int_equal(twin_end(t, 0), 0);
    snprintf(t->id, sizeof(t->id), "%s", strstr(t->lines, "Peer ID: ") + strlen("Peer ID: "));
    assert_int_equal(id_parse(t->id, &id), 0);
    id_mac(&id, t->device->mac);
}

/* ---- what it is asked ---- */

/* -1: nobody is there. */
static int call_api(const struct twin *t)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%.40s/%.40s.sock", t->dir, t->id);
    const struct timeval wait = {.tv_sec = DEADLINE_US / USEC_PER_SEC};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* NULL: it hung up. Takes fd and request. */
static json_t *ask(int fd, json_t *request)
{
    FILE *line = fdopen(fd, "r+");
    char *text = json_dumps(request, JSON_COMPACT);
    size_t len = strlen(text);
    text[len] = '\n'; /* in the place of its NUL */
    json_t *answer = send(fd, text, len + 1, MSG_NOSIGNAL) == (ssize_t)len + 1
                         ? json_loadf(line, JSON_DISABLE_EOF_CHECK, NULL)
                         : NULL;
    free(text);
    fclose(line);
    json_decref(request);
    return answer;
}

json_t *twin_try(const struct twin *t, json_t *request)
{
    int fd = call_api(t);
    assert_true(fd >= 0);
    return ask(fd, request);
}

json_t *twin_ask(const struct twin *t, json_t *request)
{
    json_t *answer = twin_try(t, request);
    assert_non_null(answer);
    return answer;
}

static bool has_ended(const struct twin *t)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)t->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}

bool twin_runs(const struct twin *t)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    json_t *answer = NULL;
    while (!answer && !has_ended(t)) {
        int fd = call_api(t);
        if (clock_monotonic_us() > until_us)
            fail_msg("%s neither answers nor ends:\n%s", t->name, t->lines);
        if (fd >= 0)
            answer = ask(fd, json_pack("{s:s}", "cmd", "status"));
        else
            poll(NULL, 0, 2);
    }
    json_decref(answer);
    return answer != NULL;
}

json_t *twin_status(const struct twin *t)
{
    json_t *answer = twin_ask(t, json_pack("{s:s}", "cmd", "status"));
    json_t *result = json_incref(json_object_get(answer, "result"));
    json_decref(answer);
    assert_non_null(result);
    return result;
}

/* ---- its device ---- */

void twin_send_frame(const struct twin *t, const uint8_t *frame, size_t len)
{
    struct virtio_net_hdr vnet = {0};
    struct iovec iov[] = {{&vnet, sizeof(vnet)}, {(void *)frame, len}};
    assert_int_equal(writev(t->tap, iov, 2), sizeof(vnet) + len);
}

size_t twin_receive_frame(const struct twin *t, uint8_t *frame)
{
    struct virtio_net_hdr vnet;
    struct iovec iov[] = {{&vnet, sizeof(vnet)}, {frame, TWIN_FRAME_MAX}};
    struct pollfd p = {.fd = t->tap, .events = POLLIN};
    if (poll(&p, 1, FRAME_WAIT_MS) <= 0)
        return 0;
    ssize_t n = readv(t->tap, iov, 2);
    return n > (ssize_t)sizeof(vnet) ? (size_t)n - sizeof(vnet) : 0;
}

void twin_remove_device(struct twin *t)
{
    close(t->tap);
    t->tap = -1;
}

void twin_network_changed(struct twin *t)
{
    assert_int_equal(eventfd_write(t->device->monitor, 1), 0);
}

const char *twin_at(const struct twin *t, char *out, size_t size)
{
    snprintf(out, size, "%s@127.0.0.1:%u", t->id, t->control_port);
    return out;
}
