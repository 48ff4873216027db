/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: one thread that waits for its children. Who ends the helpers is the node, by closing its ends. */
#include "node/helper/helper_keeper.h"

#include "base/clock.h"
#include "net/process.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX      4
#define WAIT_FIRST_MS 250
#define WAIT_MAX_MS   60000
#define LASTING_US    (60 * USEC_PER_SEC)
#define GRACE_US      USEC_PER_SEC /* to end once the node is gone */
#define TELL_MAX      160

struct keeper {
    struct helper_job jobs[JOBS_MAX];
    unsigned count;
    sigset_t signals; /* that pass while it waits */
    struct child {
        pid_t pid; /* 0: it is done; -1: it is to be started again */
        uint64_t started_us;
        uint64_t kill_us; /* 0: its node is there */
        int wait_ms;      /* before the next one begins */
    } children[JOBS_MAX];
};

static void close_job(const struct helper_job *job)
{
    close(job->fd);
    for (unsigned i = 0; i < job->more_count; i++)
        close(job->more[i]);
}

static void close_all(const struct helper_job *jobs, unsigned count, const struct helper_job *but)
{
    for (unsigned i = 0; i < count; i++)
        if (&jobs[i] != but)
            close_job(&jobs[i]);
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
        signal(SIGCHLD, SIG_DFL);
        sigprocmask(SIG_SETMASK, &k->signals, NULL);
        close_all(k->jobs, k->count, job);
        process_title(job->title, job->name);
        _exit(job->run(job->fd, job->context));
    }
    if (pid < 0)
        tell(job->fd, HELPER_UNABLE, "the system starts no process for it");
    k->children[i].pid = pid;
    k->children[i].started_us = clock_monotonic_us();
    k->children[i].kill_us = 0;
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
        snprintf(how, sizeof(how), "signal %d, %s", WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
    else
        snprintf(how, sizeof(how), "exit code %d", WEXITSTATUS(status));
    tell(k->jobs[i].fd, HELPER_ENDED, how);
    start_another(k, i);
}

static void reap(struct keeper *k)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < k->count; i++)
            if (k->children[i].pid == pid)
                on_end(k, i, status);
}

/* Until a child ends, the node goes, or a child has not ended in spite of it. */
static void wait_for_news(const struct keeper *k, struct pollfd *ends)
{
    uint64_t now_us = clock_monotonic_us(), until_us = TIME_NEVER;
    for (unsigned i = 0; i < k->count; i++) {
        const struct child *c = &k->children[i];
        ends[i] = (struct pollfd){.fd = c->pid > 0 && !c->kill_us ? k->jobs[i].fd : -1};
        uint64_t due_us = c->pid < 0 ? now_us : c->pid > 0 && c->kill_us ? c->kill_us : TIME_NEVER;
        until_us = due_us < until_us ? due_us : until_us;
    }
    uint64_t wait_us = until_us > now_us ? until_us - now_us : 0;
    const struct timespec wait = {(time_t)(wait_us / USEC_PER_SEC), (long)(wait_us % USEC_PER_SEC) * 1000};
    (void)!ppoll(ends, k->count, until_us == TIME_NEVER ? NULL : &wait, &k->signals);
}

/* Whom nothing of ours rules any more, or who was stopped, does not outlive the node. */
static void end_what_lasts(struct keeper *k, const struct pollfd *ends)
{
    uint64_t now_us = clock_monotonic_us();
    for (unsigned i = 0; i < k->count; i++) {
        struct child *c = &k->children[i];
        if (ends[i].revents)
            c->kill_us = now_us + GRACE_US;
        if (c->pid <= 0 || !c->kill_us || c->kill_us > now_us)
            continue;
        kill(c->pid, SIGKILL);
        c->kill_us = TIME_NEVER;
    }
}

static bool any_left(const struct keeper *k)
{
    bool any = false;
    for (unsigned i = 0; i < k->count; i++)
        any |= k->children[i].pid != 0;
    return any;
}

static void keep(struct keeper *k)
{
    struct pollfd ends[JOBS_MAX] = {0};
    for (unsigned i = 0; i < k->count; i++)
        start(k, i);
    while (any_left(k)) {
        wait_for_news(k, ends);
        reap(k);
        end_what_lasts(k, ends);
        for (unsigned i = 0; i < k->count; i++)
            if (k->children[i].pid < 0)
                start_another(k, i); /* it waits before */
    }
}

static void on_child(int number)
{
    (void)number; /* it ends the wait */
}

static void set_signals(struct keeper *k)
{
    sigset_t child;
    signal(SIGCHLD, on_child);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &k->signals);
    sigdelset(&k->signals, SIGCHLD); /* whoever started us may have blocked it */
}

static _Noreturn void run(struct keeper *k, bool caged)
{
    char failed[HELPER_TEXT_MAX];
    helper_process_begin("shadowmesh-l2: helpers", "helpers");
    set_signals(k);
    if (caged && helper_cage_enter(HELPER_CAGE_KEEPER, failed, sizeof(failed))) {
        for (unsigned i = 0; i < k->count; i++)
            tell(k->jobs[i].fd, HELPER_UNABLE, failed);
        _exit(EXIT_FAILURE);
    }
    keep(k);
    _exit(EXIT_SUCCESS);
}

int helper_keeper_start(const struct helper_job *jobs, unsigned count, const int *node, unsigned node_count,
                        bool caged)
{
    struct keeper k = {.count = count < JOBS_MAX ? count : JOBS_MAX};
    memcpy(k.jobs, jobs, k.count * sizeof(*jobs));
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < node_count; i++)
            close(node[i]);
        run(&k, caged);
    }
    close_all(jobs, count, NULL);
    return pid < 0 ? ERR_IO : 0;
}
