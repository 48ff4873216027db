/* SPDX-License-Identifier: Apache-2.0 */
/* The first packet says what was made, with the descriptors of it; each after that answers one question. */
#include "net/broker.h"

#include "net/landlock.h"
#include "net/process.h"
#include "net/rtnl.h"
#include "net/sandbox.h"
#include "net/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_FD     (STDERR_FILENO + 1)
#define ALSO_FD        (CHANNEL_FD + 1)
#define LOOPBACK_INDEX 1
#define START_MS       10000
#define ANSWER_MS      1000
#define FILES_MAX      (TAP_QUEUES_MAX + 2) /* the queues, rtnl, monitor */

union rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(FILES_MAX * sizeof(int))];
};

struct files {
    unsigned count;
    int fds[FILES_MAX];
};

struct question {
    uint8_t family, type;
};

/* The queues and the two sockets come as files. */
struct made {
    struct broker_trouble trouble;
    struct tap tap;
};

static void close_all(struct files *files)
{
    while (files->count)
        close(files->fds[--files->count]);
}

static bool send_files(int fd, const void *data, size_t len, const struct files *files)
{
    union rights rights = {.room = {0}};
    struct iovec iov = {(void *)data, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t bytes = files->count * sizeof(files->fds[0]);
    if (bytes) {
        m.msg_control = rights.room;
        m.msg_controllen = CMSG_SPACE(bytes);
        rights.header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&rights.header), files->fds, bytes);
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL) >= 0;
}

/* A packet of that length, and none other; what came with it is the caller's in any case. */
static int receive_files(int fd, void *data, size_t len, int wait_ms, struct files *out)
{
    union rights rights;
    struct iovec iov = {data, len};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof(rights.room)};
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    *out = (struct files){.count = 0};
    if (poll(&readable, 1, wait_ms) <= 0)
        return ERR_AGAIN;
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS) {
        out->count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(out->fds[0]));
        memcpy(out->fds, CMSG_DATA(c), out->count * sizeof(out->fds[0]));
    }
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    return (size_t)n == len ? 0 : ERR_FORMAT;
}

/* ---- the process: what it makes ---- */

struct process {
    const struct broker_config *config;
    pid_t parent;
    uid_t user; /* while it still has a name here */
    gid_t group;
    struct made made;
    struct files files;
};

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    ssize_t n = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? err_from_errno(errno) : 0;
}

/* The user stays who it is, and is nobody else. A group may be mapped only where none can be given up. */
static int map_user(uid_t user, gid_t group)
{
    char text[64];
    int err = write_text("/proc/self/setgroups", "deny");
    if (err && err != ERR_NOT_FOUND)
        return err;
    snprintf(text, sizeof(text), "%u %u 1", user, user);
    err = write_text("/proc/self/uid_map", text);
    if (err)
        return err;
    snprintf(text, sizeof(text), "%u %u 1", group, group);
    return write_text("/proc/self/gid_map", text);
}

static int enter(int kind)
{
    return unshare(kind) == 0 ? 0 : err_from_errno(errno);
}

/* ping(8) has no capability in there: a socket for echoes serves it, where the group may have one. */
static void allow_echoes(gid_t group)
{
    char text[64];
    snprintf(text, sizeof(text), "%u %u", group, group);
    (void)!write_text("/proc/sys/net/ipv4/ping_group_range", text);
}

static int raise_loopback(void)
{
    const struct rtnl_link_change up = {.up = true};
    struct rtnl *r;
    int err = rtnl_open(&r);
    if (err)
        return err;
    err = rtnl_link_set(r, LOOPBACK_INDEX, &up);
    rtnl_close(r);
    return err;
}

static int make_device(const struct broker_config *config, struct tap *tap, struct files *files)
{
    int err = tap_create(config->tap, config->layer, config->queues, tap);
    if (err)
        return err;
    files->count = tap->queue_count;
    memcpy(files->fds, tap->queues, tap->queue_count * sizeof(tap->queues[0]));
    err = rtnl_socket(&files->fds[files->count]);
    files->count += !err;
    if (!err)
        err = rtnl_monitor_open(&files->fds[files->count]);
    files->count += !err;
    return err;
}

static const struct landlock_path no_paths[] = {{NULL, LANDLOCK_READ}};
static const struct syscall_rule calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}}, {"socket", 1, {SYSCALL_INT(0, AF_INET6)}}, {NULL}};

static int enter_cage(bool caged)
{
    const struct sandbox_config cage = {.paths = no_paths, .calls = {calls}};
    struct sandbox held;
    const char *failed;
    return caged ? sandbox_enter(&cage, &held, &failed) : 0;
}

/* Behind what changes its rights, which would take it back. */
static int die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return ERR_IO;
    return getppid() == parent ? 0 : ERR_CLOSED;
}

static int take_step(struct process *p, enum broker_step step)
{
    int err = 0;
    switch (step) {
    case BROKER_PROCESS: /* else its files below /proc are root's, the maps among them */
        return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? 0 : ERR_IO;
    case BROKER_USER_NAMESPACE:
        return enter(CLONE_NEWUSER);
    case BROKER_NETWORK_NAMESPACE:
        return enter(CLONE_NEWNET);
    case BROKER_USER:
        err = map_user(p->user, p->group);
        return err ? err : die_with(p->parent);
    case BROKER_LOOPBACK:
        allow_echoes(p->group);
        return raise_loopback();
    case BROKER_TAP:
        return make_device(p->config, &p->made.tap, &p->files);
    case BROKER_CAGE:
        return enter_cage(p->config->caged);
    case BROKER_MADE:
        break;
    }
    return 0;
}

static bool make(struct process *p)
{
    for (enum broker_step step = BROKER_PROCESS; step < BROKER_MADE; step++) {
        errno = 0;
        int err = take_step(p, step);
        if (err) {
            p->made.trouble = (struct broker_trouble){step, err, errno};
            close_all(&p->files);
            return false;
        }
    }
    p->made.trouble.step = BROKER_MADE;
    return true;
}

/* ---- the process: what it is asked ---- */

static bool is_sensible(const struct question *q)
{
    return (q->family == 4 || q->family == 6) && (q->type == SOCK_STREAM || q->type == SOCK_DGRAM);
}

/* Who asks otherwise is not the program that started us. */
static bool serve(int fd)
{
    struct question q;
    struct files f = {.count = 0};
    if (recv(fd, &q, sizeof(q), MSG_TRUNC) != sizeof(q) || !is_sensible(&q))
        return false;
    f.fds[0] = socket(q.family == 4 ? AF_INET : AF_INET6, q.type | SOCK_CLOEXEC, 0);
    int number = f.fds[0] < 0 ? errno : 0;
    f.count = f.fds[0] >= 0;
    bool told = send_files(fd, &number, sizeof(number), &f);
    close_all(&f);
    return told;
}

/* Until the program that started us is gone: whoever else asks may be before. */
static void serve_all(bool also)
{
    struct pollfd askers[] = {{.fd = CHANNEL_FD, .events = POLLIN},
                              {.fd = also ? ALSO_FD : -1, .events = POLLIN}};
    for (;;) {
        if (poll(askers, 2, -1) < 0)
            continue;
        if (askers[0].revents && !serve(CHANNEL_FD))
            return;
        if (askers[1].revents && !serve(ALSO_FD))
            askers[1].fd = -1;
    }
}

/* The signals reach a whole terminal or service: who ends it is the program, by its end of the channel. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
}

/* The ends of others' channels are the program's alone. False: too many files are open. */
static bool keep_channels(int channel, int also)
{
    int spare =
        also < 0 ? -1 : fcntl(also, F_DUPFD_CLOEXEC, ALSO_FD + 1); /* it may lie where the first goes */
    if (dup2(channel, CHANNEL_FD) < 0 || (also >= 0 && (spare < 0 || dup2(spare, ALSO_FD) < 0)))
        return false;
    closefrom(also < 0 ? ALSO_FD : ALSO_FD + 1);
    return true;
}

static _Noreturn void run(struct process *p, int channel)
{
    ignore_signals();
    if (!keep_channels(channel, p->config->also))
        _exit(EXIT_FAILURE);
    process_title(p->config->title, "broker");
    bool made = make(p);
    bool told = send_files(CHANNEL_FD, &p->made, sizeof(p->made), &p->files);
    close_all(&p->files);
    if (made && told)
        serve_all(p->config->also >= 0);
    _exit(EXIT_SUCCESS);
}

/* ---- the program ---- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void broker_close(struct broker *b)
{
    close_one(&b->channel);
    close_one(&b->rtnl);
    close_one(&b->monitor);
    tap_close(&b->tap);
}

static int take_files(const struct made *m, const struct files *f, struct broker *out)
{
    unsigned queues = m->tap.queue_count;
    if (queues == 0 || queues > TAP_QUEUES_MAX || f->count != queues + 2)
        return ERR_FORMAT;
    out->tap = m->tap;
    out->tap.name[sizeof(out->tap.name) - 1] = '\0';
    memcpy(out->tap.queues, f->fds, queues * sizeof(f->fds[0]));
    out->rtnl = f->fds[queues];
    out->monitor = f->fds[queues + 1];
    return 0;
}

static int await(struct broker *out, struct broker_trouble *trouble)
{
    struct made m;
    struct files f;
    int err = receive_files(out->channel, &m, sizeof(m), START_MS, &f);
    *trouble = (struct broker_trouble){BROKER_PROCESS, err, errno};
    if (!err && m.trouble.step != BROKER_MADE) {
        *trouble = m.trouble;
        err = m.trouble.err ? m.trouble.err : ERR_FORMAT;
    } else if (!err) {
        err = take_files(&m, &f, out);
    }
    if (err)
        close_all(&f);
    return err;
}

int broker_start(const struct broker_config *config, struct broker *out, struct broker_trouble *trouble)
{
    int ends[2];
    struct process p = {.config = config, .parent = getpid(), .user = geteuid(), .group = getegid()};
    *out = BROKER_NONE;
    *trouble = (struct broker_trouble){BROKER_PROCESS, ERR_IO, 0};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        trouble->number = errno;
        return ERR_IO;
    }
    out->pid = fork();
    if (out->pid == 0)
        run(&p, ends[1]);
    trouble->number = errno;
    out->channel = ends[0];
    close(ends[1]);
    int err = out->pid < 0 ? ERR_IO : await(out, trouble);
    if (!err)
        return 0;
    broker_close(out);
    if (out->pid > 0 && kill(out->pid, SIGKILL) == 0)
        (void)waitpid(out->pid, NULL, 0);
    return err;
}

int broker_socket(int channel, unsigned family, int type, int *out)
{
    const struct question q = {(uint8_t)family, (uint8_t)type};
    struct files f;
    int number;
    if (!is_sensible(&q))
        return ERR_ARGUMENT;
    while (receive_files(channel, &number, sizeof(number), 0, &f) != ERR_AGAIN && f.count)
        close_all(&f); /* answers to who did not wait for them */
    if (send(channel, &q, sizeof(q), MSG_NOSIGNAL) != sizeof(q))
        return ERR_CLOSED;
    int err = receive_files(channel, &number, sizeof(number), ANSWER_MS, &f);
    if (!err && (number || f.count != 1))
        err = ERR_IO;
    if (!err) {
        *out = f.fds[0];
        return 0;
    }
    close_all(&f);
    errno = number;
    return err;
}

bool broker_gone(int channel)
{
    char c;
    return recv(channel, &c, sizeof(c), MSG_PEEK | MSG_DONTWAIT) == 0;
}
