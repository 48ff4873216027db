/* SPDX-License-Identifier: Apache-2.0 */
/* The API's socket files. Each is made private, bound under another name, opened to its group, made to listen, and only
 * then renamed to its own: nobody can connect to it earlier, and a reader of the folder never sees half of it. Paths go
 * through /proc/self/fd, as sun_path ends at 107 bytes and folders do not. */
#include "node/api/api_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

static void socket_address(int dir_fd, const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
}

/* A socket that accepts has a live process behind it; one that refuses was left by a dead one. */
static int check_free(const struct api_sockets *s, pid_t *holder)
{
    struct sockaddr_un address;
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = 0;

    *holder = 0;
    if (fd < 0)
        return ERR_IO;
    socket_address(s->dir_fd, s->of[API_ACCESS_ALL].name, &address);
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

/* From the file alone: a name service that hangs would hang the start. */
static bool find_group(gid_t *out)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *g = NULL;
    while (file && (g = fgetgrent(file)) && strcmp(g->gr_name, API_GROUP) != 0)
        continue;
    if (g)
        *out = g->gr_gid;
    if (file)
        fclose(file);
    return g != NULL;
}

/* Who may not give the file to the group keeps it private. A caller needs to write to a socket to connect to it, so 0640
 * would keep the group out. */
static void open_to_group(int file_fd)
{
    char path[32];
    gid_t group;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
    if (find_group(&group) && fchownat(file_fd, "", (uid_t)-1, group, AT_EMPTY_PATH) == 0)
        (void)!chmod(path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP);
}

/* Notes which file was bound, and makes its mode. It is held open meanwhile: by its name, a link could have been put in
 * its place. */
static int settle_file(struct api_socket *s, int dir_fd, const char *temporary, enum api_access access)
{
    struct stat st;
    int fd = openat(dir_fd, temporary, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        errno = EEXIST;
        return ERR_IO;
    }
    if (access == API_ACCESS_READS)
        open_to_group(fd);
    close(fd);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return 0;
}

static int publish(struct api_socket *s, int dir_fd, const char *temporary, enum api_access access)
{
    int err = settle_file(s, dir_fd, temporary, access);
    if (!err && (listen(s->fd, BACKLOG) != 0 || renameat(dir_fd, temporary, dir_fd, s->name) != 0))
        err = err_from_errno(errno);
    if (err) {
        int saved = errno;
        unlinkat(dir_fd, temporary, 0);
        s->ino = 0;
        errno = saved;
    }
    return err;
}

static int bind_private(struct api_socket *s, int dir_fd, enum api_access access)
{
    struct sockaddr_un address;
    char temporary[sizeof(s->name) + 8];
    snprintf(temporary, sizeof(temporary), ".%s.new", s->name);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return ERR_IO;
    socket_address(dir_fd, temporary, &address);
    if (unlinkat(dir_fd, temporary, 0) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    /* The file takes the socket's mode: it is never chmod'ed by name. */
    if (fchmod(s->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(s->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return err_from_errno(errno);
    return publish(s, dir_fd, temporary, access);
}

/* Two starts at the same moment: the second one waits here and then meets the first one's socket. Anybody who
 * may read the folder can hold this lock, so nobody waits for it longer than a moment. */
static void lock_folder(int dir_fd)
{
    static const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    for (int i = 0; i < 50 && flock(dir_fd, LOCK_EX | LOCK_NB) != 0; i++)
        nanosleep(&pause, NULL);
}

/* The one that says that we live comes last: whoever sees it finds the other. */
static int bind_both(struct api_sockets *s)
{
    int err = bind_private(&s->of[API_ACCESS_READS], s->dir_fd, API_ACCESS_READS);
    return err ? err : bind_private(&s->of[API_ACCESS_ALL], s->dir_fd, API_ACCESS_ALL);
}

int api_sockets_open(struct api_sockets *s, const char *run_dir, const struct node_id *id, pid_t *holder)
{
    char hex[ID_TEXT_MAX];
    *s = (struct api_sockets){.dir_fd = -1, .of = {{.fd = -1}, {.fd = -1}}};
    *holder = 0;
    id_format(id, hex);
    snprintf(s->of[API_ACCESS_ALL].name, sizeof(s->of[0].name), "%s.sock", hex);
    snprintf(s->of[API_ACCESS_READS].name, sizeof(s->of[0].name), "%s.ro.sock", hex);
    int err = make_folders(run_dir);
    if (err)
        return err;
    s->dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return err_from_errno(errno);
    lock_folder(s->dir_fd);
    err = check_free(s, holder);
    if (!err)
        err = bind_both(s);
    int saved = errno;
    flock(s->dir_fd, LOCK_UN);
    if (err)
        api_sockets_close(s);
    errno = saved;
    return err;
}

static void close_one(struct api_socket *s, int dir_fd)
{
    struct stat st;
    if (s->ino && fstatat(dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlinkat(dir_fd, s->name, 0);
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct api_socket){.fd = -1};
}

void api_sockets_close(struct api_sockets *s)
{
    for (unsigned i = 0; i < API_ACCESSES; i++)
        close_one(&s->of[i], s->dir_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->dir_fd = -1;
}
