/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "shadowmesh-l2"

void program_become(const char *const *words)
{
    const char *argv[PROGRAM_WORDS_MAX] = {PROGRAM};
    char path[4096];
    for (unsigned i = 0; words[i] && i + 2 < PROGRAM_WORDS_MAX; i++)
        argv[1 + i] = words[i];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PROGRAM) - 1);
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (slash) {
        strcpy(slash + 1, PROGRAM);
        execv(path, (char *const *)argv);
    }
    execvp(PROGRAM, (char *const *)argv);
    cli_complain("%s cannot be run: %s", PROGRAM, strerror(errno));
}

pid_t program_start(const char *const *words, int *out)
{
    int ends[2] = {-1, -1};
    if (out && pipe(ends))
        return -1;
    pid_t child = fork();
    if (child == 0) {
        if (out) {
            dup2(ends[1], STDOUT_FILENO);
            close(ends[0]);
            close(ends[1]);
        }
        program_become(words);
        _exit(CLI_FAILURE);
    }
    if (!out)
        return child;
    close(ends[1]);
    if (child < 0)
        close(ends[0]);
    *out = ends[0];
    return child;
}

int program_wait(pid_t child)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILURE;
}
