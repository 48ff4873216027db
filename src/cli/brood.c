/* SPDX-License-Identifier: Apache-2.0 */
/* Who lost its parent becomes a child of ours (PR_SET_CHILD_SUBREAPER): so none gets away. */
#include "cli/brood.h"

#include "cli/cli.h"
#include "cli/inside.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_ROUNDS 20
#define ROUND_MS     50
#define NOT_RUN      126 /* as shells have it */
#define NOT_FOUND    127

/* What is not the terminal's to send to all. */
static sigset_t taken(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&set, numbers[i]);
    return set;
}

static _Noreturn void become(const char *const *words, const struct inside *in, pid_t parent)
{
    const sigset_t set = taken();
    if (!inside_enter(in)) {
        cli_complain("run: the namespaces cannot be entered: %s", strerror(errno));
        _exit(NOT_RUN);
    }
    /* Behind what changes its rights, which would take it back. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        _exit(NOT_RUN);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    execvp(words[0], (char *const *)words);
    int code = errno == ENOENT ? NOT_FOUND : NOT_RUN;
    cli_complain("run: %s: %s", words[0], strerror(errno));
    _exit(code);
}

pid_t brood_start(const char *const *words, const struct inside *in)
{
    const sigset_t set = taken();
    pid_t parent = getpid();
    signal(SIGINT, SIG_IGN); /* a terminal sends them to the command, too */
    signal(SIGQUIT, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(words, in, parent);
    return pid;
}

/* True once the command has ended. */
static bool reap(pid_t command, int *code)
{
    int status;
    bool ended = false;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != command)
            continue;
        ended = true;
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return ended;
}

int brood_wait(pid_t command, int fd, bool *gone)
{
    const sigset_t set = taken();
    struct pollfd ready[] = {{.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
    struct signalfd_siginfo got;
    int code = CLI_FAILURE;
    *gone = false;
    while (!reap(command, &code) && !*gone) {
        (void)!poll(ready, 2, -1);
        *gone = ready[1].revents != 0;
        if (read(ready[0].fd, &got, sizeof(got)) == sizeof(got) && got.ssi_signo != SIGCHLD)
            kill(command, (int)got.ssi_signo);
    }
    close(ready[0].fd);
    return code;
}

/* ---- the end ---- */

static pid_t parent_of(const char *pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    text[len] = '\0';
    const char *name_end = strrchr(text, ')');
    int parent = -1;
    return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : -1;
}

static void signal_children(int number)
{
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (isdigit((unsigned char)e->d_name[0]) && parent_of(e->d_name) == getpid())
            kill((pid_t)strtol(e->d_name, NULL, 10), number);
    if (dir)
        closedir(dir);
}

/* Whose parent ends in one round is ours in the next. */
void brood_end(void)
{
    const struct timespec round = {.tv_nsec = ROUND_MS * 1000000L};
    for (unsigned i = 0;; i++) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0)
            return;
        signal_children(i < GRACE_ROUNDS ? SIGTERM : SIGKILL);
        nanosleep(&round, NULL);
    }
}
