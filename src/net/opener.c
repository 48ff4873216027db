/* SPDX-License-Identifier: Apache-2.0 */
/* One packet is one answer: descriptors, or what is wrong. */
#include "net/opener.h"

#include "base/own_file.h"
#include "net/landlock.h"
#include "net/process.h"
#include "net/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_FD (STDERR_FILENO + 1)

union rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(OPENER_FILES_MAX * sizeof(int))];
};

static void close_all(struct opened *files)
{
    while (files->count)
        close(files->fds[--files->count]);
}

/* ---- the process ---- */

struct opener {
    unsigned count;
    char paths[OPENER_FILES_MAX][PATH_MAX]; /* argv is the title's soon */
};

static void open_files(const struct opener *o, struct opened *out)
{
    *out = (struct opened){.count = 0};
    for (unsigned i = 0; i < o->count; i++) {
        const char *wrong;
        int fd = own_file_open(o->paths[i], OWN_FILE_SHOWN, &wrong);
        if (fd < 0) {
            close_all(out);
            snprintf(out->wrong, sizeof(out->wrong), "-config %.180s: %s", o->paths[i], wrong);
            return;
        }
        out->fds[out->count++] = fd;
    }
}

static bool answer(const struct opened *files)
{
    union rights rights = {.room = {0}};
    struct iovec text = {(void *)files->wrong, strlen(files->wrong) + 1};
    struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1};
    size_t len = files->count * sizeof(files->fds[0]);
    if (files->count) {
        m.msg_control = rights.room;
        m.msg_controllen = CMSG_SPACE(len);
        rights.header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&rights.header), files->fds, len);
    }
    return sendmsg(CHANNEL_FD, &m, MSG_NOSIGNAL) >= 0;
}

/* Where a path leads, and where it stands: a file that is replaced by another is another one to Landlock. */
static void allow_folder(char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(path, ".");
    else
        slash[slash == path] = '\0';
}

static int enter_cage(const struct opener *o)
{
    static char folders[2 * OPENER_FILES_MAX][PATH_MAX];
    struct landlock_path paths[2 * OPENER_FILES_MAX + 1];
    const struct sandbox_config cage = {.paths = paths};
    struct sandbox held;
    const char *failed;
    unsigned count = 0;
    for (unsigned i = 0; i < o->count; i++) {
        strcpy(folders[count++], o->paths[i]);
        if (realpath(o->paths[i], folders[count]))
            count++;
    }
    for (unsigned i = 0; i < count; i++) {
        allow_folder(folders[i]);
        paths[i] = (struct landlock_path){folders[i], LANDLOCK_READ};
    }
    paths[count] = (struct landlock_path){NULL, LANDLOCK_READ};
    return sandbox_enter(&cage, &held, &failed);
}

/* The signals reach a whole terminal or service: who ends it is the program, by its end of the channel. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
}

static _Noreturn void run(const struct opener *o, const struct opener_config *config, int channel)
{
    struct opened files;
    char again;
    ignore_signals();
    if (dup2(channel, CHANNEL_FD) < 0)
        _exit(EXIT_FAILURE);
    closefrom(CHANNEL_FD + 1); /* the ends of others' channels are the program's alone */
    process_title(config->title, "files");
    if (config->caged && enter_cage(o))
        _exit(EXIT_FAILURE);
    while (recv(CHANNEL_FD, &again, sizeof(again), 0) > 0) {
        open_files(o, &files);
        bool told = answer(&files);
        close_all(&files);
        if (!told)
            break;
    }
    _exit(EXIT_SUCCESS);
}

int opener_start(const struct opener_config *config, int *out)
{
    static struct opener o;
    int ends[2];
    for (o.count = 0; o.count < config->count && o.count < OPENER_FILES_MAX; o.count++)
        snprintf(o.paths[o.count], sizeof(o.paths[0]), "%s", config->paths[o.count]);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR_IO;
    pid_t pid = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? fork() : -1;
    if (pid == 0)
        run(&o, config, ends[1]);
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    else
        *out = ends[0];
    return pid < 0 ? ERR_IO : 0;
}

/* ---- the program ---- */

int opener_ask(int fd)
{
    return send(fd, "", 1, MSG_NOSIGNAL) == 1 ? 0 : ERR_CLOSED;
}

static void take_files(const struct msghdr *m, struct opened *out)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    size_t len = c && c->cmsg_type == SCM_RIGHTS ? c->cmsg_len - CMSG_LEN(0) : 0;
    out->count = (unsigned)(len / sizeof(out->fds[0]));
    if (len)
        memcpy(out->fds, CMSG_DATA(c), len);
}

int opener_take(int fd, unsigned count, struct opened *out)
{
    union rights rights;
    *out = (struct opened){.count = 0};
    struct iovec text = {out->wrong, sizeof(out->wrong) - 1};
    struct msghdr m = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof(rights.room)};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ERR_AGAIN;
    if (n <= 0)
        return ERR_CLOSED;
    take_files(&m, out);
    if (out->count == count || out->wrong[0])
        return 0;
    close_all(out);
    snprintf(out->wrong, sizeof(out->wrong), "-config: too many files are open here for another one");
    return 0;
}
