/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in, a child for each, which sends its answer itself; for a child that could not, its parent does. The parent
 * reads no byte of the network. The children are gone once it is. */
#include "node/helper/name_helper.h"

#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct name_helper {
    int fd;
    const struct name_helper_config *config;
    struct lookup {
        pid_t pid; /* 0: free */
        uint32_t token;
    } lookups[NAME_HELPER_LOOKUPS_MAX];
    struct helper_packet packet;
};

void name_helper_look_up(const char *host, struct helper_message *answer)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *results = NULL;
    int status = getaddrinfo(host, NULL, &hints, &results);
    unsigned *count = &answer->address_count;
    for (const struct addrinfo *a = results; a && *count < HELPER_ADDRESSES_MAX; a = a->ai_next)
        if (addr_from_sockaddr(a->ai_addr, &answer->addresses[*count]) == 0)
            ++*count;
    if (*count == 0)
        helper_message_set_text(answer, status ? gai_strerror(status) : "it has no address");
    freeaddrinfo(results);
}

static _Noreturn void look_up(const struct name_helper *h, const struct helper_message *ask, pid_t parent)
{
    struct helper_message answer = {.kind = HELPER_NAME, .token = ask->token};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    alarm(h->config->patience_s);
    h->config->look_up(ask->text, &answer);
    _exit(helper_channel_send(h->fd, &answer) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void refuse(const struct name_helper *h, uint32_t token, const char *why)
{
    struct helper_message answer = {.kind = HELPER_NAME, .token = token};
    helper_message_set_text(&answer, why);
    (void)!helper_channel_send(h->fd, &answer); /* a node that is gone needs none */
}

static struct lookup *find(struct name_helper *h, pid_t pid)
{
    for (unsigned i = 0; i < NAME_HELPER_LOOKUPS_MAX; i++)
        if (h->lookups[i].pid == pid)
            return &h->lookups[i];
    return NULL;
}

static void on_ask(struct name_helper *h, struct lookup *free)
{
    const struct helper_message *ask = &h->packet.message;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        look_up(h, ask, parent);
    if (pid < 0)
        refuse(h, ask->token, "the system starts no process for it");
    else
        *free = (struct lookup){pid, ask->token};
}

static void on_end(struct name_helper *h, struct lookup *l, int status)
{
    char why[64];
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(why, sizeof(why), "no name server answers within %u s", h->config->patience_s);
    else
        snprintf(why, sizeof(why), "the look-up broke off with status 0x%x", status);
    if (status != 0)
        refuse(h, l->token, why);
    l->pid = 0;
}

static void reap(struct name_helper *h)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct lookup *l = find(h, pid);
        if (l)
            on_end(h, l, status);
    }
}

static void on_child(int number)
{
    (void)number; /* it ends the wait */
}

/* Waits for a request, for a child's end, and for the node's. */
static int serve(struct name_helper *h)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGCHLD, on_child);
    for (;;) {
        reap(h);
        struct lookup *free = find(h, 0);
        struct pollfd p = {.fd = h->fd, .events = free ? POLLIN : 0};
        if (ppoll(&p, 1, NULL, &before) <= 0)
            continue;
        if (p.revents & (POLLHUP | POLLERR))
            return EXIT_SUCCESS;
        int err = helper_channel_receive(h->fd, &h->packet);
        if (err || h->packet.message.kind != HELPER_ASK_NAME)
            return err == ERR_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
        on_ask(h, free);
    }
}

int name_helper_run(int fd, const void *context)
{
    struct name_helper h = {.fd = fd, .config = context};
    struct helper_message first = {.kind = HELPER_READY};
    if (h.config->caged && helper_cage_enter(HELPER_CAGE_NAMES, first.text, sizeof(first.text)))
        first.kind = HELPER_UNABLE;
    if (helper_channel_send(fd, &first) != 0 || first.kind == HELPER_UNABLE)
        return EXIT_FAILURE;
    return serve(&h);
}
