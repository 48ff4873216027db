/* SPDX-License-Identifier: Apache-2.0 */
/* The program is started from a fixed place with words of ours alone: what comes from others are a device's name and a
 * network's, both checked by whoever took them from a message. */
#include "node/helper/resolved.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM    "/usr/bin/resolvectl"
#define PATIENCE_S 5

bool resolved_is_here(void)
{
    return access(PROGRAM, X_OK) == 0 && access("/run/systemd/resolve/stub-resolv.conf", R_OK) == 0;
}

static _Noreturn void run(const char *const *words)
{
    static const char *const no_environment[] = {"LC_ALL=C", "SYSTEMD_PAGER=", NULL};
    alarm(PATIENCE_S);
    execve(PROGRAM, (char *const *)words, (char *const *)no_environment);
    _exit(EXIT_FAILURE);
}

static int call(const char *const *words)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        run(words);
    while (child > 0 && waitpid(child, &status, 0) < 0)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERR_IO;
}

static int call_with(const char *verb, const char *device, const char *const *words, unsigned count)
{
    const char *all[4 + RESOLVED_SERVERS_MAX + RESOLVED_DOMAINS_MAX] = {PROGRAM, verb, device};
    for (unsigned i = 0; i < count; i++)
        all[3 + i] = words[i];
    return call(all);
}

int resolved_set(const char *device, const struct addr *servers, unsigned server_count,
                 const char *const *domains, unsigned domain_count)
{
    char texts[RESOLVED_SERVERS_MAX][ADDR_TEXT_MAX];
    const char *words[RESOLVED_SERVERS_MAX], *no[] = {"false"};
    for (unsigned i = 0; i < server_count; i++)
        words[i] = addr_format(&servers[i], texts[i]);
    int err = call_with("dns", device, words, server_count);
    if (!err)
        err = call_with("domain", device, domains, domain_count);
    return err ? err : call_with("default-route", device, no, 1);
}

void resolved_unset(const char *device)
{
    (void)!call_with("revert", device, NULL, 0);
}
