/* SPDX-License-Identifier: Apache-2.0 */
/* The API's socket file. It is made private, bound under another name, made to listen, and only then renamed
 * to its own: nobody can connect to it earlier, and a reader of the folder never sees half of it. Paths go
 * through /proc/self/fd, as sun_path ends at 107 bytes and folders do not. */
#include "node/api/api_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 16

static int make_folders(const char *path)
{
    char copy[4096];
    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
        errno = ENAMETOOLONG;
        return ERR_IO;
    }
    for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return err_from_errno(errno);
        *slash = '/';
    }
    return mkdir(copy, 0755) != 0 && errno != EEXIST ? err_from_errno(errno) : 0;
}

static void socket_address(const struct api_socket *s, const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", s->dir_fd, name);
}

/* A socket that accepts has a live process behind it; one that refuses was left by a dead one. */
static int check_free(const struct api_socket *s, pid_t *holder)
{
    struct sockaddr_un address;
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = 0;

    *holder = 0;
    if (fd < 0)
        return ERR_IO;
    socket_address(s, s->name, &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
            *holder = cred.pid;
        err = ERR_EXISTS;
    } else if (errno == EAGAIN) {
        err = ERR_EXISTS; /* its backlog is full */
    } else if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTSOCK) {
        err = err_from_errno(errno);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

static int stat_socket(int dir_fd, const char *name, struct stat *out)
{
    if (fstatat(dir_fd, name, out, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    errno = EEXIST;
    return S_ISSOCK(out->st_mode) ? 0 : -1;
}

static int bind_private(struct api_socket *s, const char *temporary)
{
    struct sockaddr_un address;
    struct stat st;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return ERR_IO;
    socket_address(s, temporary, &address);
    if (unlinkat(s->dir_fd, temporary, 0) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    /* The file takes the socket's mode: it is never chmod'ed by name, where a link could have been put. */
    if (fchmod(s->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(s->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return err_from_errno(errno);
    if (stat_socket(s->dir_fd, temporary, &st) != 0 || listen(s->fd, BACKLOG) != 0 ||
        renameat(s->dir_fd, temporary, s->dir_fd, s->name) != 0) {
        int err = err_from_errno(errno), saved = errno;
        unlinkat(s->dir_fd, temporary, 0);
        errno = saved;
        return err;
    }
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return 0;
}

/* Two starts at the same moment: the second one waits here and then meets the first one's socket. Anybody who
 * may read the folder can hold this lock, so nobody waits for it longer than a moment. */
static void lock_folder(int dir_fd)
{
    static const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    for (int i = 0; i < 50 && flock(dir_fd, LOCK_EX | LOCK_NB) != 0; i++)
        nanosleep(&pause, NULL);
}

int api_socket_open(struct api_socket *s, const char *run_dir, const struct node_id *id, pid_t *holder)
{
    char hex[ID_TEXT_MAX], temporary[sizeof(s->name) + 8];
    *s = (struct api_socket){.fd = -1, .dir_fd = -1};
    *holder = 0;
    snprintf(s->name, sizeof(s->name), "%s.sock", id_format(id, hex));
    snprintf(temporary, sizeof(temporary), ".%s.new", s->name);
    int err = make_folders(run_dir);
    if (err)
        return err;
    s->dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return err_from_errno(errno);
    lock_folder(s->dir_fd);
    err = check_free(s, holder);
    if (!err)
        err = bind_private(s, temporary);
    int saved = errno;
    flock(s->dir_fd, LOCK_UN);
    if (err)
        api_socket_close(s);
    errno = saved;
    return err;
}

void api_socket_close(struct api_socket *s)
{
    struct stat st;
    if (s->ino && fstatat(s->dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlinkat(s->dir_fd, s->name, 0);
    if (s->fd >= 0)
        close(s->fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    *s = (struct api_socket){.fd = -1, .dir_fd = -1};
}
