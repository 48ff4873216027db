/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: one thread that waits for its children. It ignores the signals that end a node, which reach a
 * whole terminal or service at once: who ends the helpers is the node, by closing its ends. */
#include "node/helper/helper_keeper.h"

#include "base/clock.h"
#include "net/process.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX      4
#define WAIT_FIRST_MS 250
#define WAIT_MAX_MS   60000
#define LASTING_US    (60 * USEC_PER_SEC)
#define TELL_MAX      160

struct keeper {
    struct helper_job jobs[JOBS_MAX];
    unsigned count;
    struct {
        pid_t pid; /* 0: it is done */
        uint64_t started_us;
        int wait_ms; /* before the next one begins */
    } children[JOBS_MAX];
};

static void close_all(const struct helper_job *jobs, unsigned count, int but)
{
    for (unsigned i = 0; i < count; i++)
        if (jobs[i].fd != but)
            close(jobs[i].fd);
}

/* What it cannot tell, the node sees when the channel closes. */
static void tell(int fd, enum helper_kind kind, const char *text)
{
    struct helper_message m = {.kind = kind};
    helper_message_set_text(&m, text);
    (void)!helper_channel_send(fd, &m);
}

static void start(struct keeper *k, unsigned i)
{
    const struct helper_job *job = &k->jobs[i];
    pid_t pid = fork();
    if (pid == 0) {
        close_all(k->jobs, k->count, job->fd);
        process_title(job->title, job->name);
        _exit(job->run(job->fd, job->context));
    }
    if (pid < 0)
        tell(job->fd, HELPER_UNABLE, "the system starts no process for it");
    k->children[i].pid = pid; /* -1: to be tried again */
    k->children[i].started_us = clock_monotonic_us();
}

static bool node_is_gone(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, wait_ms) > 0;
}

static void start_another(struct keeper *k, unsigned i)
{
    bool lasted = clock_monotonic_us() - k->children[i].started_us >= LASTING_US;
    int *wait_ms = &k->children[i].wait_ms;
    *wait_ms = lasted || !*wait_ms ? WAIT_FIRST_MS : *wait_ms * 2 < WAIT_MAX_MS ? *wait_ms * 2 : WAIT_MAX_MS;
    k->children[i].pid = 0;
    if (!node_is_gone(k->jobs[i].fd, *wait_ms))
        start(k, i);
}

static void on_end(struct keeper *k, unsigned i, int status)
{
    char how[TELL_MAX];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        k->children[i].pid = 0;
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "signal %d, %s", WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
    else
        snprintf(how, sizeof how, "exit code %d", WEXITSTATUS(status));
    tell(k->jobs[i].fd, HELPER_ENDED, how);
    start_another(k, i);
}

/* False when none could be: each start waits before it. */
static bool all_are_started(struct keeper *k)
{
    bool all = true;
    for (unsigned i = 0; i < k->count; i++) {
        if (k->children[i].pid < 0)
            start_another(k, i);
        all &= k->children[i].pid >= 0;
    }
    return all;
}

/* Until no child is left. */
static void keep(struct keeper *k)
{
    int status;
    pid_t pid = 0;
    for (unsigned i = 0; i < k->count; i++)
        start(k, i);
    while (pid >= 0) {
        pid = all_are_started(k) ? wait(&status) : 0;
        for (unsigned i = 0; pid > 0 && i < k->count; i++)
            if (k->children[i].pid == pid)
                on_end(k, i, status);
    }
}

static void set_signals(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it */
}

/* The standard error stays, for what a sanitizer or a failed assertion says. */
static void leave_terminal(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!dup2(fd, STDIN_FILENO);
    (void)!dup2(fd, STDOUT_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static _Noreturn void run(struct keeper *k, bool caged)
{
    char failed[HELPER_TEXT_MAX];
    set_signals();
    leave_terminal();
    process_title("shadowmesh-l2: helpers", "helpers");
    if (caged && helper_cage_enter(HELPER_CAGE_KEEPER, failed, sizeof failed)) {
        for (unsigned i = 0; i < k->count; i++)
            tell(k->jobs[i].fd, HELPER_UNABLE, failed);
        _exit(EXIT_FAILURE);
    }
    keep(k);
    _exit(EXIT_SUCCESS);
}

int helper_keeper_start(const struct helper_job *jobs, unsigned count, const int *node, bool caged)
{
    struct keeper k = {.count = count < JOBS_MAX ? count : JOBS_MAX};
    memcpy(k.jobs, jobs, k.count * sizeof *jobs);
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < k.count; i++)
            close(node[i]);
        run(&k, caged);
    }
    close_all(jobs, count, -1);
    return pid < 0 ? ERR_IO : 0;
}
