/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/nodes.h"
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SYSTEMD    "/run/systemd/system" /* there only where systemd is the init: sd_booted(3) */
#define ASK_MS     1000
#define LOOK_MS    50
#define START_S    20
#define STOP_MS    15000
#define SAID_MAX   512
#define UNIT_MAX   (CERT_LABEL_MAX + 16)
#define OWNER_ONLY 0600

bool service_is_systemd(const struct place *p)
{
    return p->standard && strcmp(p->run_dir, PLACE_RUN) == 0 && access(SYSTEMD, F_OK) == 0;
}

/* ---- asking ---- */

/* The status of the node of this network; *id is its id. */
static json_t *find(const struct place *p, struct node_id *id)
{
    struct node_id *ids = NULL;
    size_t count = 0;
    json_t *found = NULL;
    char error[API_ERROR_MAX];
    if (api_client_list(p->run_dir, &ids, &count) != 0)
        return NULL;
    for (size_t i = 0; i < count && !found; i++) {
        if (api_client_read(p->run_dir, &ids[i], json_pack("{s:s}", "cmd", "status"), ASK_MS, &found,
                            error) != 0)
            continue;
        *id = ids[i];
        if (strcmp(nodes_text(json_object_get(found, "network"), "name"), p->network) == 0)
            continue;
        json_decref(found);
        found = NULL;
    }
    free(ids);
    return found;
}

json_t *service_status(const struct place *p)
{
    struct node_id id;
    return find(p, &id);
}

/* ---- systemd ---- */

static bool systemctl(const char *verb, const struct place *p)
{
    char unit[UNIT_MAX];
    snprintf(unit, sizeof(unit), "shadowmesh@%s", p->network);
    pid_t child = fork();
    if (child == 0) {
        execlp("systemctl", "systemctl", "--quiet", verb, "--now", unit, (char *)NULL);
        _exit(127);
    }
    bool done = child > 0 && program_wait(child) == CLI_OK;
    if (!done)
        cli_complain("systemctl %s --now %s failed: `systemctl status %s` tells why", verb, unit, unit);
    return done;
}

/* ---- a daemon ---- */

static void words_of(const struct place *p, const char *out[PROGRAM_WORDS_MAX])
{
    const char *words[] = {"-keydir", p->keydir, "-config", p->conf, "-run", p->run_dir, NULL};
    memcpy(out, words, sizeof(words));
}

void service_become(const struct place *p)
{
    const char *words[PROGRAM_WORDS_MAX];
    words_of(p, words);
    program_become(words);
}

/* Its lock is held as long as the node lives: by this it is seen before it answers. What the last one's children still hold
 * stops nobody. -1 when it complained. */
static int open_log(const struct place *p)
{
    int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, OWNER_ONLY);
    if (log < 0)
        cli_complain("%s: %s", p->log, strerror(errno));
    else
        (void)!flock(log, LOCK_EX | LOCK_NB);
    return log;
}

static bool log_is_held(const struct place *p)
{
    int log = open(p->log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool held = log >= 0 && flock(log, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (log >= 0)
        close(log);
    return held;
}

/* In the daemon: it has no terminal, and what it says goes to the log. */
static _Noreturn void run_daemon(const struct place *p, int log, int told)
{
    pid_t pid = getpid();
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || write(told, &pid, sizeof(pid)) != sizeof(pid))
        _exit(CLI_FAILURE);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    service_become(p);
    _exit(CLI_FAILURE);
}

/* Forked twice: its parent is the init, and it can get no terminal. -1 when it could not be started. */
static pid_t fork_daemon(const struct place *p, int log)
{
    int ends[2];
    pid_t pid = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0)
            run_daemon(p, log, ends[1]);
        _exit(CLI_OK);
    }
    close(ends[1]);
    if (child < 0 || program_wait(child) != CLI_OK || read(ends[0], &pid, sizeof(pid)) != sizeof(pid))
        pid = -1;
    close(ends[0]);
    return pid;
}

/* -1 when it complained. */
static pid_t start_daemon(const struct place *p)
{
    int log = open_log(p);
    if (log < 0)
        return -1;
    pid_t pid = fork_daemon(p, log);
    if (pid < 0)
        cli_complain("the node of %s cannot be started: %s", p->network, strerror(errno));
    close(log);
    return pid;
}

/* What it said last, which is why it ended. */
static void complain_with_log(const struct place *p)
{
    char line[SAID_MAX], last[SAID_MAX] = "it said nothing";
    FILE *file = fopen(p->log, "re");
    while (file && fgets(line, sizeof(line), file))
        snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
    if (file)
        fclose(file);
    cli_complain("the node of %s ended: %s (%s)", p->network, last, p->log);
}

/* ---- starting ---- */

static void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    nanosleep(&pause, NULL);
}

/* Waits until the node answers. pid is the daemon's, or 0 where systemd has it. */
static bool wait_ready(const struct place *p, pid_t pid)
{
    time_t end = time(NULL) + START_S;
    while (time(NULL) < end) {
        json_t *status = service_status(p);
        json_decref(status);
        if (status)
            return true;
        if (pid && kill(pid, 0) != 0 && errno == ESRCH) {
            complain_with_log(p);
            return false;
        }
        pause_a_little();
    }
    cli_complain("the node of %s does not answer in %s: is it another -run than before?", p->network,
                 p->run_dir);
    return false;
}

bool service_start(const struct place *p)
{
    if (service_is_systemd(p))
        return systemctl("enable", p) && wait_ready(p, 0);
    pid_t pid = start_daemon(p);
    return pid > 0 && wait_ready(p, pid);
}

/* ---- stopping ---- */

/* By a descriptor: its number may become another process's meanwhile. */
static bool end_process(const struct place *p, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    bool done = fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0;
    if (!done)
        cli_complain("the node of %s, process %d, cannot be ended: %s", p->network, (int)pid,
                     strerror(errno));
    else if (poll(&ended, 1, STOP_MS) != 1) {
        cli_complain("the node of %s, process %d, does not end", p->network, (int)pid);
        done = false;
    }
    if (fd >= 0)
        close(fd);
    return done;
}

/* One that has only begun does not answer yet: it is waited for. */
static json_t *find_running(const struct place *p, struct node_id *id)
{
    time_t end = time(NULL) + START_S;
    json_t *status = find(p, id);
    while (!status && log_is_held(p) && time(NULL) < end) {
        pause_a_little();
        status = find(p, id);
    }
    return status;
}

bool service_stop(const struct place *p, bool *ran)
{
    struct node_id id;
    pid_t pid;
    json_t *status = find_running(p, &id);
    *ran = status != NULL;
    json_decref(status);
    if (service_is_systemd(p))
        return systemctl("disable", p);
    if (!*ran)
        return true;
    if (api_client_pid(p->run_dir, &id, &pid) == 0)
        return end_process(p, pid);
    cli_complain("the node of %s cannot be asked: %s", p->network, strerror(errno));
    return false;
}
