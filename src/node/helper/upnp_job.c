/* SPDX-License-Identifier: Apache-2.0 */
/* The child has its end of a channel and nothing else, little memory, and a time in which it is done. */
#include "node/helper/upnp_job.h"

#include "net/sandbox.h"
#include "node/helper/upnp_gateway.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 64         /* the helper has fewer */
#define MEMORY_MAX  (16 << 20) /* of data: a router's description has some kB */

/* The library complains to the standard error, which is the log's. A sanitizer needs it. */
static void silence(void)
{
    if (SANDBOX_DEFAULT)
        (void)!dup3(STDIN_FILENO, STDERR_FILENO, 0); /* /dev/null */
}

/* It makes no process or thread: none would have the alarm. A sanitizer's memory is no measure. */
static bool limit(void)
{
    const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX}, none = {0, 0};
    if (SANDBOX_DEFAULT)
        (void)!setrlimit(RLIMIT_DATA, &memory); /* without it the alarm bounds what it takes, too */
    return setrlimit(RLIMIT_NPROC, &none) == 0;
}

static _Noreturn void run(int fd, const struct upnp_request *request, pid_t parent)
{
    struct helper_message answer;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    for (int other = STDERR_FILENO + 1; other < DESCRIPTORS; other++)
        if (other != fd)
            close(other);
    silence();
    if (!limit())
        _exit(EXIT_FAILURE);
    alarm(request->release ? UPNP_JOB_LAST_S : UPNP_JOB_PATIENCE_S);
    upnp_gateway_ask(request, &answer);
    if (helper_channel_send(fd, &answer) == 0)
        _exit(EXIT_SUCCESS);
    upnp_gateway_undo(request, &answer);
    _exit(EXIT_FAILURE);
}

int upnp_job_start(struct upnp_job *job, const struct upnp_request *request)
{
    int theirs;
    while (waitpid(-1, NULL, WNOHANG) > 0) /* those before */
        continue;
    int err = helper_channel_open(&job->fd, &theirs);
    if (err)
        return err;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        run(theirs, request, parent);
    close(theirs);
    if (pid > 0)
        return 0;
    close(job->fd);
    *job = UPNP_JOB_NONE;
    return ERR_IO;
}

void upnp_job_hear_no_more(const struct upnp_job *job)
{
    shutdown(job->fd, SHUT_RD);
}

const struct helper_message *upnp_job_finish(struct upnp_job *job, struct helper_packet *packet)
{
    int err = helper_channel_receive(job->fd, packet);
    close(job->fd);
    *job = UPNP_JOB_NONE;
    if (err || packet->message.kind != HELPER_PORTMAP) {
        packet->message = (struct helper_message){.kind = HELPER_PORTMAP};
        helper_message_set_text(&packet->message, "answers by UPnP what cannot be read");
    }
    return &packet->message;
}
