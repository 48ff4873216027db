/* SPDX-License-Identifier: Apache-2.0 */
/* The child stops itself by a signal where counting begins and ends. */

#include "steps.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGIN SIGUSR1
#define END   SIGUSR2

void steps_begin(void)
{
    raise(BEGIN);
}

void steps_end(void)
{
    raise(END);
}

/* The signal that stopped the child; 0 when it has ended well, -1 when it has not. */
static int next_stop(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) != child)
        return -1;
    if (WIFSTOPPED(status))
        return WSTOPSIG(status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* How many instructions it takes to END; more than most when they are more. */
static uint64_t count(pid_t child, uint64_t most)
{
    uint64_t steps = 0;
    int stop = SIGTRAP;
    while (stop == SIGTRAP && steps <= most && ptrace(PTRACE_SINGLESTEP, child, 0, 0) == 0) {
        stop = next_stop(child);
        steps++;
    }
    return stop == END ? steps : UINT64_MAX;
}

static int lead(pid_t child, uint64_t most, uint64_t *out, size_t cap)
{
    size_t n = 0;
    int stop;
    while ((stop = next_stop(child)) > 0) {
        if (stop == BEGIN && n < cap) {
            out[n] = count(child, most);
            if (out[n++] > most)
                break;
        } else if (stop != BEGIN && stop != END && stop != SIGSTOP) {
            return -1;
        }
        if (ptrace(PTRACE_CONT, child, 0, 0))
            return -1;
    }
    return stop < 0 ? -1 : (int)n;
}

/* Each step is two switches between the processes: on one CPU they are far cheaper. */
static void share_cpu(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
}

int steps_run(void (*scenario)(void *context), void *context, uint64_t most, uint64_t *out, size_t cap)
{
    share_cpu();
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0))
            _exit(1);
        scenario(context);
        _exit(0); /* without what others do at an exit: they are not measured here */
    }
    int n = lead(child, most, out, cap);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) > 0)
        continue;
    return n;
}
