/* SPDX-License-Identifier: Apache-2.0 */
/* The process lives for a part of a second, reads one byte and has nothing but the folder. Control thread. */

#include "node/control/key_draft.h"

#include "crypto/keyfile.h"
#include "net/process.h"
#include "node/cache/cache_file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DROP_WAIT_MS 1000 /* for a disk that hangs, at the end of a node */

struct outcome {
    int err, number; /* number: of errno */
};

/* A device or socket of the node must not live as long as this one. */
static void close_others(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0U, 0);
}

static _Noreturn void run(int fd, struct identity_draft *draft)
{
    /* A terminal or a service manager tells all at once: the node decides what becomes of the key. */
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    close_others(fd, draft->dir_fd);
    process_title("shadowmesh-l2: key", "key");
    char told;
    if (read(fd, &told, sizeof(told)) == sizeof(told)) {
        struct outcome outcome = {.err = identity_publish(draft)};
        outcome.number = errno;
        (void)!write(fd, &outcome, sizeof(outcome));
    } else {
        (void)unlinkat(draft->dir_fd, CACHE_FOLDER, AT_REMOVEDIR); /* which this start may have made */
        identity_discard(draft);
    }
    _exit(EXIT_SUCCESS);
}

static int start(struct identity_draft *draft, int *out)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR_AGAIN;
    signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run(ends[1], draft);
    }
    int saved_errno = errno;
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    else
        *out = ends[0];
    errno = saved_errno;
    return pid < 0 ? ERR_AGAIN : 0;
}

int key_draft_new(const struct identity *me, const char *dir, struct key_draft *out)
{
    struct identity_draft draft;
    *out = KEY_DRAFT_NONE;
    int err = identity_draft(me, dir, &draft);
    if (err)
        return err;
    err = start(&draft, &out->fd);
    if (err)
        identity_discard(&draft);
    else
        close(draft.dir_fd);
    return err;
}

int key_draft_keep(struct key_draft *draft)
{
    static const char told = 1;
    struct outcome outcome = {.err = ERR_CLOSED};
    if (send(draft->fd, &told, sizeof(told), MSG_NOSIGNAL) == sizeof(told) &&
        recv(draft->fd, &outcome, sizeof(outcome), MSG_WAITALL) != sizeof(outcome))
        outcome = (struct outcome){.err = ERR_CLOSED};
    close(draft->fd);
    *draft = KEY_DRAFT_NONE;
    errno = outcome.number;
    return outcome.err;
}

void key_draft_drop(struct key_draft *draft)
{
    if (draft->fd < 0)
        return;
    struct pollfd gone = {.fd = draft->fd, .events = POLLIN};
    shutdown(draft->fd, SHUT_WR);
    (void)!poll(&gone, 1, DROP_WAIT_MS);
    close(draft->fd);
    *draft = KEY_DRAFT_NONE;
}
